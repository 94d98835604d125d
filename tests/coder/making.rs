//! `create_new_agent_task` and `list_templates`: what cannot start is refused before anything is made.

use serde_json::{Value, json};

use super::{coder, fleet};
use crate::support::{
    Host,
    coder::{Coder, Fault, Generation},
    failure,
};

fn order(more: Value) -> Value {
    let mut order = json!({
        "user": "me", "prompt": " Mend the login ", "workspace_name": "mend", "template_name": "tasks-docker",
    });
    for (name, value) in more.as_object().unwrap() {
        order[name] = value.clone();
    }
    order
}

/// The body of the only thing that was made.
#[track_caller]
fn made(coder: &Coder, host: &mut Host, more: Value) -> (String, Value) {
    coder.forget();
    let result = host.call("create_new_agent_task", order(more));
    assert_eq!(result["structuredContent"]["success"], true, "{result}");
    let posted: Vec<_> = coder.requests().into_iter().filter(|it| it.method == "POST").collect();
    assert_eq!(posted.len(), 1, "{posted:?}");
    (posted[0].path.clone(), posted[0].body.clone())
}

/// Which argument it is refused for, and why. Nothing was made.
#[track_caller]
fn refused(coder: &Coder, host: &mut Host, more: Value) -> (String, String) {
    coder.forget();
    let result = host.call("create_new_agent_task", order(more));
    assert_eq!(result["isError"], true, "{result}");
    assert_eq!(coder.count("POST", ""), 0, "{result}");
    let field = result["structuredContent"]["details"]["field"].as_str().unwrap_or_default();
    (field.to_owned(), failure(&result))
}

#[test]
fn a_task_is_made_from_the_template_of_that_name_or_id() {
    let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
    let version = "7e3be510-0000-4000-8000-000000000001";
    let (path, body) = made(&coder, &mut host, json!({}));
    let expected = json!({
        "template_version_id": version, "input": "Mend the login", "name": "mend",
        "template_version_preset_id": "94e5e710-0000-4000-8000-000000000001",
    });
    assert_eq!((path.as_str(), body), ("/api/v2/tasks/me", expected));
    let names = ["Tasks on Docker", "7e3b1a10-0000-4000-8000-000000000001"];
    for (number, name) in names.into_iter().enumerate() {
        let more = json!({"template_name": name, "workspace_name": format!("mend-{number}"), "preset": "Large"});
        let (_, body) = made(&coder, &mut host, more);
        assert_eq!(body["template_version_id"], version);
        assert_eq!(body["template_version_preset_id"], "94e5e710-0000-4000-8000-000000000002");
    }
    // Tasks take no parameters: the preset is chosen that has these.
    let more = json!({"workspace_name": "mend-3", "rich_parameters": {"cpus": 8}});
    let (_, body) = made(&coder, &mut host, more);
    assert_eq!(body["template_version_preset_id"], "94e5e710-0000-4000-8000-000000000002");
    let more = json!({"user": "bob", "workspace_name": "mend-4"});
    assert_eq!(made(&coder, &mut host, more).0, "/api/v2/tasks/bob");
}

#[test]
fn what_cannot_start_is_refused_before_anything_is_made() {
    let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
    let cases = [
        (json!({"prompt": " "}), "prompt", "say what is to be done"),
        (json!({"workspace_name": ""}), "workspace_name", "no name for a workspace"),
        (json!({"workspace_name": "../x"}), "workspace_name", "no name for a workspace"),
        (
            json!({"workspace_name": "fix-login"}),
            "workspace_name",
            "there is a workspace `fix-login`",
        ),
        (json!({"user": "../../users/me/keys?x="}), "user", "neither an id nor a name"),
        (
            json!({"template_name": "nothing"}),
            "template_name",
            "there are tasks-docker, tasks-regional",
        ),
        (json!({"template_name": null}), "template_name", "say which template"),
        (json!({"template_name": "plain"}), "template_name", "give the id of one"),
        (json!({"template_name": "retired"}), "template_name", "deprecated: Use tasks-docker."),
        (json!({"template_name": "broken"}), "template_name", "cannot be used"),
        (
            json!({"template_name": "tasks-regional"}),
            "rich_parameters",
            "needs a value for its parameter `region`",
        ),
        (json!({"preset": "Huge"}), "preset", "there are Small, Large"),
        (json!({"rich_parameters": {"disks": 1}}), "rich_parameters", "there are cpus, dotfiles"),
        (json!({"rich_parameters": {"cpus": "many"}}), "rich_parameters", "is a number"),
        (json!({"preset": "", "rich_parameters": {"cpus": 3}}), "preset", "no preset ``"),
        (
            json!({"preset": "Small", "rich_parameters": {"cpus": 8}}),
            "rich_parameters",
            "the preset says `1`",
        ),
        (
            json!({"rich_parameters": {"dotfiles": "mine"}}),
            "rich_parameters",
            "take presets and no parameters",
        ),
    ];
    for (more, field, why) in cases {
        let (named, told) = refused(&coder, &mut host, more.clone());
        assert!(named == field && told.contains(why), "{more}: {named}: {told}");
    }
    let region = json!({"template_name": "tasks-regional", "rich_parameters": {"region": "moon"}});
    assert!(refused(&coder, &mut host, region).1.contains("is one of eu, us"));
}

