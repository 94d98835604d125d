//! opencode's server in a session's container, and what is said to it. One request on one connection.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use windlass_sdk::{
    Error,
    containers::Container,
    port::{Answer, Request as Asking, Stream},
    processes::{Ending, Process, State},
};

use crate::{
    ending::Message,
    event::Request,
    id,
    launch::{self, PORT},
    provider::Provider,
    summary,
};

/// How long a look at the server's health may take. While it starts, it may never answer.
const HEALTH_MS: u32 = 1_000;
/// How long any other answer may take. The first of all makes opencode load itself, on a machine that may be busy.
const ANSWER_MS: u32 = 60_000;
/// How long it may take to stop the model.
const ABORT_MS: u32 = 10_000;
/// A longer message is not read.
const LONGEST_MESSAGE: usize = 8 << 20;
/// How much of the server's words an error repeats.
const LAST_WORDS: u32 = 2 << 10;

/// The server of one session.
pub(crate) struct Server {
    pub(crate) container: Container,
    pub(crate) process: Process,
    /// The id of that.
    pub(crate) process_id: String,
    authorization: String,
}

/// A message, as it came and as it is read.
pub(crate) struct Answered {
    pub(crate) raw: Value,
    pub(crate) message: Message,
}

/// How a server ended.
pub(crate) struct End {
    /// Whether its container went away with it. It is no fault of opencode's then.
    pub(crate) with_container: bool,
    /// How, and what it said last.
    pub(crate) words: String,
}

/// What a run asks of the model.
pub(crate) struct Prompt<'a> {
    /// The id that its message gets.
    pub(crate) message: &'a str,
    pub(crate) text: &'a str,
    pub(crate) schema: Option<&'a Value>,
}

/// What becomes of a permission that opencode wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply<'a> {
    Once,
    /// And of all that are like it, as long as the server lives.
    Always,
    /// No, and what the agent hears.
    Reject(&'a str),
}

impl Server {
    pub(crate) fn new(
        container: Container,
        process: Process,
        password: &str,
    ) -> Result<Self, Error> {
        let process_id = process.info()?.id;
        Ok(Self { container, process, process_id, authorization: id::authorization(password) })
    }

    pub(crate) fn is_healthy(&self) -> bool {
        let look =
            || self.send(self.container.port(PORT).get("/global/health")?.patience_ms(HEALTH_MS));
        look().is_ok_and(|answer| answer.is_success())
    }

    /// How its process ended, if it has.
    pub(crate) fn end(&self) -> Result<Option<End>, Error> {
        let State::Ended(result) = self.process.info()?.state else { return Ok(None) };
        let with_container = result.ending == Ending::Lost;
        let how = match (result.message, result.exit_code) {
            (Some(message), _) => message,
            (None, Some(code)) => format!("with the code {code}"),
            (None, None) => "by a signal".to_owned(),
        };
        Ok(Some(End { with_container, words: format!("{how}: {}", self.last_words()) }))
    }

    /// The end of what it printed.
    pub(crate) fn last_words(&self) -> String {
        let said = self.process.tail(LAST_WORDS).map(|output| {
            let bytes: Vec<u8> = output.chunks.into_iter().flat_map(|chunk| chunk.data).collect();
            String::from_utf8_lossy(&bytes).trim().to_owned()
        });
        summary::shortened(&said.unwrap_or_else(|error| error.message))
    }

    /// The session as opencode calls it: the known one if it is still there, or one that is made.
    pub(crate) fn conversation(&self, known: Option<&str>, title: &str) -> Result<String, Error> {
        if let Some(known) = known
            && self.get(&format!("/session/{known}"))?.is_success()
        {
            return Ok(known.to_owned());
        }
        let answer = self.post("/session", &json!({"title": title}))?;
        let made: Map<String, Value> = read(&answer)?;
        let id = made.get("id").and_then(Value::as_str);
        id.map(str::to_owned).ok_or_else(|| refused(&answer))
    }

    /// Whether a message is there. One that was to have a structured answer is, though opencode fails to tell it.
    pub(crate) fn has(&self, conversation: &str, message: &str) -> Result<bool, Error> {
        let answer = self.get(&format!("/session/{conversation}/message/{message}"))?;
        match answer.status {
            404 => Ok(false),
            200..300 | 400 => Ok(true),
            _ => Err(refused(&answer)),
        }
    }

