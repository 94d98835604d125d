//! The plugin `coder` against a Coder that is not one: what it answers, what it asks, and what it refuses.

use std::env;

use expect_test::{Expect, expect, expect_file};
use serde_json::{Value, json};

use crate::support::{
    Host, Setup,
    coder::{BUSY, Coder, Mood, TOKEN},
    failure,
};

/// Whether the program was built with its plugins inside, as `cargo xtask test` builds it.
fn bundled() -> bool {
    let ended = Setup::new().ended(&["serve", "--plugins", "coder"]);
    let bundled = !ended.stderr.contains("no bundled plugin is called `coder`");
    assert!(bundled || env::var_os("WINDLASS_BUNDLE").is_none(), "it should be: {ended:?}");
    if !bundled {
        eprintln!("SKIPPED: the program has no plugin `coder` inside; `cargo xtask build` builds one that has");
    }
    bundled
}

/// A Coder of this mood, and a host that is told of it by nothing but the environment.
fn fleet(mood: Mood) -> (Coder, Host) {
    let coder = Coder::new(mood);
    let host = coder.setup().modern();
    (coder, host)
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
    if !bundled() {
        return;
    }
    assert!(!Setup::new().modern().tools().iter().any(|name| name == "list_all_agents"));
    let (_coder, mut host) = fleet(Mood::Recent);
    let listed = host.request("tools/list", json!({}))["result"]["tools"].clone();
    let shown = serde_json::to_string_pretty(&listed).unwrap();
    expect_file!["surface/coder.json"].assert_eq(&format!("{shown}\n"));
}

#[test]
fn agents_are_listed_by_status_and_user() {
    if !bundled() {
        return;
    }
    let (coder, mut host) = fleet(Mood::Recent);
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
    assert_eq!(coder.paths().last().unwrap(), "/api/v2/tasks?q=owner:me");
}

#[test]
fn an_agent_is_shown_as_the_predecessor_showed_it() {
    if !bundled() {
        return;
    }
    let (_coder, mut host) = fleet(Mood::Recent);
    check(&mut host, "get_agent_details_by_id", work(BUSY), &expect![[]]);
    check(&mut host, "get_agent_details_by_id", work("nobody"), &expect![[]]);
}

#[test]
fn a_fleet_is_measured() {
    if !bundled() {
        return;
    }
    let (_coder, mut host) = fleet(Mood::Recent);
    let mut fleet = host.call("get_fleet_status_metrics", json!({}))["structuredContent"].clone();
    let computed_at = fleet.as_object_mut().unwrap().remove("computed_at").unwrap();
    assert!(computed_at.as_str().unwrap().ends_with('Z'), "{computed_at}");
    expect![[]].assert_eq(&fleet.to_string());
}

#[test]
fn logs_say_what_was_told_and_said_and_when() {
    if !bundled() {
        return;
    }
    let (coder, mut host) = fleet(Mood::Recent);
    let tool = "get_agent_execution_logs";
    let newest = json!({"user": "ann", "agent_id": "fix-login", "limit": 1, "level": "info"});
    check(&mut host, tool, newest, &expect![[]]);
    assert_eq!(coder.paths(), ["/api/v2/tasks/ann/fix-login/logs"]);
    let all = host.call(tool, work(BUSY))["structuredContent"]["data"].clone();
    assert_eq!(all.as_array().unwrap().len(), 3);
    check(&mut host, tool, work("upgrade"), &expect![[]]);
    let none = json!({"user": "ann", "agent_id": BUSY, "limit": 0});
    check(&mut host, tool, none, &expect![[]]);
}

#[test]
fn a_coder_of_the_older_generation_is_asked_where_its_tasks_are() {
    if !bundled() {
        return;
    }
    let (coder, mut host) = fleet(Mood::Older);
    let tool = "list_all_agents";
    let agents = host.call(tool, json!({}))["structuredContent"]["result"].clone();
    let statuses: Vec<_> = agents.as_array().unwrap().iter().map(|it| &it["status"]).collect();
    assert_eq!(statuses, ["busy", "stopped", "error"]);
    assert_eq!(coder.paths(), ["/api/v2/tasks", "/api/experimental/tasks"]);
    let logs = host.call("get_agent_execution_logs", work(BUSY));
    assert_eq!(logs["structuredContent"]["data"][1]["message"], "I shall.");
    coder.turn(Mood::Without);
    check(&mut host, tool, json!({}), &expect![[]]);
}

#[test]
fn a_failure_of_coders_has_a_code_for_programs() {
    if !bundled() {
        return;
    }
    let (coder, mut host) = fleet(Mood::Failing(403));
    let tool = "get_agent_details_by_id";
    check(&mut host, tool, work(BUSY), &expect![[]]);
    coder.turn(Mood::Failing(429));
    check(&mut host, tool, work(BUSY), &expect![[]]);
    coder.turn(Mood::Failing(500));
    check(&mut host, tool, work(BUSY), &expect![[]]);
    coder.turn(Mood::Failing(200));
    check(&mut host, "list_all_agents", json!({}), &expect![[]]);
}

