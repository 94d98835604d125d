//! The fake itself: what other tests rely on.

use std::time::Duration;

use serde_json::{Value, json};

use super::drive::{self, Asker, ORGANIZATION, VERSION};
use crate::support::{
    client::Client,
    coder::{ALWAYS, BUSY, Coder, Fault, Generation, TOKEN},
};

#[test]
fn the_fake_leads_all_that_it_has_through_its_life() {
    let coder = Coder::new(Generation::Tasks);
    drive::everything(&coder, &mut Asker::of(&coder.origin()));
    assert_eq!(coder.connections(), 1);
}

#[test]
fn each_generation_of_the_fake_has_its_own() {
    let all = [
        (Generation::Older, [404, 200, 404, 404]),
        (Generation::Tasks, [200, 200, 404, 200]),
        (Generation::Chats, [404, 404, 200, 404]),
        (Generation::Floor, [404, 404, 404, 404]),
    ];
    let coder = Coder::new(Generation::Older);
    let mut asker = Asker::of(&coder.origin());
    for (generation, expected) in all {
        coder.turn(generation);
        let paths = ["v2/tasks", "experimental/tasks", "v2/chats", "experimental/chats"];
        for (path, status) in paths.into_iter().zip(expected) {
            asker.ask(status, "GET", &format!("/api/{path}"), &Value::Null);
        }
        assert_eq!(asker.get("/api/v2/workspaces")["count"], 3);
    }
    coder.turn(Generation::Older);
    assert_eq!(asker.get(&format!("/api/experimental/tasks/ann/{BUSY}"))["status"], "running");
    asker.refused(400, "GET", "/api/experimental/tasks/ann/fix-login", &Value::Null);
    let create = json!({"template_version_id": VERSION, "prompt": "Mend it"});
    asker.ask(201, "POST", "/api/experimental/tasks/me", &create);
    coder.turn(Generation::Chats);
    let create =
        json!({"organization_id": ORGANIZATION, "content": [{"type": "text", "text": "Mend it"}]});
    asker.ask(201, "POST", "/api/v2/chats", &create);
}

#[test]
fn the_fake_fails_as_it_is_told() {
    let coder = Coder::new(Generation::Tasks);
    let ask = |method: &str, body: &Value| {
        let path = if method == "POST" { "/api/v2/tasks/me" } else { "/api/v2/tasks" };
        Client::of(&coder.origin()).ask(method, path, &[("Coder-Session-Token", TOKEN)], body)
    };
    let get = || ask("GET", &Value::Null);
    coder.fault("GET", "/api/v2/tasks", 2, Fault::Status(429, Some("3")));
    let limited = get().unwrap();
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("3")));
    assert_eq!((get().unwrap().status, get().unwrap().status), (429, 200));
    coder.fault("", "", 1, Fault::Garbage);
    assert_eq!(get().unwrap().header("content-type"), Some("text/html"));
    coder.fault("", "", 1, Fault::Redirect("http://127.0.0.1:9/".to_owned()));
    assert_eq!(get().unwrap().header("location"), Some("http://127.0.0.1:9/"));
    coder.fault("", "", 1, Fault::Cut);
    assert!(get().is_none());
    coder.fault("", "", 1, Fault::Delay(Duration::from_millis(1)));
    assert_eq!(get().unwrap().status, 200);
    coder.fault("POST", "", ALWAYS, Fault::CloseBeforeAnswer);
    assert!(ask("POST", &json!({"template_version_id": VERSION, "input": "Mend it"})).is_none());
    coder.heal();
    assert_eq!(get().unwrap().json()["count"], 4, "it was done, though nobody was told");
    coder.forget();
    coder.fault("", "", 1, Fault::Hang);
    let hanging = std::thread::scope(|scope| {
        let asking = scope.spawn(get);
        crate::support::until("it hangs", || coder.count("GET", "/api/v2/tasks") == 1);
        assert!(!asking.is_finished());
        coder.end_connections();
        asking.join().unwrap()
    });
    assert!(hanging.is_none());
    coder.take_token("another");
    assert_eq!(get().unwrap().status, 401);
}

#[test]
fn the_fake_has_thousands_of_tasks_and_a_million_lines() {
    let coder = Coder::new(Generation::Tasks);
    coder.fleet(5_000);
    let mut asker = Asker::of(&coder.origin());
    assert_eq!(asker.get("/api/v2/tasks")["tasks"].as_array().unwrap().len(), 5_000);
    assert_eq!(asker.get("/api/v2/tasks?q=owner:bob%20status:%22error%22")["count"], 250);
    let page = asker.get("/api/v2/workspaces?q=name:agent-49&limit=100&offset=100");
    assert_eq!((&page["count"], page["workspaces"].as_array().unwrap().len()), (&111.into(), 11));
    coder.turn(Generation::Chats);
    coder.fleet(300);
    assert_eq!(asker.get("/api/v2/chats?limit=200&offset=200").as_array().unwrap().len(), 100);
    coder.turn(Generation::Tasks);
    coder.fleet(10);
    let task = asker.get("/api/v2/tasks/me/agent-0");
    coder.many_logs(task["id"].as_str().unwrap(), 1_000_000);
    let path = "/api/v2/tasks/me/agent-0/logs";
    let headers = [("Coder-Session-Token", TOKEN)];
    let mut client = Client::of(&coder.origin());
    let logs = client.ask("GET", path, &headers, &Value::Null).unwrap().body;
    assert_eq!(logs.iter().filter(|&&it| it == b'{').count(), 1_000_001);
    let agent = task["workspace_agent_id"].as_str().unwrap();
    coder.many_logs(agent, 1_000_000);
    let path = format!("/api/v2/workspaceagents/{agent}/logs?after=999990");
    assert_eq!(asker.get(&path)[9]["level"], "error");
}
