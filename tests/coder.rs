//! The plugin `coder` against a Coder that is not one: what it answers, what it asks, and what it refuses.

mod asking;
mod drive;
mod fake;
mod making;
mod prism;
mod running;
mod scale;
mod tools;
mod turning;

use expect_test::{Expect, expect, expect_file};
use serde_json::{Value, json};

use crate::support::{
    Host, Setup,
    coder::{ALWAYS, BUSY, Coder, Fault, Generation, Request, TOKEN},
    failure,
    inside::inside,
};

/// No other plugin that the program has inside.
const ALONE: &[&str] = &["--plugins", "coder"];

/// A Coder of this generation. None: the program was not built with its plugins inside, as `cargo xtask test` builds it.
fn coder(generation: Generation) -> Option<Coder> {
    inside("coder").map(|()| Coder::new(generation))
}

/// The same, and a host that is told of it by nothing but the environment.
fn fleet(generation: Generation) -> Option<(Coder, Host)> {
    let coder = coder(generation)?;
    let host = coder.setup().modern();
    Some((coder, host))
}

/// Calls a tool and compares its result, or its failure with what programs read of it.
#[track_caller]
fn check(host: &mut Host, tool: &str, arguments: Value, expected: &Expect) {
    let result = host.call(tool, arguments);
    let shown = if result["isError"] == true {
        format!("{}\n{}", failure(&result), result["structuredContent"]["details"])
    } else {
        serde_json::to_string_pretty(&result["structuredContent"]).unwrap()
    };
    expected.assert_eq(&shown);
}

fn work(agent: &str) -> Value {
    json!({"user": "ann", "agent_id": agent})
}

#[test]
fn it_is_there_where_a_coder_is_named() {
    let offers = |mut host: Host| host.tools().iter().any(|name| name == "list_all_agents");
    let Some(coder) = coder(Generation::Tasks) else { return };
    assert!(offers(coder.setup().modern()));
    assert!(!offers(Setup::new().modern()));
    assert!(!offers(Setup::new().bundled().environment("CODER_URL", "").modern()));
}

#[test]
fn its_tools_are_those_of_the_surface_file() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    let mut host = coder.setup().arguments(ALONE).modern();
    let listed = host.request("tools/list", json!({}))["result"]["tools"].clone();
    let shown = serde_json::to_string_pretty(&listed).unwrap();
    expect_file!["surface/coder.json"].assert_eq(&format!("{shown}\n"));
}