#[test]
fn what_passes_is_asked_again() {
    if !bundled() {
        return;
    }
    for status in [429, 503] {
        let (coder, mut host) = fleet(Mood::FailingOnce(status));
        let result = host.call("get_agent_details_by_id", work(BUSY));
        assert_eq!(result["structuredContent"]["success"], true, "{result}");
        assert_eq!(coder.requests().len(), 2);
    }
}

#[test]
fn a_coder_that_is_not_there_is_a_network_error_without_its_address() {
    if !bundled() {
        return;
    }
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let setup = Setup::new().environment("CODER_SESSION_TOKEN", TOKEN);
    let mut host = setup.environment("CODER_URL", &format!("http://{gone}")).modern();
    check(&mut host, "list_all_agents", json!({}), &expect![[]]);
    let said = host.said();
    assert!(said.contains(&gone.to_string()) && said.contains("Connection refused"), "{said}");
}

#[test]
fn the_token_reaches_coder_and_nobody_else() {
    if !bundled() {
        return;
    }
    let coder = Coder::new(Mood::Recent);
    let mut host = coder.setup().environment("WINDLASS_LOG", "trace").modern();
    let mut heard = String::new();
    for tool in host.tools() {
        let arguments = if tool.starts_with("get_agent") { work(BUSY) } else { json!({}) };
        heard += &host.call(&tool, arguments).to_string();
    }
    assert_eq!(coder.requests().len(), 4);
    assert!(coder.requests().iter().all(|it| it.contains(TOKEN)), "{:?}", coder.requests());
    let said = host.said();
    assert!(said.contains("TRACE") || said.contains("DEBUG"), "{said}");
    assert!(!said.contains(TOKEN) && !heard.contains(TOKEN));
}

#[test]
fn a_wrong_token_is_refused_and_a_missing_one_named() {
    if !bundled() {
        return;
    }
    let coder = Coder::new(Mood::Recent);
    let named = || Setup::new().environment("CODER_URL", &coder.origin());
    let mut host = named().environment("CODER_SESSION_TOKEN", "stale").modern();
    check(&mut host, "list_all_agents", json!({}), &expect![[]]);
    let mut host = named().modern();
    assert_eq!(host.tools(), Vec::<String>::new());
    let said = host.said();
    let why = "plugins.coder.secrets.session-token: the environment variable `CODER_SESSION_TOKEN` is not set";
    assert!(said.contains(why), "{said}");
}

#[test]
fn a_name_that_would_lead_elsewhere_is_refused_without_a_request() {
    if !bundled() {
        return;
    }
    let (coder, mut host) = fleet(Mood::Recent);
    let names = ["../../users/me/keys?x=", "..", "a/b", "a\\b", "a?b", "a#b", "%2e%2e", ""];
    for tool in ["get_agent_details_by_id", "get_agent_execution_logs"] {
        for name in names {
            for (field, arguments) in [
                ("user", json!({"user": name, "agent_id": BUSY})),
                ("agent_id", json!({"user": "me", "agent_id": name})),
            ] {
                let result = host.call(tool, arguments);
                assert!(failure(&result).starts_with("INVALID: "), "{result}");
                let details = json!({"error_code": "VALIDATION_ERROR", "field": field});
                assert_eq!(result["structuredContent"]["details"], details);
            }
        }
    }
    assert_eq!(coder.paths(), Vec::<String>::new());
}

#[test]
fn a_url_may_stand_as_people_write_it() {
    if !bundled() {
        return;
    }
    let coder = Coder::new(Mood::Recent);
    for tail in ["/", "//"] {
        let url = format!("{}{tail}", coder.origin());
        let setup = Setup::new().environment("CODER_URL", &url);
        let mut host = setup.environment("CODER_SESSION_TOKEN", TOKEN).modern();
        let result = host.call("list_all_agents", json!({}));
        assert!(result["structuredContent"]["result"].is_array(), "{url}: {result}");
    }
}

#[test]
fn the_operators_word_counts_before_the_default() {
    if !bundled() {
        return;
    }
    let coder = Coder::new(Mood::Recent);
    let host = coder.setup().config("[plugins.coder]\ngrants = {}\n").modern();
    let said = host.said();
    assert!(said.contains("`http` (needs `plugins.coder.grants.http`)"), "{said}");

    let origin = coder.origin();
    let elsewhere = "[plugins.coder.grants]\nhttp = ['https://other.example']\n";
    let mut host = coder.setup().config(elsewhere).modern();
    check(&mut host, "list_all_agents", json!({}), &expect![[]]);
    let said = host.said();
    assert!(said.contains(&format!("`plugins.coder.grants.http` has no `{origin}`")), "{said}");

    let own = format!(
        "[plugins.coder]\nconfig.url = '{origin}'\nsecrets.session-token = '${{MINE}}'\n\
         grants.http = [{{ to = '{origin}', private = true, secrets = ['session-token'] }}]\n"
    );
    let mut host = Setup::new().environment("MINE", TOKEN).config(&own).modern();
    assert_eq!(host.tools().len(), 4);
    assert!(host.call("list_all_agents", json!({}))["structuredContent"]["result"].is_array());
}
