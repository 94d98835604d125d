//! What the trajectory of OpenHands 0.45 says of how a task ended. Its exit code is 0 whatever happened.
//!
//! The agent can write this file: it is read as what somebody says, and never as an order.

use std::fmt;

use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::Value;

/// A longer text is cut.
const LONGEST_TEXT: usize = 16 << 10;

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

/// Reads the file. Fails where it is no list of events.
pub(crate) fn read(bytes: &[u8]) -> Result<Verdict, String> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let verdict = reader.deserialize_seq(Events).map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(verdict)
}

/// Looks at one event after the other: all of them at once may be more than memory holds.
struct Events;

impl<'de> Visitor<'de> for Events {
    type Value = Verdict;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut events: A) -> Result<Verdict, A::Error> {
        let mut verdict = Verdict::Open;
        while let Some(event) = events.next_element::<Value>()? {
            verdict = after(verdict, &event);
        }
        Ok(verdict)
    }
}

/// What holds after one more event.
fn after(verdict: Verdict, event: &Value) -> Verdict {
    let arguments = &event["args"];
    match (event["action"].as_str(), event["observation"].as_str(), event["source"].as_str()) {
        (Some("finish"), _, _) => Verdict::Finished {
            text: first(&[&arguments["final_thought"], &event["message"], &arguments["thought"]]),
            done: arguments["task_completed"] != "false",
        },
        (Some("reject"), _, _) => {
            Verdict::Rejected(first(&[&arguments["outputs"]["reason"], &event["message"]]))
        }
        (Some("message"), _, Some("agent")) => {
            Verdict::Said(first(&[&arguments["content"], &event["message"]]))
        }
        // Work goes on after it, or the state that comes next says what it came to.
        (_, Some("agent_state_changed"), _) => match event["extras"]["agent_state"].as_str() {
            Some("error") => {
                Verdict::Failed(first(&[&event["extras"]["reason"], &event["content"]]))
            }
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

/// The first that is text with something in it, not too long.
fn first(values: &[&Value]) -> String {
    let texts = values.iter().filter_map(|value| value.as_str()).map(str::trim);
    shortened(texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default(), LONGEST_TEXT)
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
        assert!(read(deep.as_bytes()).unwrap_err().contains("recursion"));
    }

    #[test]
    fn a_long_word_is_cut_between_characters() {
        let text = "ä".repeat(LONGEST_TEXT);
        let event = format!(r#"[{{"action":"finish","args":{{"final_thought":"{text}"}}}}]"#);
        let Ok(Verdict::Finished { text, .. }) = read(event.as_bytes()) else { panic!() };
        assert!(text.len() <= LONGEST_TEXT + 3 && text.ends_with("ä…"), "{}", text.len());
        assert_eq!(shortened("aä", 2), "a…");
    }
}
