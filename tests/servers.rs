//! What the tests put around the host, tried by others: a git server by git, a language model by its API and by the
//! real opencode.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    engine::{self, api::Api},
    githttp::{GitServer, Mood, git, run},
    llm::{Llm, MODEL},
    real,
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

#[test]
fn a_language_model_fails_so_often_streams_so_long_and_keeps_to_a_form() {
    let llm = Llm::start();
    let user = |text: &str| json!([{"role": "user", "content": text}]);
    let failing = || ask(&llm, user("FAILTIMES:2:503 then fine"), &[], false);
    assert!(failing().contains("scripted failure") && failing().contains("scripted failure"));
    assert_eq!(told(&failing()), "ECHO: FAILTIMES:2:503 then fine");
    let begin = Instant::now();
    let streamed = ask(&llm, user("STREAM:3:0.1"), &[], true);
    assert!(begin.elapsed() >= Duration::from_millis(300), "{:?}", begin.elapsed());
    assert!(streamed.contains("word0 ") && streamed.contains("word2 "), "{streamed}");
    assert!(!streamed.contains("word3") && streamed.ends_with("data: [DONE]\n\n"), "{streamed}");
    let form = user("STRUCTURED:{\"answer\": 42} if it can be");
    let call = r#"StructuredOutput"{\"answer\":42}""#;
    assert_eq!(told(&ask(&llm, form.clone(), &["StructuredOutput"], false)), call);
    assert!(told(&ask(&llm, form, &[], false)).starts_with("ECHO: "));
    let mut titled = user("FAIL:500");
    let of_titles = json!({"role": "system", "content": "You are a title generator."});
    titled.as_array_mut().unwrap().insert(0, of_titles);
    assert_eq!(told(&ask(&llm, titled, &[], false)), "a title");
    assert_eq!(llm.prompts().len(), 6);
}

/// Runs opencode to its end in a container that reaches this machine's loopback; gives its status.
fn opencode(engine: &Api, image: &str, llm: &Llm, work: &TempDir, prompt: &str) -> Value {
    let url = format!("http://127.0.0.1:{}/v1", llm.port());
    let models = json!({"one": {"limit": {"context": 128_000, "output": 4096}, "tool_call": true}});
    let provider = json!({"npm": "@ai-sdk/openai-compatible", "models": models,
        "options": {"baseURL": url, "apiKey": "{env:KEY}"}});
    let config = json!({"provider": {"scripted": provider}, "model": "scripted/one",
        "small_model": "scripted/one", "permission": "allow"});
    let host =
        json!({"NetworkMode": "host", "Binds": [format!("{}:/home/agent", work.path().display())]});
    let body = json!({
        "Image": image, "User": "1000:1000", "WorkingDir": "/home/agent", "HostConfig": host,
        "Cmd": ["sh", "-c", r#"printf %s "$PROMPT" | opencode run"#],
        "Env": ["HOME=/home/agent/home", "KEY=sk-of-the-test", "OPENCODE_DISABLE_MODELS_FETCH=1",
            "OPENCODE_DISABLE_AUTOUPDATE=1", format!("PROMPT={prompt}"), format!("OPENCODE_CONFIG_CONTENT={config}")],
        "Labels": {"windlass.test": "true"},
    });
    let made = engine.post("/containers/create", &body).unwrap();
    let id = made["Id"].as_str().unwrap();
    engine.post(&format!("/containers/{id}/start"), &Value::Null).unwrap();
    let ended = engine.post(&format!("/containers/{id}/wait"), &Value::Null);
    engine.delete(&format!("/containers/{id}?force=1&v=1")).unwrap();
    ended.unwrap()["StatusCode"].take()
}

#[test]
fn the_real_opencode_takes_the_language_model_for_one() {
    let Some(engine) = engine::docker() else { return };
    let Some(image) = real::opencode(&engine) else { return };
    let (llm, work) = (Llm::start(), TempDir::new().unwrap());
    fs::set_permissions(work.path(), Permissions::from_mode(0o777)).unwrap();
    let tools = "git --version && rg --version && python3 -m pip --version && ps && id --user";
    let script = json!({"command": format!("({tools}) > told"), "description": "looks around"});
    let done =
        opencode(&engine, &image, &llm, &work, &format!("FAILTIMES:1:503 TOOL:bash:{script}"));
    assert_eq!(done, 0, "{:?}", llm.prompts());
    let found = fs::read_to_string(work.path().join("told")).unwrap_or_default();
    assert!(found.starts_with("git version") && found.ends_with("\n1000\n"), "{found}");
    let prompts = llm.prompts();
    let roles = |prompt: &Value| {
        prompt["messages"].as_array().unwrap().iter().any(|it| it["role"] == "tool")
    };
    // One that failed, the same once more, and one with what the tool gave.
    assert_eq!(prompts.iter().map(roles).collect::<Vec<_>>(), [false, false, true]);
    assert!(llm.authorizations().iter().all(|it| it.as_deref() == Some("Bearer sk-of-the-test")));
    let spoken = opencode(&engine, &image, &llm, &work, "STREAM:3:0.1");
    assert_eq!(spoken, 0);
}