#[test]
fn agents_are_listed_by_status_and_user() {
    let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
    let mut names = |arguments: Value| {
        let result = host.call("list_all_agents", arguments)["structuredContent"]["result"].clone();
        let name = |agent: &Value| agent["workspace_name"].as_str().unwrap().to_owned();
        result.as_array().unwrap().iter().map(name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(json!({})), "fix-login upgrade docs");
    assert_eq!(names(json!({"status": "BUSY"})), "fix-login");
    assert_eq!(names(json!({"status": "stopped", "user": "ann"})), "upgrade");
    assert_eq!(names(json!({"status": "no such status"})), "");
    assert_eq!(names(json!({"user": "Bob"})), "docs");
    assert_eq!(names(json!({"user": "me"})), "fix-login upgrade");
    assert!(coder.paths().iter().any(|path| path == "/api/v2/tasks?q=owner%3Ame"));
}

#[test]
fn an_agent_is_shown_as_the_predecessor_showed_it() {
    let Some((_coder, mut host)) = fleet(Generation::Tasks) else { return };
    check(
        &mut host,
        "get_agent_details_by_id",
        work(BUSY),
        &expect![[r#"
            {
              "data": {
                "capabilities": [],
                "connected": true,
                "created_at": "2026-05-01T08:00:00Z",
                "current_assignment": "Do what fix-login says",
                "id": "6f1a3c58-7a14-4a67-9a55-2f3f6c1d0b01",
                "last_activity_at": "2026-05-01T09:30:00Z",
                "metadata": {
                  "display_name": "Task fix-login",
                  "kind": "task",
                  "lifecycle": "ready",
                  "message": "Reading code",
                  "name": "fix-login",
                  "state": "working",
                  "task_status": "active",
                  "template_name": "tasks-docker",
                  "workspace_status": "running"
                },
                "status": "busy",
                "updated_at": "2026-05-01T09:00:00Z",
                "user": "ann",
                "workspace_id": "9a0b1c2d-0000-4000-8000-000000000002",
                "workspace_name": "fix-login"
              },
              "success": true
            }"#]],
    );
    check(
        &mut host,
        "get_agent_details_by_id",
        work("nobody"),
        &expect![[r#"
            AGENT_NOT_FOUND: there is no such agent of this user, or the token may not see it: `list_all_agents` names those there are
            {"error_code":"AGENT_NOT_FOUND","status_code":404}"#]],
    );
}

#[test]
fn a_fleet_is_measured() {
    let Some((_coder, mut host)) = fleet(Generation::Tasks) else { return };
    let mut fleet = host.call("get_fleet_status_metrics", json!({}))["structuredContent"].clone();
    let computed_at = fleet.as_object_mut().unwrap().remove("computed_at").unwrap();
    assert!(computed_at.as_str().unwrap().ends_with('Z'), "{computed_at}");
    expect![[r#"{"agents_busy":1,"agents_error":1,"agents_idle":0,"agents_offline":0,"agents_running":0,"agents_stopped":1,"fleet_utilization":0.3333333333333333,"healthy_percentage":0.6666666666666666,"total_active_tasks":1,"total_agents":3,"unhealthy_agents":1}"#]].assert_eq(&fleet.to_string());
}

#[test]
fn logs_say_what_was_told_and_said_and_when() {
    let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
    let tool = "get_agent_execution_logs";
    let newest = json!({"user": "ann", "agent_id": "fix-login", "limit": 1, "level": "info"});
    check(
        &mut host,
        tool,
        newest,
        &expect![[r#"
            {
              "data": [
                {
                  "agent_id": "fix-login",
                  "level": "info",
                  "message": "Reading code",
                  "metadata": {
                    "id": 2,
                    "type": "output"
                  },
                  "task_id": "fix-login",
                  "timestamp": "2026-05-01T09:30:00Z"
                }
              ],
              "next_before": 2,
              "success": true
            }"#]],
    );
    assert_eq!(coder.paths().last().unwrap(), "/api/v2/tasks/ann/fix-login/logs");
    let all = host.call(tool, work(BUSY))["structuredContent"]["data"].clone();
    assert_eq!(all.as_array().unwrap().len(), 3);
    coder.fault("GET", "/api/v2/tasks/ann/upgrade/logs", 1, Fault::Status(409, None));
    check(
        &mut host,
        tool,
        work("upgrade"),
        &expect![[r#"
            CODER_API_ERROR: Coder cannot do it at the moment: The resource was changed meanwhile.
            {"error_code":"CODER_API_ERROR","status_code":409}"#]],
    );
    let none = json!({"user": "ann", "agent_id": BUSY, "limit": 0});
    check(
        &mut host,
        tool,
        none,
        &expect![[r#"
        INVALID: the arguments of `get_agent_execution_logs` do not fit: `limit`: 0 is less than the minimum of 1
        null"#]],
    );
}

#[test]
fn a_coder_of_the_older_generation_is_asked_where_its_tasks_are() {
    let Some((coder, mut host)) = fleet(Generation::Older) else { return };
    let tool = "list_all_agents";
    let agents = host.call(tool, json!({}))["structuredContent"]["result"].clone();
    let statuses: Vec<_> = agents.as_array().unwrap().iter().map(|it| &it["status"]).collect();
    assert_eq!(statuses, ["busy", "stopped", "error"]);
    assert_eq!(coder.paths().last().unwrap(), "/api/experimental/tasks");
    let logs = host.call("get_agent_execution_logs", work(BUSY));
    assert_eq!(logs["structuredContent"]["data"][1]["message"], "I shall.");
}

#[test]
fn a_failure_of_coders_has_a_code_for_programs() {
    let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
    coder.fault("", "", ALWAYS, Fault::Status(403, None));
    let tool = "get_agent_details_by_id";
    check(
        &mut host,
        tool,
        work(BUSY),
        &expect![[r#"
            AUTHENTICATION_FAILED: Coder forbids it to the owner of the session token: Forbidden.
            {"error_code":"AUTHENTICATION_FAILED","status_code":403}"#]],
    );
    coder.heal();
    coder.fault("", "", ALWAYS, Fault::Status(429, None));
    check(
        &mut host,
        tool,
        work(BUSY),
        &expect![[r#"
            CODER_API_ERROR: Coder was asked too often, try again later: You've been rate limited for sending more than 512 requests in 1m0s.
            {"error_code":"CODER_API_ERROR","status_code":429}"#]],
    );
    coder.heal();
    coder.fault("", "", ALWAYS, Fault::Status(500, None));
    check(
        &mut host,
        tool,
        work(BUSY),
        &expect![[r#"
            CODER_API_ERROR: Coder failed with status 500: An internal server error occurred.
            {"error_code":"CODER_API_ERROR","status_code":500}"#]],
    );
    coder.heal();
    coder.fault("", "", ALWAYS, Fault::Garbage);
    check(
        &mut host,
        "list_all_agents",
        json!({}),
        &expect![[r#"
            CODER_API_ERROR: what answers is no Coder that is known here: is `url` in its configuration right?
            {"error_code":"CODER_API_ERROR"}"#]],
    );
}

#[test]
fn what_passes_is_asked_again() {
    for status in [429, 503] {
        let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
        coder.fault("", "/api/v2/tasks/", 1, Fault::Status(status, None));
        let result = host.call("get_agent_details_by_id", work(BUSY));
        assert_eq!(result["structuredContent"]["success"], true, "{result}");
        assert_eq!(coder.count("GET", "/api/v2/tasks/"), 2);
    }
}

#[test]
fn a_coder_that_is_not_there_is_a_network_error_without_its_address() {
    if coder(Generation::Tasks).is_none() {
        return;
    }
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let setup = Setup::new().bundled().environment("CODER_SESSION_TOKEN", TOKEN);
    let mut host = setup.environment("CODER_URL", &format!("http://{gone}")).modern();
    check(
        &mut host,
        "list_all_agents",
        json!({}),
        &expect![[r#"
            NETWORK_ERROR: Coder cannot be reached: the log says why
            {"error_code":"NETWORK_ERROR","exception":"unavailable"}"#]],
    );
    let said = host.said();
    assert!(said.contains(&gone.to_string()) && said.contains("Connection refused"), "{said}");
}

#[test]
fn the_token_reaches_coder_and_nobody_else() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    let filter = "trace,reqwest::connect=trace,hyper::proto=trace";
    let mut host = coder.setup().arguments(ALONE).environment("WINDLASS_LOG", filter).modern();
    let mut heard = String::new();
    for tool in host.tools() {
        let arguments = match tool.as_str() {
            "send_input_to_agent" => {
                json!({"user": "ann", "agent_id": BUSY, "input_text": "go on"})
            }
            "delete_agent_workspace" => json!({"workspace_id": BUSY}),
            "create_new_agent_task" | "run_agent_task" => {
                json!({"user": "me", "prompt": "do it", "workspace_name": "taken", "template_name": "none"})
            }
            tool if tool.contains("_agent") && !tool.starts_with("list") => work(BUSY),
            _ => json!({}),
        };
        heard += &host.call(&tool, arguments).to_string();
    }
    coder.fault("", "", ALWAYS, Fault::Garbage);
    heard += &host.call("list_all_agents", json!({})).to_string();
    let told = |it: &Request| it.header("coder-session-token") == Some(TOKEN);
    assert!(coder.requests().iter().all(told), "{:?}", coder.requests());
    let said = host.said();
    assert!(said.contains("cannot be read"), "nothing is logged: {said}");
    assert!(!said.contains(TOKEN) && !heard.contains(TOKEN));
}

#[test]
fn a_wrong_token_is_refused_and_a_missing_one_named() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    let named = || Setup::new().bundled().environment("CODER_URL", &coder.origin());
    let mut host = named().environment("CODER_SESSION_TOKEN", "stale").modern();
    check(
        &mut host,
        "list_all_agents",
        json!({}),
        &expect![[r#"
            AUTHENTICATION_FAILED: Coder does not take the session token: You are signed out or your session has expired. Please sign in again to continue.
            {"error_code":"AUTHENTICATION_FAILED","status_code":401}"#]],
    );
    let said = named().modern().said();
    let why = "plugins.coder.secrets.session-token: the environment variable `CODER_SESSION_TOKEN` is not set";
    assert!(said.contains(why), "{said}");
}

#[test]
fn a_name_that_would_lead_elsewhere_is_refused_without_a_request() {
    let Some((coder, mut host)) = fleet(Generation::Tasks) else { return };
    let names = ["../../users/me/keys?x=", "..", "a/b", "a\\b", "a?b", "a#b", "%2e%2e", ""];
    for tool in ["get_agent_details_by_id", "get_agent_execution_logs"] {
        for name in names {
            for (field, arguments) in [
                ("user", json!({"user": name, "agent_id": BUSY})),
                ("agent_id", json!({"user": "me", "agent_id": name})),
            ] {
                let result = host.call(tool, arguments);
                assert!(failure(&result).starts_with("VALIDATION_ERROR: "), "{result}");
                let details = json!({"error_code": "VALIDATION_ERROR", "field": field});
                assert_eq!(result["structuredContent"]["details"], details);
            }
        }
    }
    assert_eq!(coder.paths(), Vec::<String>::new());
}

#[test]
fn a_url_may_stand_as_people_write_it() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    for tail in ["/", "//"] {
        let url = format!("{}{tail}", coder.origin());
        let setup = Setup::new().bundled().environment("CODER_URL", &url);
        let mut host = setup.environment("CODER_SESSION_TOKEN", TOKEN).modern();
        let result = host.call("list_all_agents", json!({}));
        assert!(result["structuredContent"]["result"].is_array(), "{url}: {result}");
    }
}

#[test]
fn the_operators_word_counts_before_the_default() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    let host = coder.setup().config("[plugins.coder]\ngrants = {}\n").modern();
    let said = host.said();
    assert!(said.contains("`http` (needs `plugins.coder.grants.http"), "{said}");

    let origin = coder.origin();
    let elsewhere = "[plugins.coder.grants]\njobs = true\nhttp = ['https://other.example']\n";
    let mut host = coder.setup().config(elsewhere).modern();
    check(
        &mut host,
        "list_all_agents",
        json!({}),
        &expect![[r#"
            NETWORK_ERROR: the plugin's `grants.http` does not let it ask Coder: the log says which line would
            {"error_code":"NETWORK_ERROR","exception":"denied"}"#]],
    );
    let said = host.said();
    assert!(said.contains(&format!("`plugins.coder.grants.http` has no `{origin}`")), "{said}");

    let own = format!(
        "[plugins.coder]\nconfig.url = '{origin}'\nsecrets.session-token = '${{MINE}}'\n\
         grants.jobs = true\n\
         grants.http = [{{ to = '{origin}', private = true, secrets = ['session-token'] }}]\n"
    );
    let mut host = Setup::new().bundled().environment("MINE", TOKEN).config(&own).modern();
    assert!(host.call("list_all_agents", json!({}))["structuredContent"]["result"].is_array());
}
