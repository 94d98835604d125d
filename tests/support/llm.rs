//! A language model that does as the prompt says, over the API that all agents speak.
//!
//! In the text of the user: `TOOL:name:{json}` calls that tool, one after another if there are several; `SLEEP:seconds`
//! answers later; `FAIL:status` fails. Then it calls `finish` if it is offered, or says that it is done. Else it repeats
//! what it was told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::served::{Asked, Reply, THIS_MACHINE, serve};

/// How an agent names it: a provider, and the model.
pub(crate) const MODEL: &str = "openai/fake-1";

const NAME: &str = "fake-1";

/// How much of a prompt it repeats.
const ECHOED: usize = 80;

pub(crate) struct Llm {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Asked>>>,
}

impl Llm {
    pub(crate) fn start() -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = requests.clone();
        let address = serve(move |asked| {
            kept.lock().unwrap().push(asked.clone());
            answer(&asked)
        });
        Self { address, requests }
    }

    /// Its base URL as a container asks for it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.place())
    }

    /// As a grant names it: `host:port`.
    pub(crate) fn place(&self) -> String {
        format!("{THIS_MACHINE}:{}", self.address.port())
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The bodies of all prompts so far.
    pub(crate) fn prompts(&self) -> Vec<Value> {
        let requests = self.requests.lock().unwrap();
        let prompts = requests.iter().filter(|asked| asked.method == "POST");
        prompts.map(|asked| serde_json::from_slice(&asked.body).unwrap_or_default()).collect()
    }

    /// What each request so far showed of itself.
    pub(crate) fn authorizations(&self) -> Vec<Option<String>> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|asked| asked.header("authorization").map(str::to_owned)).collect()
    }
}

/// What it does next.
enum Turn {
    Call(String, String),
    Say(String),
    Fail(u16),
}

fn answer(asked: &Asked) -> Reply {
    let (path, _) = asked.path_and_query();
    let model = json!({"id": NAME, "object": "model", "owned_by": "nobody"});
    match (asked.method.as_str(), path) {
        ("GET", "/v1/models") => json_reply(200, &json!({"object": "list", "data": [model]})),
        ("POST", "/v1/chat/completions") => match serde_json::from_slice(&asked.body) {
            Ok(prompt) => complete(&prompt),
            Err(error) => failure(400, &format!("no JSON: {error}")),
        },
        _ => failure(404, "there is nothing here"),
    }
}

fn complete(prompt: &Value) -> Reply {
    let none = Vec::new();
    let turn = turn(
        prompt["messages"].as_array().unwrap_or(&none),
        prompt["tools"].as_array().unwrap_or(&none),
    );
    let (message, reason) = match turn {
        Turn::Fail(status) => return failure(status, "scripted failure"),
        Turn::Say(text) => (json!({"role": "assistant", "content": text}), "stop"),
        Turn::Call(name, arguments) => {
            let function = json!({"name": name, "arguments": arguments});
            let id = format!("call_{}", prompt["messages"].as_array().map_or(0, Vec::len));
            let call = json!({"index": 0, "id": id, "type": "function", "function": function});
            (json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls")
        }
    };
    if prompt["stream"] == true { streamed(&message, reason) } else { whole(&message, reason) }
}

fn whole(message: &Value, reason: &str) -> Reply {
    let choice = json!({"index": 0, "message": message, "finish_reason": reason});
    json_reply(200, &body("chat.completion", &json!([choice]), &usage()))
}

/// The same as events: the message, its end, what it cost.
fn streamed(message: &Value, reason: &str) -> Reply {
    let chunk = |choices: Value, usage: &Value| body("chat.completion.chunk", &choices, usage);
    let first = json!([{"index": 0, "delta": message, "finish_reason": null}]);
    let last = json!([{"index": 0, "delta": {}, "finish_reason": reason}]);
    let events =
        [chunk(first, &Value::Null), chunk(last, &Value::Null), chunk(json!([]), &usage())];
    let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    Reply::new(200, "text/event-stream", events + "data: [DONE]\n\n")
}

fn body(kind: &str, choices: &Value, usage: &Value) -> Value {
    json!({"id": "chatcmpl-1", "object": kind, "created": 1, "model": NAME, "choices": choices, "usage": usage})
}

fn usage() -> Value {
    json!({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18})
}

fn turn(messages: &[Value], tools: &[Value]) -> Turn {
    let offered = |name: &str| tools.iter().any(|tool| tool["function"]["name"] == name);
    let end = messages.iter().rposition(|it| it["role"] == "user").map_or(0, |last| last + 1);
    let (before, since) = messages.split_at(end);
    // Some agents add messages of their own to the user's.
    let begin = before.iter().rposition(|it| it["role"] != "user").map_or(0, |last| last + 1);
    let text: Vec<_> = before.iter().skip(begin).map(|message| text(&message["content"])).collect();
    let text = text.join("\n");
    if let Some(seconds) = number_after("SLEEP:", &text) {
        thread::sleep(Duration::from_secs(seconds));
    }
    if let Some(status) = number_after("FAIL:", &text) {
        return Turn::Fail(u16::try_from(status).unwrap_or(500));
    }
    let made = since.iter().filter(|message| message["tool_calls"].is_array()).count();
    let mut wanted = calls(&text).into_iter().filter(|(name, _)| offered(name)).skip(made);
    if let Some((name, arguments)) = wanted.next() {
        return Turn::Call(name, arguments);
    }
    // An agent that wants a tool to end its work asks for ever when it is only spoken to.
    let spoken = |message: &Value| message["role"] == "assistant" && message["content"].is_string();
    if offered("finish") && (made > 0 || before.iter().any(spoken)) {
        return Turn::Call("finish".to_owned(), finish(offered("execute_bash")));
    }
    let echo: String = text.replace('\n', " ").chars().take(ECHOED).collect();
    Turn::Say(if made > 0 { "all done".to_owned() } else { format!("ECHO: {echo}") })
}

/// The older agents want one argument more.
fn finish(older: bool) -> String {
    let mut arguments = json!({"message": "all done"});
    if older {
        arguments["task_completed"] = "true".into();
    }
    arguments.to_string()
}

/// A message's text, whether it is one or comes in parts.
fn text(content: &Value) -> String {
    let none = Vec::new();
    let parts = content.as_array().unwrap_or(&none).iter().filter_map(|part| part["text"].as_str());
    content.as_str().map_or_else(|| parts.collect::<Vec<_>>().join(" "), str::to_owned)
}

/// Every `TOOL:name:{json}`, however the JSON ends.
fn calls(text: &str) -> Vec<(String, String)> {
    let marked = text.split("TOOL:").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once(':')?;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        Some((name.to_owned(), values.next()?.ok()?.to_string()))
    });
    marked.collect()
}

fn number_after(word: &str, text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(word)?;
    rest.split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()
}

fn json_reply(status: u16, body: &Value) -> Reply {
    Reply::new(status, "application/json", body.to_string())
}

fn failure(status: u16, message: &str) -> Reply {
    let error = json!({"message": message, "type": "invalid_request_error", "code": "scripted"});
    json_reply(status, &json!({"error": error}))
}
