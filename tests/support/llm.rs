//! A language model that does as the prompt says, over the API that all agents speak.
//!
//! In the text of the user: `TOOL:name:{json}` calls that tool, one after another if there are several; `SLEEP:seconds`
//! answers later; `FAIL:status` fails, `FAILTIMES:n:status` only the first n times that it is asked; `STREAM:n:seconds` says
//! n words with a pause before each. `STRUCTURED:{json}` is what it calls `StructuredOutput` with where that is offered. Then it
//! calls `finish` if it is offered, or says that it is done. Else it repeats what it was told.

use std::{
    collections::BTreeMap,
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

/// The tool by which opencode gets an answer of a form.
const STRUCTURED: &str = "StructuredOutput";

const EVENTS: &str = "text/event-stream";

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
        let failures = Failures::default();
        let address = serve(move |asked| {
            kept.lock().unwrap().push(asked.clone());
            answer(&asked, &failures)
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

    /// The bodies of all prompts so far, those for a title left out.
    pub(crate) fn prompts(&self) -> Vec<Value> {
        let requests = self.requests.lock().unwrap();
        let prompts = requests.iter().filter(|asked| asked.method == "POST");
        let prompts = prompts.map(|asked| serde_json::from_slice(&asked.body).unwrap_or_default());
        prompts.filter(|prompt| !wants_a_title(prompt)).collect()
    }

    /// What each request so far showed of itself.
    pub(crate) fn authorizations(&self) -> Vec<Option<String>> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|asked| asked.header("authorization").map(str::to_owned)).collect()
    }
}

/// How often a prompt has failed, by its text.
type Failures = Mutex<BTreeMap<String, u64>>;

/// What it does next.
enum Turn {
    Call(String, String),
    Say(String),
    /// So many words, with a pause before each.
    Speak(u64, Duration),
    Fail(u16),
}

fn answer(asked: &Asked, failures: &Failures) -> Reply {
    let (path, _) = asked.path_and_query();
    let model = json!({"id": NAME, "object": "model", "owned_by": "nobody"});
    match (asked.method.as_str(), path) {
        ("GET", "/v1/models") => json_reply(200, &json!({"object": "list", "data": [model]})),
        ("POST", "/v1/chat/completions") => match serde_json::from_slice(&asked.body) {
            Ok(prompt) => {
                // It is the only one that asks anew in a conversation that holds prompts without an answer.
                let agent = asked.header("user-agent").unwrap_or_default();
                complete(&prompt, agent.starts_with("opencode"), failures)
            }
            Err(error) => failure(400, &format!("no JSON: {error}")),
        },
        _ => failure(404, "there is nothing here"),
    }
}

fn complete(prompt: &Value, only_the_last: bool, failures: &Failures) -> Reply {
    if wants_a_title(prompt) {
        return said("a title", prompt);
    }
    let none = Vec::new();
    let messages = prompt["messages"].as_array().unwrap_or(&none);
    let end = messages.iter().rposition(|it| it["role"] == "user").map_or(0, |last| last + 1);
    let (before, since) = messages.split_at(end);
    // Some agents add messages of their own to the user's.
    let begin = before.iter().rposition(|it| it["role"] != "user").map_or(0, |last| last + 1);
    let begin = if only_the_last { end.saturating_sub(1) } else { begin };
    let text: Vec<_> = before.iter().skip(begin).map(|message| text(&message["content"])).collect();
    let text = text.join("\n");
    if let Some(seconds) = numbers_after("SLEEP:", &text).first() {
        thread::sleep(Duration::from_secs_f64(*seconds));
    }
    let tools = prompt["tools"].as_array().unwrap_or(&none);
    let turn = failure_wanted(&text, failures)
        .map_or_else(|| turn(&text, before, since, tools), Turn::Fail);
    match turn {
        Turn::Fail(status) => failure(status, "scripted failure"),
        Turn::Say(text) => said(&text, prompt),
        Turn::Speak(words, pause) => spoken(words, pause),
        Turn::Call(name, arguments) => {
            let function = json!({"name": name, "arguments": arguments});
            let id = format!("call_{}", messages.len());
            let call = json!({"index": 0, "id": id, "type": "function", "function": function});
            let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
            reply(&message, "tool_calls", prompt)
        }
    }
}

/// What opencode asks beside its work: its instruction says so.
fn wants_a_title(prompt: &Value) -> bool {
    let first = text(&prompt["messages"][0]["content"]);
    prompt["messages"][0]["role"] == "system" && first.contains("title generator")
}

