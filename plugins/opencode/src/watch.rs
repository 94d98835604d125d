//! What the events of a run add up to. Pure: what is done about it is done in `follow`.

use std::collections::BTreeMap;

use crate::{
    ending::{Ending, Failure, Info, Message},
    event::{Event, Request},
    summary::{self, Tally},
};

/// What is known of a run that goes on.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The message that began it.
    message: String,
    pub(crate) tally: Tally,
    /// When the model last showed a sign of life. Milliseconds since 1970.
    pub(crate) life: u64,
    /// When the session was first seen idle with nothing to show for it.
    pub(crate) idle_since: Option<u64>,
    /// Whether it should be looked at: it may have ended.
    pub(crate) look: bool,
    /// Whether it could not be looked at the last time.
    pub(crate) unanswered: bool,
    /// What opencode said went wrong, outside any message.
    pub(crate) failure: Option<Failure>,
    pub(crate) permissions: Vec<Request>,
    pub(crate) questions: Vec<String>,
    /// The latest message of the model's, and what it costs.
    latest: String,
    /// The latest one whose words were told.
    said: String,
    /// How each use of a tool was last.
    tools: BTreeMap<String, String>,
}

/// A line that people read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Plain(String),
    Warning(String),
}

impl Watch {
    pub(crate) fn new(message: &str, tally: Tally, now: u64) -> Self {
        Self { message: message.to_owned(), tally, life: now, ..Self::default() }
    }

    /// Takes what happened, and says it where people should know.
    pub(crate) fn take(&mut self, event: Event, now: u64) -> Option<Line> {
        match event {
            Event::Message(info) => return self.step(&info, now),
            Event::Tool(tool) => {
                self.lives(now);
                let before = self.tools.insert(tool.call.clone(), tool.status.clone());
                if before.as_ref() == Some(&tool.status) || tool.status == "pending" {
                    return None;
                }
                self.tally.count(&tool);
                let line = summary::line_of_tool(&tool);
                return Some(if tool.status == "error" {
                    Line::Warning(line)
                } else {
                    Line::Plain(line)
                });
            }
            Event::Said { message, text } => {
                self.lives(now);
                return self.words(message, &text);
            }
            Event::Writing | Event::Answered => self.lives(now),
            Event::Retry { attempt, why } => {
                self.tally.retries += 1;
                self.idle_since = None;
                let why = summary::shortened(&why);
                return Some(Line::Warning(format!(
                    "the model fails for the {}: {why}",
                    nth(attempt)
                )));
            }
            Event::Busy => self.idle_since = None,
            Event::Idle => self.look = true,
            // It may be what is left of the run before.
            Event::Failed(failure) if failure.is_abort() => self.look = true,
            Event::Failed(failure) => {
                let line = format!("opencode: {}", summary::shortened(&failure.text()));
                self.failure = Some(failure);
                self.look = true;
                return Some(Line::Warning(line));
            }
            Event::Permission(request) => {
                self.lives(now);
                let line = format!("wants to do: {}", wanted(&request));
                self.permissions.push(*request);
                return Some(Line::Plain(line));
            }
            Event::Question(id) => {
                self.lives(now);
                self.questions.push(id);
            }
            Event::Edited(file) => {
                self.lives(now);
                return Some(Line::Plain(format!("{file} is changed")));
            }
        }
        None
    }

    /// Takes the latest message, which may not have been told of as an event.
    pub(crate) fn note(&mut self, message: &Message, now: u64) -> Option<Line> {
        self.step(&message.info, now)
    }

    fn words(&mut self, message: String, text: &str) -> Option<Line> {
        if message != self.latest || text.trim().is_empty() {
            return None;
        }
        self.said = message;
        Some(says(text))
    }

    /// The words of the message that ended it, where no event came with them in time.
    pub(crate) fn last_words(&mut self, message: &Message) -> Option<Line> {
        let text = message.text();
        let is_told = self.said == message.info.id || text.trim().is_empty();
        self.said.clone_from(&message.info.id);
        (!is_told).then(|| says(&text))
    }

    /// A message of the model's is one step.
    fn step(&mut self, info: &Info, now: u64) -> Option<Line> {
        if !info.is_of(&self.message) {
            return None;
        }
        let begun = info.id != self.latest && info.id > self.latest;
        if begun {
            self.latest.clone_from(&info.id);
            self.tally.steps += 1;
            self.lives(now);
        }
        if info.time.completed.is_some() && info.id == self.latest {
            if let Some(tokens) =
                info.tokens.filter(|_| self.tools.insert(info.id.clone(), String::new()).is_none())
            {
                self.tally.tokens.input += tokens.input;
                self.tally.tokens.output += tokens.output;
                self.tally.cost += info.cost;
            }
            self.look |= info.ending() != Ending::None;
        }
        begun.then(|| Line::Plain(format!("step {}", self.tally.steps)))
    }

    fn lives(&mut self, now: u64) {
        self.life = now;
        self.idle_since = None;
    }
}

fn says(text: &str) -> Line {
    Line::Plain(format!("says: {}", summary::shortened(text)))
}

/// What a permission is for, in words.
pub(crate) fn wanted(request: &Request) -> String {
    let patterns = summary::shortened(&request.patterns.join(", "));
    if patterns.is_empty() {
        request.permission.clone()
    } else {
        format!("{}: {patterns}", request.permission)
    }
}

