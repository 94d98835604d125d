//! What is told of templates: their versions, parameters and presets.

use serde_json::{Value, json};

use super::{
    answer::{Answer, Answered, no_route, not_found},
    catalogue::{ORGANIZATIONS, Organization, Parameter, Preset, TEMPLATES, Template, Version},
    query::Query,
    world::{ANN, moment},
};

/// A template by its id.
pub(super) fn template(id: &str) -> Option<&'static Template> {
    TEMPLATES.into_iter().find(|it| it.id == id)
}

/// A version by its id, and whose it is.
pub(super) fn version(id: &str) -> Option<(&'static Template, &'static Version)> {
    let versions =
        TEMPLATES.into_iter().flat_map(|it| it.versions.iter().map(move |version| (it, version)));
    versions.into_iter().find(|(_, version)| version.id == id)
}

pub(super) fn organization(name: &str) -> Option<&'static Organization> {
    ORGANIZATIONS.iter().find(|it| it.id == name || it.name == name)
}

/// `/templates` and what is below it.
pub(super) fn templates(rest: &[&str], query: &Query) -> Answered {
    let found = |id: &str| template(id).ok_or_else(not_found);
    match *rest {
        [] => list(query, None),
        [id] => Ok(Answer::json(200, &shown(found(id)?))),
        [id, "versions"] => {
            let it = found(id)?;
            let versions: Vec<_> = it.versions.iter().map(|one| shown_version(it, one)).collect();
            Ok(Answer::json(200, &versions.into()))
        }
        _ => Err(no_route()),
    }
}

/// `/templateversions/{id}` and what is below it.
pub(super) fn versions(rest: &[&str]) -> Answered {
    let (id, below) = rest.split_first().ok_or_else(no_route)?;
    let (template, version) = version(id).ok_or_else(not_found)?;
    let shown: Value = match *below {
        [] => shown_version(template, version),
        ["rich-parameters"] => version.parameters.iter().map(shown_parameter).collect(),
        ["presets"] => version.presets.iter().map(shown_preset).collect(),
        _ => return Err(no_route()),
    };
    Ok(Answer::json(200, &shown))
}

/// The templates of one organization, or of all.
pub(super) fn list(query: &Query, within: Option<&Organization>) -> Answered {
    let words =
        query.search(&["name", "exact_name", "organization", "deprecated", "has-ai-task"])?;
    let fits = |it: &&&Template| {
        let fits = |(key, value): &(String, String)| match key.as_str() {
            "name" => it.name.contains(value.as_str()),
            "exact_name" => it.name == value,
            "organization" => it.organization.name == value || it.organization.id == value,
            "deprecated" => it.deprecation.is_empty() != (value == "true"),
            _ => it.versions[0].has_ai_task == (value == "true"),
        };
        within.is_none_or(|one| one.id == it.organization.id) && words.iter().all(fits)
    };
    let templates: Vec<_> = TEMPLATES.iter().filter(fits).map(|it| shown(it)).collect();
    Ok(Answer::json(200, &templates.into()))
}

pub(super) fn shown_organization(it: &Organization) -> Value {
    json!({
        "id": it.id, "name": it.name, "display_name": it.name, "icon": "", "description": "",
        "created_at": moment(0), "updated_at": moment(0), "is_default": it.name == "coder",
    })
}

fn shown(it: &Template) -> Value {
    json!({
        "id": it.id, "name": it.name, "display_name": it.display_name, "description": "", "icon": "",
        "created_at": moment(0), "updated_at": moment(0),
        "organization_id": it.organization.id, "organization_name": it.organization.name,
        "organization_display_name": it.organization.name, "organization_icon": "",
        "provisioner": "terraform", "active_version_id": it.versions[0].id, "active_user_count": 1,
        "build_time_stats": {
            "start": {"p50": 20_000, "p95": 40_000}, "stop": {"p50": null, "p95": null},
            "delete": {"p50": null, "p95": null},
        },
        "default_ttl_ms": 0, "activity_bump_ms": 0,
        "autostop_requirement": {"days_of_week": [], "weeks": 1},
        "autostart_requirement": {"days_of_week": ["monday"]},
        "created_by_id": ANN.id, "created_by_name": ANN.name,
        "allow_user_autostart": true, "allow_user_autostop": true,
        "allow_user_cancel_workspace_jobs": true, "failure_ttl_ms": 0, "time_til_dormant_ms": 0,
        "time_til_dormant_autodelete_ms": 0, "time_til_autostop_notify_ms": 0,
        "require_active_version": false, "max_port_share_level": "owner", "cors_behavior": "simple",
        "deprecated": !it.deprecation.is_empty(), "deprecation_message": it.deprecation,
        "deleted": false, "use_classic_parameter_flow": true, "disable_module_cache": false,
    })
}

fn shown_version(template: &Template, it: &Version) -> Value {
    let mut job = json!({
        "id": it.id.replace("be51", "0b51"), "created_at": moment(0), "started_at": moment(1),
        "completed_at": moment(20), "status": it.job, "file_id": template.id, "tags": {},
        "queue_position": 0, "queue_size": 0, "organization_id": template.organization.id,
        "initiator_id": ANN.id, "type": "template_version_import",
        "input": {"template_version_id": it.id},
        "metadata": {"template_version_name": it.name, "template_id": template.id,
            "template_name": template.name, "template_display_name": "", "template_icon": ""},
        "logs_overflowed": false,
    });
    if it.job == "failed" {
        job["error"] = "terraform plan: exit status 1".into();
    }
    json!({
        "id": it.id, "template_id": template.id, "organization_id": template.organization.id,
        "created_at": moment(0), "updated_at": moment(0), "name": it.name, "message": "",
        "job": job, "readme": "", "archived": false, "has_external_agent": false,
        "created_by": {"id": ANN.id, "username": ANN.name, "name": ANN.whole_name},
    })
}

fn shown_parameter(it: &Parameter) -> Value {
    let option = |name: &&str| json!({"name": name, "description": "", "value": name, "icon": ""});
    json!({
        "name": it.name, "display_name": it.name, "description": "", "description_plaintext": "",
        "type": it.kind, "form_type": if it.options.is_empty() { "input" } else { "dropdown" },
        "mutable": false, "default_value": it.default.unwrap_or_default(), "icon": "",
        "options": it.options.iter().map(option).collect::<Value>(),
        "required": it.default.is_none(), "ephemeral": false,
    })
}

/// The names are those that are sent: the structure has no tags for its JSON.
fn shown_preset(it: &Preset) -> Value {
    let value = |(name, value): &(&str, &str)| json!({"Name": name, "Value": value});
    json!({
        "ID": it.id, "Name": it.name, "Default": it.is_default, "Description": "", "Icon": "",
        "Parameters": it.values.iter().map(value).collect::<Value>(),
        "DesiredPrebuildInstances": null,
    })
}