fn said(text: &str, prompt: &Value) -> Reply {
    reply(&json!({"role": "assistant", "content": text}), "stop", prompt)
}

fn reply(message: &Value, reason: &str, prompt: &Value) -> Reply {
    if prompt["stream"] == true { streamed(message, reason) } else { whole(message, reason) }
}

fn whole(message: &Value, reason: &str) -> Reply {
    let choice = json!({"index": 0, "message": message, "finish_reason": reason});
    json_reply(200, &body("chat.completion", &json!([choice]), &usage()))
}

/// The same as events: the message, its end, what it cost.
fn streamed(message: &Value, reason: &str) -> Reply {
    Reply::new(200, EVENTS, event(message, &Value::Null) + &last_events(reason))
}

/// A message that is told word by word.
fn spoken(words: u64, pause: Duration) -> Reply {
    let word = |word: u64| event(&json!({"content": format!("word{word} ")}), &Value::Null);
    let mut pieces: Vec<_> = (0..words).map(|number| word(number).into_bytes()).collect();
    pieces.push(last_events("stop").into_bytes());
    let begin = event(&json!({"role": "assistant", "content": ""}), &Value::Null);
    Reply::new(200, EVENTS, begin).followed_by(pieces, pause)
}

fn last_events(reason: &str) -> String {
    let cost = body("chat.completion.chunk", &json!([]), &usage());
    event(&json!({}), &json!(reason)) + &format!("data: {cost}\n\ndata: [DONE]\n\n")
}

fn event(delta: &Value, reason: &Value) -> String {
    let choices = json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
    format!("data: {}\n\n", body("chat.completion.chunk", &choices, &Value::Null))
}

fn body(kind: &str, choices: &Value, usage: &Value) -> Value {
    json!({"id": "chatcmpl-1", "object": kind, "created": 1, "model": NAME, "choices": choices, "usage": usage})
}

fn usage() -> Value {
    json!({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18})
}

/// The status to fail with, if it is told to and has not failed often enough.
fn failure_wanted(text: &str, failures: &Failures) -> Option<u16> {
    let status = |number: f64| number as u16;
    if let [times, number, ..] = numbers_after("FAILTIMES:", text)[..] {
        let mut failures = failures.lock().unwrap();
        let failed = failures.entry(text.to_owned()).or_default();
        *failed += 1;
        return (*failed <= times as u64).then(|| status(number));
    }
    numbers_after("FAIL:", text).first().copied().map(status)
}

fn turn(text: &str, before: &[Value], since: &[Value], tools: &[Value]) -> Turn {
    let offered = |name: &str| tools.iter().any(|tool| tool["function"]["name"] == name);
    let made = since.iter().filter(|message| message["tool_calls"].is_array()).count();
    let mut wanted = calls(text).into_iter().filter(|(name, _)| offered(name)).skip(made);
    if let Some((name, arguments)) = wanted.next() {
        return Turn::Call(name, arguments);
    }
    if let Some((_, rest)) = text.split_once("STRUCTURED:").filter(|_| offered(STRUCTURED)) {
        return Turn::Call(STRUCTURED.to_owned(), json_at(rest).unwrap_or_default());
    }
    if let [words, seconds, ..] = numbers_after("STREAM:", text)[..] {
        return Turn::Speak(words as u64, Duration::from_secs_f64(seconds));
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

/// Every `TOOL:name:{json}`.
fn calls(text: &str) -> Vec<(String, String)> {
    let marked = text.split("TOOL:").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once(':')?;
        Some((name.to_owned(), json_at(rest)?))
    });
    marked.collect()
}

/// The JSON with which a text begins, however it goes on.
fn json_at(text: &str) -> Option<String> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    Some(values.next()?.ok()?.to_string())
}

/// The numbers behind a word, with colons between them.
fn numbers_after(word: &str, text: &str) -> Vec<f64> {
    let rest = text.split_once(word).map_or("", |(_, rest)| rest);
    let end = rest.find(|it: char| !it.is_ascii_digit() && it != ':' && it != '.');
    let numbers = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
    numbers.split(':').map_while(|number| number.trim_end_matches('.').parse().ok()).collect()
}

fn json_reply(status: u16, body: &Value) -> Reply {
    Reply::new(status, "application/json", body.to_string())
}

fn failure(status: u16, message: &str) -> Reply {
    let error = json!({"message": message, "type": "invalid_request_error", "code": "scripted"});
    json_reply(status, &json!({"error": error}))
}