fn nth(number: u64) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending} time")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::event;

    fn watch() -> Watch {
        Watch::new("msg_1", Tally::default(), 10)
    }

    fn say(watch: &mut Watch, kind: &str, properties: Value, now: u64) -> Option<Line> {
        let mut properties = properties;
        properties["sessionID"] = "ses_1".into();
        let text = json!({"type": kind, "properties": properties}).to_string();
        watch.take(event::read(&text, "ses_1").expect("an event"), now)
    }

    fn plain(text: &str) -> Option<Line> {
        Some(Line::Plain(text.to_owned()))
    }

    #[test]
    fn a_run_is_told_line_by_line() {
        let mut watch = watch();
        let message = |id: &str, more: Value| {
            let mut info =
                json!({"id": id, "role": "assistant", "parentID": "msg_1", "time": {"created": 1}});
            info.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"info": info})
        };
        let user = json!({"info": {"id": "msg_1", "role": "user", "time": {"created": 1}}});
        assert_eq!(say(&mut watch, "message.updated", user, 11), None);
        assert_eq!(
            say(&mut watch, "message.updated", message("msg_2", json!({})), 12),
            plain("step 1")
        );
        assert_eq!(say(&mut watch, "message.updated", message("msg_2", json!({})), 13), None);
        let tool = |status: &str| json!({"part": {"type": "tool", "tool": "bash", "callID": "c", "state": {"status": status, "input": {"command": "ls"}}}});
        assert_eq!(say(&mut watch, "message.part.updated", tool("pending"), 14), None);
        assert_eq!(say(&mut watch, "message.part.updated", tool("running"), 15), plain("bash: ls"));
        assert_eq!(say(&mut watch, "message.part.updated", tool("running"), 16), None);
        assert_eq!(
            say(&mut watch, "message.part.updated", tool("completed"), 17),
            plain("bash completed: ls")
        );
        let over = json!({"time": {"created": 1, "completed": 2}, "finish": "stop", "tokens": {"input": 5, "output": 7}, "cost": 0.5});
        for _ in 0..2 {
            assert_eq!(
                say(&mut watch, "message.updated", message("msg_2", over.clone()), 18),
                None
            );
        }
        assert!(watch.look);
        let text = json!({"part": {"type": "text", "messageID": "msg_2", "text": "all\ndone", "time": {"end": 1}}});
        assert_eq!(say(&mut watch, "message.part.updated", text, 19), plain("says: all done"));
        assert_eq!(
            say(&mut watch, "file.edited", json!({"file": "/workspace/a"}), 20),
            plain("/workspace/a is changed")
        );
        assert_eq!((watch.life, watch.tally.steps, watch.tally.tools["bash"]), (20, 1, 1));
        assert_eq!(
            (watch.tally.tokens.input, watch.tally.tokens.output, watch.tally.cost),
            (5.0, 7.0, 0.5)
        );
    }

    #[test]
    fn a_model_that_fails_shows_no_sign_of_life() {
        let mut watch = watch();
        let retry = json!({"status": {"type": "retry", "attempt": 2, "message": "no", "next": 7}});
        let told = say(&mut watch, "session.status", retry, 20);
        assert_eq!(told, Some(Line::Warning("the model fails for the 2nd time: no".to_owned())));
        say(&mut watch, "session.status", json!({"status": {"type": "busy"}}), 21);
        say(&mut watch, "session.idle", json!({}), 22);
        assert_eq!((watch.life, watch.tally.retries, watch.look), (10, 1, true));
        let failed =
            json!({"error": {"name": "UnknownError", "data": {"message": "Model not found"}}});
        assert!(matches!(say(&mut watch, "session.error", failed, 23), Some(Line::Warning(_))));
        assert!(watch.failure.is_some());
    }

    #[test]
    fn permissions_are_kept_until_somebody_takes_them() {
        let mut watch = watch();
        let asked = json!({"id": "per_1", "permission": "bash", "patterns": ["echo hi", "ls"]});
        assert_eq!(
            say(&mut watch, "permission.asked", asked, 11),
            plain("wants to do: bash: echo hi, ls")
        );
        say(&mut watch, "question.asked", json!({"id": "que_1"}), 12);
        assert_eq!(
            (watch.permissions[0].id.as_str(), watch.questions[0].as_str()),
            ("per_1", "que_1")
        );
    }

    #[test]
    fn the_last_words_are_told_once_whether_they_came_in_time_or_not() {
        let message =
            json!({"info": {"id": "msg_2"}, "parts": [{"type": "text", "text": "all done"}]});
        let message: Message = serde_json::from_value(message).unwrap();
        let mut watch = watch();
        assert_eq!(watch.last_words(&message), Some(Line::Plain("says: all done".to_owned())));
        assert_eq!(watch.last_words(&message), None);
    }

    #[test]
    fn numbers_are_told_as_people_say_them() {
        assert_eq!(
            [1, 2, 3, 4, 11, 21, 112].map(nth),
            [
                "1st time",
                "2nd time",
                "3rd time",
                "4th time",
                "11th time",
                "21st time",
                "112th time"
            ]
        );
    }
}
