//! Workspaces: made, listed, built again.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    answer::{Answer, Answered, invalid, no_route, not_found, refused},
    builds,
    catalogue::{Parameter, Template, Version},
    life::{self, Step},
    query::{Query, listed, page},
    templates,
    wire::Request,
    world::{User, Workspace, World, moment, user},
};

/// As Coder's own limit on names has it.
const LONGEST_NAME: usize = 32;

/// `/workspaces` and what is below it.
pub(super) fn workspaces(
    world: &mut World,
    request: &Request,
    rest: &[&str],
    query: &Query,
) -> Answered {
    if rest.is_empty() && request.method == "GET" {
        return list(world, query);
    }
    let (id, below) = rest.split_first().ok_or_else(no_route)?;
    let place = world.workspaces.iter().position(|it| it.id == *id).ok_or_else(not_found)?;
    match (request.method.as_str(), below) {
        ("GET", []) => read(world, place, query),
        ("GET", ["builds"]) => {
            let it = world.advance(place);
            let builds: Vec<_> =
                (0..it.builds.len()).rev().map(|at| builds::shown(it, at)).collect();
            Ok(Answer::json(200, &builds.into()))
        }
        ("POST", ["builds"]) => build(world, place, &request.body),
        ("PUT", ["ttl"]) | ("PATCH", []) => Ok(Answer::empty(204)),
        ("PUT", ["extend"]) => {
            Ok(Answer::json(200, &json!({"message": "Deadline updated to the given one."})))
        }
        _ => Err(no_route()),
    }
}

/// One by the name of its owner and its own.
pub(super) fn named(world: &mut World, owner: &str, name: &str, query: &Query) -> Answered {
    let owner = user(owner).ok_or_else(not_found)?;
    let fits = |it: &Workspace| it.owner.id == owner.id && it.name == name;
    // One that is gone may have had the same name before.
    let place = world.workspaces.iter().rposition(fits).ok_or_else(not_found)?;
    read(world, place, query)
}

fn read(world: &mut World, place: usize, query: &Query) -> Answered {
    let workspace = world.advance(place);
    if workspace.step == Step::Deleted && query.get("include_deleted") != "true" {
        let message = format!(
            "Workspace {:?} was deleted, you can view this workspace by specifying '?deleted=true' and trying again.",
            workspace.id
        );
        return Err(refused(410, &message));
    }
    Ok(Answer::json(200, &shown(workspace)))
}

fn list(world: &mut World, query: &Query) -> Answered {
    let words = query.search(&["owner", "status", "name", "template", "deleted"])?;
    let deleted = words.iter().any(|(key, value)| key == "deleted" && value == "true");
    let fits = |it: &Workspace| {
        let fits = |(key, value): &(String, String)| match key.as_str() {
            "owner" => user(value).is_some_and(|owner| owner.id == it.owner.id),
            "status" => it.step.of_workspace() == value,
            "name" => it.name.contains(value.as_str()),
            "template" => it.template.name == value,
            _ => true,
        };
        (it.step == Step::Deleted) == deleted && words.iter().all(fits)
    };
    let most = world.most_on_page;
    let found: Vec<_> = world.workspaces.iter_mut().filter(|it| fits(it)).collect();
    let count = found.len();
    let texts = found.into_iter().map(text).collect();
    listed("workspaces", &page(texts, query, most)?, count)
}

/// The JSON of a workspace, made once for each change of it.
pub(super) fn text(it: &mut Workspace) -> Arc<str> {
    if let Some(text) = &it.texts.workspace {
        return text.clone();
    }
    let text: Arc<str> = shown(it).to_string().into();
    it.texts.workspace = Some(text.clone());
    text
}

pub(super) fn create(world: &mut World, owner: &str, body: &Value) -> Answered {
    let owner = user(owner).ok_or_else(not_found)?;
    let text = |key: &str| body[key].as_str().unwrap_or_default();
    let version = templates::version(text("template_version_id"));
    let active = templates::template(text("template_id")).map(|it| (it, &it.versions[0]));
    let Some((template, version)) = version.or(active) else {
        let detail = "template not found";
        return Err(invalid("Template doesn't exist.", "template_id", detail));
    };
    let workspace = made(world, owner, text("name"), template, version, body)?;
    let place = place(world, workspace, life::plain());
    Ok(Answer::json(201, &shown(&world.workspaces[place])))
}

