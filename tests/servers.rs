//! What the tests put around the host, tried by others: a git server by git, a language model by its API.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    githttp::{GitServer, Mood, git, run},
    llm::{Llm, MODEL},
    served::THIS_MACHINE,
};

/// More than git sends at once: it comes in chunks.
const LARGE: usize = 3 << 20;

/// Clones without a proxy, with or without a name and password in the URL; says whether it could.
fn clones(url: &str, into: &TempDir, folder: &str) -> bool {
    let target = into.path().join(folder);
    let mut clone = git();
    clone.args(["-c", "http.proxy=", "clone", "--quiet", url]).arg(target);
    clone.output().unwrap().status.success()
}

#[test]
fn a_git_server_gives_and_takes() {
    let (server, work) = (GitServer::open(), TempDir::new().unwrap());
    let bare = server.repository("one", &[("a.txt", "a\n"), ("deep/b.txt", "b\n")]);
    assert!(clones(&server.local_url("one"), &work, "one"));
    let one = work.path().join("one");
    assert_eq!(fs::read_to_string(one.join("deep/b.txt")).unwrap(), "b\n");
    // Bytes that do not compress.
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    });
    fs::write(one.join("large"), noise.take(LARGE).collect::<Vec<_>>()).unwrap();
    run(&one, &["add", "large"]);
    run(&one, &["commit", "--quiet", "--message", "second"]);
    run(&one, &["push", "--quiet", "origin", "HEAD:main", "HEAD:refs/heads/other"]);
    let head = run(&one, &["rev-parse", "HEAD"]);
    assert_eq!(run(&bare, &["rev-parse", "main"]), head);
    assert_eq!(run(&bare, &["rev-parse", "other"]), head);
    assert!(!clones(&server.local_url("nothing"), &work, "nothing"));
    assert_eq!(server.requests()[0], "GET /one.git/info/refs?service=git-upload-pack");
    assert!(server.place().starts_with(THIS_MACHINE) && server.url("one").ends_with("/one.git"));
}

#[test]
fn a_locked_git_server_wants_the_password_and_keeps_what_it_was_shown() {
    let (server, work) = (GitServer::locked("ann", "secret"), TempDir::new().unwrap());
    server.repository("one", &[("a.txt", "a\n")]);
    let url = server.local_url("one");
    assert!(!clones(&url, &work, "without"));
    assert!(!clones(&url.replace("http://", "http://ann:wrong@"), &work, "wrong"));
    assert!(clones(&url.replace("http://", "http://ann:secret@"), &work, "right"));
    let shown = server.authorizations();
    assert!(shown.contains(&None) && shown.contains(&Some("Basic YW5uOnNlY3JldA==".to_owned())));
    let other = GitServer::leading_to(&server);
    assert!(!clones(&other.local_url("one"), &work, "elsewhere"));
    assert_eq!(other.requests().len(), 1);
    server.turn(Mood::Failing(500));
    assert!(!clones(&url, &work, "failing"));
}

/// Asks a language model as an agent does.
fn ask(llm: &Llm, messages: Value, tools: &[&str], stream: bool) -> String {
    let tool = |name: &&str| json!({"type": "function", "function": {"name": name}});
    let tools: Vec<_> = tools.iter().map(tool).collect();
    let body = json!({"model": MODEL, "messages": messages, "tools": tools, "stream": stream});
    let origin = format!("127.0.0.1:{}", llm.port());
    crate::support::http::post(&origin, "/v1/chat/completions", &body.to_string()).body
}

/// What it says, or the tool that it calls and with what.
fn told(body: &str) -> String {
    let answer: Value = serde_json::from_str(body).unwrap();
    let message = &answer["choices"][0]["message"];
    let call = &message["tool_calls"][0]["function"];
    match message["content"].as_str() {
        Some(text) => text.to_owned(),
        None => format!("{}{}", call["name"].as_str().unwrap(), call["arguments"]),
    }
}

#[test]
fn a_language_model_does_as_it_is_told_and_finishes() {
    let llm = Llm::start();
    let user = |text: &str| json!({"role": "user", "content": [{"type": "text", "text": text}]});
    let task = user("TOOL:run:{\"a\": \"}\"} and then TOOL:run:{\"b\": 2}.");
    let called = json!({"role": "assistant", "content": null, "tool_calls": [{}]});
    let result = json!({"role": "tool", "content": "it is so"});
    let mut messages = vec![user("hello"), json!({"role": "assistant", "content": "hi"}), task];
    let tools = ["run", "finish"];
    assert_eq!(told(&ask(&llm, json!(messages), &tools, false)), r#"run"{\"a\":\"}\"}""#);
    messages.extend([called.clone(), result.clone()]);
    assert_eq!(told(&ask(&llm, json!(messages), &tools, false)), r#"run"{\"b\":2}""#);
    messages.extend([called, result]);
    assert_eq!(
        told(&ask(&llm, json!(messages), &tools, false)),
        r#"finish"{\"message\":\"all done\"}""#
    );
    assert_eq!(told(&ask(&llm, json!(messages), &["run"], false)), "all done");
    let hello = json!([user("hello")]);
    assert_eq!(told(&ask(&llm, hello.clone(), &tools, false)), "ECHO: hello");
    assert!(ask(&llm, json!([user("FAIL:400")]), &tools, false).contains("scripted failure"));
    let streamed = ask(&llm, hello, &tools, true);
    assert!(streamed.contains("ECHO: hello") && streamed.ends_with("data: [DONE]\n\n"));
    assert_eq!(llm.prompts().len(), 7);
    assert_eq!(llm.authorizations(), vec![None; 7]);
    assert!(llm.url().contains(&llm.place()));
}
