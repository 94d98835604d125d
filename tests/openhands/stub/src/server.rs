//! The agent-server of 1.x: as much of its API as the plugin uses, with its keys, its codes and its delays in telling.
//!
//! `STUB_SERVER` says what is wrong with it from its start: `deaf` takes connections and answers none, `garbage` answers what
//! is no HTTP, `slow` sends its head byte by byte for ever, `sick` is never healthy, `dead` ends at once, `refusing` takes no
//! task, `flood` tells of millions of events. In a task, `SERVER deaf` and such say it from then on.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::script::{self, End};

#[derive(Default)]
struct Conversation {
    status: &'static str,
    response: String,
    events: Vec<Value>,
    interrupted: bool,
}

#[derive(Default)]
struct State {
    mood: String,
    conversations: BTreeMap<String, Conversation>,
}

type Shared = Arc<Mutex<State>>;

/// A request, as far as it is looked at.
struct Asked {
    method: String,
    path: String,
    key: Option<String>,
    body: Vec<u8>,
}

pub(crate) fn run(port: u16) {
    let mood = env::var("STUB_SERVER").unwrap_or_default();
    println!("the stub of the agent server starts: {mood}");
    if mood == "dead" {
        process::exit(3);
    }
    let state = Shared::new(Mutex::new(State { mood, ..State::default() }));
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    for stream in listener.incoming() {
        let (stream, state) = (stream.unwrap(), state.clone());
        thread::spawn(move || serve(stream, &state));
    }
}

fn serve(mut stream: TcpStream, state: &Shared) {
    let mood = state.lock().unwrap().mood.clone();
    match mood.as_str() {
        "deaf" => return thread::sleep(Duration::from_secs(3600)),
        // Whoever asked may be gone already, here and below.
        "garbage" => return drop(stream.write_all(b"\0\xff no HTTP at all\r\n\r\n")),
        "slow" => {
            while stream.write_all(b"H").is_ok() {
                thread::sleep(Duration::from_millis(200));
            }
            return;
        }
        _ => {}
    }
    let Some(asked) = read(&stream) else { return };
    let (status, body) = answer(&asked, &mood, state);
    let body = body.to_string();
    let length = body.len();
    let _ = stream.write_all(
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes(),
    );
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    lines.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut key, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "x-session-api-key" => key = Some(value.trim().to_owned()),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).ok()?;
    Some(Asked { method, path, key, body })
}

fn answer(asked: &Asked, mood: &str, state: &Shared) -> (u16, Value) {
    let path = asked.path.split('?').next().unwrap();
    if path == "/health" {
        return if mood == "sick" { (503, json!({})) } else { (200, json!({"status": "ok"})) };
    }
    if asked.key != env::var("SESSION_API_KEY").ok() {
        return (401, json!({"detail": "Unauthorized"}));
    }
    let Some(below) = path.strip_prefix("/api/conversations") else { return (404, missing()) };
    let mut words = below.trim_start_matches('/').split('/');
    let (id, rest) = (words.next().unwrap().to_owned(), words.collect::<Vec<_>>().join("/"));
    match (asked.method.as_str(), id.is_empty(), rest.as_str()) {
        ("POST", true, "") if mood == "refusing" => (422, json!({"detail": "not that agent"})),
        ("POST", true, "") => begin(&serde_json::from_slice(&asked.body).unwrap(), state),
        (_, true, _) => (405, missing()),
        (method, false, rest) => about(method, &id, rest, state),
    }
}

fn about(method: &str, id: &str, rest: &str, state: &Shared) -> (u16, Value) {
    let mut state = state.lock().unwrap();
    let flooding = state.mood == "flood";
    let Some(conversation) = state.conversations.get_mut(id) else { return (404, missing()) };
    match (method, rest) {
        ("GET", "") => (200, json!({"id": id, "execution_status": conversation.status})),
        // Little to send, and much to hold for who makes values of it.
        ("GET", "events/search") if flooding => (200, json!({"items": vec![1; 3_000_000]})),
        ("GET", "events/search") => {
            let items: Vec<_> = conversation.events.iter().rev().take(100).collect();
            (200, json!({"items": items, "next_page_id": null}))
        }
        ("GET", "agent_final_response") => (200, json!({"response": conversation.response})),
        ("POST", "interrupt") => {
            conversation.interrupted = true;
            (200, json!({"success": true}))
        }
        _ => (405, missing()),
    }
}

fn begin(body: &Value, state: &Shared) -> (u16, Value) {
    let id = body["conversation_id"].as_str().unwrap().to_owned();
    let task = body["initial_message"]["content"][0]["text"].as_str().unwrap().to_owned();
    assert_eq!(body["workspace"]["working_dir"], "/workspace");
    assert_eq!(body["confirmation_policy"]["kind"], "NeverConfirm");
    assert!(body["agent"]["llm"].get("api_key").is_none(), "the key goes another way");
    let told = json!({"id": id, "execution_status": "idle"});
    let mut held = state.lock().unwrap();
    if held.conversations.contains_key(&id) {
        return (200, told);
    }
    let folder = Path::new(&env::var("OH_CONVERSATIONS_PATH").unwrap()).join(id.replace('-', ""));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("base_state.json"), "{}").unwrap();
    held.conversations
        .insert(id.clone(), Conversation { status: "idle", ..Conversation::default() });
    let state = state.clone();
    thread::spawn(move || converse(&id, &task, &state));
    (201, told)
}

fn converse(id: &str, task: &str, state: &Shared) {
    // A conversation is idle for a moment before its agent begins.
    thread::sleep(Duration::from_millis(50));
    let change = |change: &dyn Fn(&mut Conversation)| {
        change(state.lock().unwrap().conversations.get_mut(id).unwrap());
    };
    change(&|conversation| {
        conversation.status = "running";
        let content = json!([{"type": "text", "text": task}]);
        conversation.events.push(json!({"kind": "MessageEvent", "source": "user", "timestamp": "t", "llm_message": {"content": content}}));
    });
    for line in task.lines() {
        if let Some(mood) = line.strip_prefix("SERVER ") {
            if mood == "dead" {
                process::exit(3);
            }
            mood.clone_into(&mut state.lock().unwrap().mood);
        }
    }
    let came = script::play(task, || state.lock().unwrap().conversations[id].interrupted);
    change(&|conversation| {
        let (status, response, event) = match &came.end {
            End::Finished(text) | End::GaveUp(text) => ("finished", text.clone(), None),
            End::Failed(why) => {
                let event = json!({"kind": "ConversationErrorEvent", "code": "LLMBadRequestError", "detail": why});
                ("error", String::new(), Some(event))
            }
            End::Stuck => ("stuck", String::new(), None),
            End::Interrupted => ("paused", String::new(), Some(json!({"kind": "InterruptEvent"}))),
            End::Silent | End::Rejected(_) => ("idle", String::new(), None),
        };
        conversation.events.extend(event);
        (conversation.status, conversation.response) = (status, response);
    });
}

fn missing() -> Value {
    json!({"detail": "Not Found"})
}