/// One that nothing stands against.
pub(super) fn made(
    world: &mut World,
    owner: User,
    name: &str,
    template: &'static Template,
    version: &'static Version,
    body: &Value,
) -> Result<Workspace, Answer> {
    let allowed = |it: char| it.is_ascii_alphanumeric() || it == '-';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(allowed) {
        return Err(invalid(
            "Validation failed.",
            "name",
            "Validation failed for tag \"username\"",
        ));
    }
    let taken =
        |it: &Workspace| it.owner.id == owner.id && it.name == name && it.step != Step::Deleted;
    if world.workspaces.iter().any(taken) {
        let validations = json!([{"field": "name", "detail": "This value is already in use and should be unique."}]);
        let message = format!("Workspace {name:?} already exists.");
        return Err(Answer::json(409, &json!({"message": message, "validations": validations})));
    }
    if !template.deprecation.is_empty() {
        let name = template.name;
        let message = format!(
            "Template {name:?} has been deprecated, and cannot be used to create a new workspace."
        );
        return Err(Answer::json(
            400,
            &json!({"message": message, "detail": template.deprecation}),
        ));
    }
    if version.job != "succeeded" {
        let message = "The provided template version has failed to import. You cannot build workspaces with it!";
        return Err(refused(400, message));
    }
    let preset = body["template_version_preset_id"].as_str();
    let preset = preset
        .map(|id| {
            version
                .presets
                .iter()
                .find(|it| it.id == id)
                .ok_or_else(|| refused(400, "Preset not found."))
        })
        .transpose()?;
    let given = given(preset.map_or(&[], |it| it.values), &body["rich_parameter_values"]);
    check(version.parameters, &given)?;
    let mut workspace = world.workspace(owner, name, template, version);
    workspace.preset = preset.map(|it| it.id);
    workspace.parameters = given;
    Ok(workspace)
}

/// The values of a request, and beneath them those of a preset.
fn given(preset: &[(&str, &str)], values: &Value) -> Vec<(String, String)> {
    let values = values.as_array().into_iter().flatten();
    let pair =
        |it: &Value| Some((it["name"].as_str()?.to_owned(), it["value"].as_str()?.to_owned()));
    let mut given: Vec<_> = values.filter_map(pair).collect();
    let preset = preset.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    given.extend(preset);
    given
}

fn check(parameters: &[Parameter], given: &[(String, String)]) -> Result<(), Answer> {
    let message = "Unable to validate parameters.";
    for (name, value) in given {
        let known = parameters.iter().find(|it| it.name == name);
        let known = known.ok_or_else(|| invalid(message, name, "There is no such parameter."))?;
        let fits = known.options.is_empty() || known.options.contains(&value.as_str());
        if !fits || known.kind == "number" && value.parse::<f64>().is_err() {
            return Err(invalid(message, name, "Value is not valid."));
        }
    }
    let missing =
        |it: &&Parameter| it.default.is_none() && given.iter().all(|(name, _)| name != it.name);
    match parameters.iter().find(missing) {
        Some(it) => Err(invalid(message, it.name, "Required value is missing.")),
        None => Ok(()),
    }
}

/// Puts it where it is found, and begins its first build.
pub(super) fn place(world: &mut World, workspace: Workspace, otherwise: Vec<Step>) -> usize {
    let steps = world.next_steps.pop_front().unwrap_or(otherwise);
    world.workspaces.push(workspace);
    let place = world.workspaces.len() - 1;
    world.build(place, "start", steps);
    place
}

fn build(world: &mut World, place: usize, body: &Value) -> Answered {
    let (transition, steps) = match body["transition"].as_str() {
        Some("start") => ("start", world.next_steps.pop_front().unwrap_or_else(life::plain)),
        Some("stop") => ("stop", vec![Step::Stopping, Step::Stopped]),
        Some("delete") => ("delete", vec![Step::Deleting, Step::Deleted]),
        _ => {
            let detail = "Validation failed for tag \"oneof\"";
            return Err(invalid("Validation failed.", "transition", detail));
        }
    };
    if world.workspaces[place].step == Step::Deleted {
        return Err(refused(410, "Workspace was deleted."));
    }
    builds::free(&world.workspaces[place])?;
    world.build(place, transition, steps);
    Ok(Answer::json(201, &builds::latest(&world.workspaces[place])))
}

fn shown(it: &Workspace) -> Value {
    let failing = it.step.agent().filter(|(_, _, wrong)| wrong.is_some()).map(|_| &it.agent_id);
    let failing: Vec<_> = failing.into_iter().collect();
    json!({
        "id": it.id, "created_at": moment(it.created), "updated_at": moment(it.updated),
        "owner_id": it.owner.id, "owner_name": it.owner.name, "owner_avatar_url": "",
        "organization_id": it.template.organization.id,
        "organization_name": it.template.organization.name, "template_id": it.template.id,
        "template_name": it.template.name, "template_display_name": it.template.display_name,
        "template_icon": "", "template_allow_user_cancel_workspace_jobs": true,
        "template_active_version_id": it.template.versions[0].id,
        "template_require_active_version": false, "template_use_classic_parameter_flow": true,
        "latest_build": builds::latest(it), "latest_app_status": app_status(it),
        "outdated": it.version.id != it.template.versions[0].id, "name": it.name,
        "last_used_at": moment(it.updated), "deleting_at": null, "dormant_at": null,
        "health": {"healthy": failing.is_empty(), "failing_agents": failing},
        "automatic_updates": "never", "allow_renames": false, "favorite": false,
        "next_start_at": null, "is_prebuild": false, "shared_with": [],
        "task_id": it.task.as_ref().map(|task| &task.id),
    })
}

fn app_status(it: &Workspace) -> Option<Value> {
    let (state, message) = it.step.said()?;
    Some(json!({
        "id": it.agent_id.replace("a9e7", "5a75"), "created_at": moment(it.said),
        "workspace_id": it.id, "agent_id": it.agent_id,
        "app_id": it.agent_id.replace("a9e7", "a442"),
        "state": if state == "failed" { "failure" } else { state }, "message": message, "uri": "",
        "icon": "", "needs_user_attention": false,
    }))
}
