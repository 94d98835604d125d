//! What the trajectory of OpenHands 0.45 says of how a task ended. Its exit code is 0 whatever happened.
//!
//! The agent can write this file: it is read as what somebody says, and never as an order.

use serde::Deserialize;

use crate::lenient::{Items, Part, Word, read_items};

/// How a task ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The agent said that it is done; what with, and whether it did what it was asked for.
    Finished { text: String, done: bool },
    /// The agent would not do it.
    Rejected(String),
    /// Something failed, and the agent stopped.
    Failed(String),
    /// It says nothing of an end. Maybe there is a last word of the agent's.
    #[default]
    Open,
    /// The same, with the last thing that the agent said.
    Said(String),
}

/// Looks at one event after the other.
#[derive(Default)]
struct Events(Verdict);

/// What is looked at of an event.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    action: Word,
    observation: Word,
    source: Word,
    message: Word,
    content: Word,
    args: Part<Arguments>,
    extras: Part<Extras>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Arguments {
    final_thought: Word,
    thought: Word,
    content: Word,
    task_completed: Word,
    outputs: Part<Outputs>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Outputs {
    reason: Word,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Extras {
    agent_state: Word,
    reason: Word,
}

/// Reads the file. Fails where it is no list of events.
pub(crate) fn read(bytes: &[u8]) -> Result<Verdict, String> {
    if !bytes.trim_ascii_start().starts_with(b"[") {
        return Err("it does not begin as a list of events does".to_owned());
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let Events(verdict) = read_items(&mut reader).map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(verdict)
}

impl Items for Events {
    type Item = Part<Event>;

    fn take(&mut self, Part(event): Part<Event>) {
        self.0 = after(std::mem::take(&mut self.0), &event);
    }
}

/// What holds after one more event.
fn after(verdict: Verdict, event: &Event) -> Verdict {
    let (Part(arguments), Part(extras)) = (&event.args, &event.extras);
    match (event.action.text(), event.observation.text(), event.source.text()) {
        (Some("finish"), _, _) => Verdict::Finished {
            text: first(&[&arguments.final_thought, &event.message, &arguments.thought]),
            done: arguments.task_completed.text() != Some("false"),
        },
        (Some("reject"), _, _) => {
            Verdict::Rejected(first(&[&arguments.outputs.0.reason, &event.message]))
        }
        (Some("message"), _, Some("agent")) => {
            Verdict::Said(first(&[&arguments.content, &event.message]))
        }
        // Work goes on after it, or the state that comes next says what it came to.
        (_, Some("agent_state_changed"), _) => match extras.agent_state.text() {
            Some("error") => Verdict::Failed(first(&[&extras.reason, &event.content])),
            Some("rejected") if !matches!(verdict, Verdict::Rejected(_)) => {
                Verdict::Rejected(String::new())
            }
            _ => verdict,
        },
        (Some("run" | "edit" | "read" | "write" | "run_ipython" | "browse"), _, Some("agent")) => {
            Verdict::Open
        }
        _ => verdict,
    }
}

/// The first that has something in it.
fn first(words: &[&Word]) -> String {
    words.iter().find_map(|word| word.text()).unwrap_or_default().to_owned()
}

/// As much of the beginning as fits.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}…", text.get(..text.floor_char_boundary(most)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Verdict) {
        assert_eq!(read(text.as_bytes()), Ok(expected));
    }

    fn finished(text: &str, done: bool) -> Verdict {
        Verdict::Finished { text: text.to_owned(), done }
    }

    #[test]
    fn the_last_word_counts() {
        check("[]", Verdict::Open);
        check(
            r#"[{"id":5,"source":"agent","action":"run","args":{"command":"ls"}},
                {"id":6,"observation":"run","content":"v0\n","extras":{"metadata":{"exit_code":0}},"success":true},
                {"id":7,"source":"agent","action":"finish","args":{"final_thought":"all done","task_completed":"true","outputs":{}}}]"#,
            finished("all done", true),
        );
        check(
            r#"[{"action":"finish","args":{"final_thought":"no way","task_completed":"false"}}]"#,
            finished("no way", false),
        );
        check(
            r#"[{"action":"finish","args":{"task_completed":"partial"},"message":"half"}]"#,
            finished("half", true),
        );
        check(
            r#"[{"source":"agent","action":"message","args":{"content":"which one?"}}]"#,
            Verdict::Said("which one?".to_owned()),
        );
        check(
            r#"[{"source":"agent","action":"finish","args":{"final_thought":"early"}},
                {"source":"agent","action":"run","args":{"command":"ls"}}]"#,
            Verdict::Open,
        );
        check(
            r#"[{"observation":"agent_state_changed","content":"","extras":{"agent_state":"error","reason":"no model"}}]"#,
            Verdict::Failed("no model".to_owned()),
        );
        check(
            r#"[{"action":"reject","args":{"outputs":{"reason":"not mine"}}}]"#,
            Verdict::Rejected("not mine".to_owned()),
        );
    }

    #[test]
    fn strange_events_are_passed_over() {
        check(
            r#"[1, null, "finish", [], {}, {"action": 7}, {"action": "finish"}]"#,
            finished("", true),
        );
        check(r#"[{"action":"finish","args":[1],"message":{"a":1}}]"#, finished("", true));
    }

    #[test]
    fn what_is_no_list_of_events_is_an_error() {
        for bad in ["", "{}", "null", "[", "[{]", "[]x", "\u{0}", r#"{"action":"finish"}"#] {
            assert!(read(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(read(b"[\"\xff\"]").is_err());
        let deep = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(deep.as_bytes()), Ok(Verdict::Open), "nobody has to look into it");
    }

    #[test]
    fn a_long_word_is_cut_between_characters() {
        let text = "ä".repeat(16 << 10);
        let event = format!(r#"[{{"action":"finish","args":{{"final_thought":"{text}"}}}}]"#);
        let Ok(Verdict::Finished { text, .. }) = read(event.as_bytes()) else { panic!() };
        assert!(text.len() <= (16 << 10) + 3 && text.ends_with("ä…"), "{}", text.len());
        assert_eq!(shortened("aä", 2), "a…");
    }
}