    /// The latest message, if opencode can tell it.
    pub(crate) fn latest(&self, conversation: &str) -> Result<Option<Answered>, Error> {
        let answer = self.get(&format!("/session/{conversation}/message?limit=1"))?;
        if answer.status == 400 {
            return Ok(None);
        }
        let messages: Vec<Value> = read(&answer)?;
        let Some(raw) = messages.into_iter().next_back() else { return Ok(None) };
        let message = serde_json::from_value(raw.clone())?;
        Ok(Some(Answered { raw, message }))
    }

    /// Whether nothing is done in it. It also is so before it begins.
    pub(crate) fn is_idle(&self, conversation: &str) -> Result<bool, Error> {
        let busy: Map<String, Value> = read(&self.get("/session/status")?)?;
        Ok(busy.get(conversation).is_none_or(|status| status["type"] == "idle"))
    }

    /// Gives the model something to do, and does not wait for it.
    pub(crate) fn prompt(
        &self,
        conversation: &str,
        prompt: &Prompt<'_>,
        provider: &Provider,
    ) -> Result<(), Error> {
        let mut body = json!({
            "messageID": prompt.message,
            "model": launch::model(provider),
            "parts": [{"type": "text", "text": prompt.text}],
        });
        if let Some(schema) = prompt.schema {
            body["format"] = json!({"type": "json_schema", "schema": schema});
        }
        succeeded(&self.post(&format!("/session/{conversation}/prompt_async"), &body)?)
    }

    /// Stops what is done in it.
    pub(crate) fn abort(&self, conversation: &str) -> Result<(), Error> {
        let port = self.container.port(PORT);
        let request = port.post(&format!("/session/{conversation}/abort"))?;
        succeeded(&self.send(request.patience_ms(ABORT_MS))?)
    }

    /// The same. A server that is deaf is ended; the next run starts another one.
    pub(crate) fn stop(&self, conversation: &str) -> Result<(), Error> {
        self.abort(conversation).or_else(|_| self.process.cancel())
    }

    /// The permissions that opencode waits for.
    pub(crate) fn permissions(&self) -> Result<Vec<Request>, Error> {
        read(&self.get("/permission")?)
    }

    /// Answers such a request. One that is gone needs no answer.
    pub(crate) fn reply(&self, request: &str, reply: Reply<'_>) -> Result<(), Error> {
        let body = match reply {
            Reply::Once => json!({"reply": "once"}),
            Reply::Always => json!({"reply": "always"}),
            // Without a word, opencode ends the run.
            Reply::Reject(why) => json!({"reply": "reject", "message": why}),
        };
        answered(&self.post(&format!("/permission/{}/reply", plain(request)), &body)?)
    }

    /// Says no to a question of the agent's.
    pub(crate) fn reject(&self, question: &str) -> Result<(), Error> {
        answered(&self.post(&format!("/question/{}/reject", plain(question)), &json!({}))?)
    }

    /// What happens from here on.
    pub(crate) fn events(&self) -> Result<Stream, Error> {
        let port = self.container.port(PORT);
        let request = port.get("/event")?.patience_ms(ANSWER_MS);
        let stream = request.header("authorization", &self.authorization)?.stream()?;
        if stream.head.is_success() { Ok(stream) } else { Err(refused(&stream.head)) }
    }

    fn get(&self, path: &str) -> Result<Answer, Error> {
        self.send(self.container.port(PORT).get(path)?.patience_ms(ANSWER_MS))
    }

    fn post(&self, path: &str, body: &Value) -> Result<Answer, Error> {
        self.send(self.container.port(PORT).post(path)?.json(body)?.patience_ms(ANSWER_MS))
    }

    fn send(&self, request: Asking<'_>) -> Result<Answer, Error> {
        request.header("authorization", &self.authorization)?.most(LONGEST_MESSAGE).send()
    }
}

/// An id as part of a path: opencode's have nothing else in them.
fn plain(id: &str) -> String {
    id.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Error> {
    succeeded(answer)?;
    answer.json()
}

fn succeeded(answer: &Answer) -> Result<(), Error> {
    if answer.is_success() { Ok(()) } else { Err(refused(answer)) }
}

fn answered(answer: &Answer) -> Result<(), Error> {
    if answer.status == 404 { Ok(()) } else { succeeded(answer) }
}

fn refused(answer: &Answer) -> Error {
    let said = summary::shortened(&String::from_utf8_lossy(&answer.body));
    Error::failed(format!("opencode answers {}: {said}", answer.status))
}