#[test]
fn what_coder_itself_refuses_is_told_in_its_words() {
    let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
    let said = "Template does not have a valid \"coder_ai_task\" resource.";
    coder.fault("POST", "/api/v2/tasks/", 1, Fault::Answer(400, json!({"message": said})));
    let told = failure(&host.call("create_new_agent_task", order(json!({}))));
    assert_eq!(told, format!("VALIDATION_ERROR: Coder does not take it: {said}"));
}

#[test]
fn a_deployment_that_was_upgraded_since_is_asked_in_its_new_way() {
    let Some((coder, mut host)) = fleet(Generation::Older) else { return };
    host.call("list_all_agents", json!({}));
    coder.turn(Generation::Chats);
    let made = host.call("create_new_agent_task", order(json!({})));
    assert_eq!(made["structuredContent"]["data"]["metadata"]["kind"], "chat", "{made}");
}

#[test]
fn the_first_generation_is_told_in_its_own_words() {
    let Some((coder, mut host)) = fleet(Generation::Older) else { return };
    let (path, body) = made(&coder, &mut host, json!({}));
    assert_eq!(
        (path.as_str(), &body["prompt"]),
        ("/api/experimental/tasks/me", &json!("Mend the login"))
    );
}

#[test]
fn where_there_are_chats_a_chat_is_begun() {
    let Some((coder, mut host)) = fleet(Generation::Chats) else { return };
    // In the workspace of that name.
    let (path, body) =
        made(&coder, &mut host, json!({"workspace_name": "fix-login", "template_name": null}));
    assert_eq!(
        (path.as_str(), &body["workspace_id"]),
        ("/api/v2/chats", &json!("9a0b1c2d-0000-4000-8000-000000000002"))
    );
    assert_eq!(body["content"], json!([{"type": "text", "text": "Mend the login"}]));
    // Without one.
    let (_, body) = made(&coder, &mut host, json!({"user": "ann", "template_name": null}));
    assert!(body["workspace_id"].is_null() && body["organization_id"].is_string(), "{body}");
    // In one that is made for it.
    coder.forget();
    let result = host.call("create_new_agent_task", order(json!({})));
    assert_eq!(result["structuredContent"]["success"], true, "{result}");
    assert_eq!(
        (coder.count("POST", "/api/v2/users/me/workspaces"), coder.count("POST", "/api/v2/chats")),
        (1, 1)
    );
    let (field, told) = refused(&coder, &mut host, json!({"user": "bob"}));
    assert!(field == "user" && told.contains("`me` or `ann`"), "{told}");
}

#[test]
fn a_plain_workspace_is_told_by_its_parameter() {
    let Some((coder, mut host)) = fleet(Generation::Floor) else { return };
    let more = json!({"template_name": "prompted", "rich_parameters": {"cpus": "4"}});
    let (path, body) = made(&coder, &mut host, more);
    assert_eq!(path, "/api/v2/users/me/workspaces");
    let values =
        json!([{"name": "AI Prompt", "value": "Mend the login"}, {"name": "cpus", "value": "4"}]);
    assert_eq!(body["rich_parameter_values"], values);
    let (field, told) = refused(&coder, &mut host, json!({}));
    assert!(
        field == "template_name" && told.contains("nobody there would read the prompt"),
        "{told}"
    );
}

#[test]
fn templates_are_listed_and_one_is_shown_with_all_that_can_be_set() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    let mut host = coder.setup().modern();
    let listed = host.call("list_templates", json!({}))["structuredContent"]["data"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 7);
    assert!(listed[0].get("parameters").is_none(), "{listed}");
    let one = host.call("list_templates", json!({"template_name": "tasks-regional"}));
    let one = &one["structuredContent"]["data"][0];
    assert_eq!(
        (&one["parameters"][0]["name"], &one["presets"][0]["name"]),
        (&json!("region"), &json!("Europe"))
    );
    let told = failure(&host.call("list_templates", json!({"template_name": "nothing"})));
    assert!(told.starts_with("VALIDATION_ERROR: there is no template `nothing`"), "{told}");
}
