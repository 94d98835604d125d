//! The user's yes before a tool changes what cannot be had back, for callers whom the operator wants to be asked.
//!
//! The tool is tried first, and refused all that changes anything: where it asks by itself, or changes nothing, the host has nothing to
//! ask. Only where it would have gone on does the host put the question, and enters it again after the yes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    audit::redacted,
    capability::{
        tools::Outcome,
        types::{Answer, Answers, Code, Error, Form, Question, Questions},
    },
    registry::OfferedTool,
};

/// The question's name, which is also that of the SDK's own.
const CONFIRM: &str = "confirm";
/// Before the guest's state, once the user has agreed.
const AGREED: &str = "agreed:";
/// Before the guest's state, while nobody has. A guest writes what it likes behind one of these, and none of them.
const TRYING: &str = "trying:";
/// Before what the guest was to get, while the user is asked.
const ASKING: &str = "asking:";
/// As much of the arguments as anybody reads in a question.
const LONGEST: usize = 500;

/// What one round of a call is to be.
pub(super) enum Round {
    /// The user has agreed.
    Real(Option<Answers>),
    /// Nobody was asked yet.
    Trial(Option<Answers>, Arc<AtomicBool>),
}

/// What the guest was to get when the host asked.
#[derive(Deserialize, Serialize)]
struct Kept {
    state: Option<String>,
    given: Vec<(String, String)>,
}

impl Round {
    /// What the answers that came make of the next round.
    pub(super) fn new(answers: Option<Answers>) -> Result<Self, Error> {
        let Some(mut answers) = answers else { return Ok(Self::Trial(None, Arc::default())) };
        if let Some(state) = answers.state.strip_prefix(AGREED) {
            answers.state = state.to_owned();
            return Ok(Self::Real(Some(answers)));
        }
        let said = answers.given.iter().find(|(name, _)| name == CONFIRM).map(|(_, said)| said);
        let agreed = matches!(said, Some(Answer::Given(_)));
        let Some(kept) = answers.state.strip_prefix(ASKING) else {
            // The guest's own question, with which it ends by itself where the answer is no.
            answers.state = answers.state.strip_prefix(TRYING).unwrap_or_default().to_owned();
            return Ok(match agreed {
                true => Self::Real(Some(answers)),
                false => Self::Trial(Some(answers), Arc::default()),
            });
        };
        let kept: Kept = serde_json::from_str(kept).map_err(|error| {
            Error::new(Code::Other, format!("the question's state makes no sense: {error}"))
        })?;
        match said {
            Some(Answer::Given(_)) => Ok(Self::Real(kept.answers())),
            Some(_) => Err(Error::new(Code::Denied, "the user said no")),
            None => Ok(Self::Trial(kept.answers(), Arc::default())),
        }
    }

    pub(super) fn answers(&self) -> Option<Answers> {
        match self {
            Self::Real(answers) | Self::Trial(answers, _) => answers.clone(),
        }
    }

    pub(super) fn trial(&self) -> Option<&Arc<AtomicBool>> {
        match self {
            Self::Real(_) => None,
            Self::Trial(_, changes) => Some(changes),
        }
    }

    /// What the round came to, or the host's question.
    pub(super) fn end(
        self,
        came: Result<Outcome, Error>,
        tool: &OfferedTool,
        arguments: &Value,
    ) -> Result<Outcome, Error> {
        match self {
            Self::Trial(answers, changes) if changes.load(Ordering::Relaxed) => {
                Ok(Outcome::Ask(question(answers, tool, arguments)))
            }
            Self::Trial(..) => came.map(|outcome| before_state(TRYING, outcome)),
            Self::Real(_) => came.map(|outcome| before_state(AGREED, outcome)),
        }
    }
}

/// The guest's questions, with the host's word before their state.
fn before_state(word: &str, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Ask(questions) => {
            Outcome::Ask(Questions { state: format!("{word}{}", questions.state), ..questions })
        }
        other => other,
    }
}

impl Kept {
    /// Of answers to what is no form nothing is kept: the guest asks again.
    fn new(answers: Option<Answers>) -> Self {
        let Some(Answers { given, state }) = answers else {
            return Self { state: None, given: Vec::new() };
        };
        let given = given.into_iter().filter_map(|(name, answer)| match answer {
            Answer::Given(value) => Some((name, value)),
            _ => None,
        });
        Self { state: Some(state), given: given.collect() }
    }

    fn answers(self) -> Option<Answers> {
        let given = self.given.into_iter().map(|(name, value)| (name, Answer::Given(value)));
        Some(Answers { given: given.collect(), state: self.state? })
    }
}

fn question(answers: Option<Answers>, tool: &OfferedTool, arguments: &Value) -> Questions {
    let mut with = redacted(arguments, &[]).to_string();
    if with.len() > LONGEST {
        with.truncate(with.floor_char_boundary(LONGEST));
        with.push('…');
    }
    let message = format!(
        "`{}` of plugin `{}` may destroy what cannot be had back. Call it with {with}?",
        tool.name,
        tool.owner()
    );
    let schema = r#"{"type":"object","properties":{}}"#.to_owned();
    let form = Question::Form(Form { message, schema });
    let kept = serde_json::to_string(&Kept::new(answers)).unwrap_or_default();
    Questions { ask: vec![(CONFIRM.to_owned(), form)], state: format!("{ASKING}{kept}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The state in which the host keeps a question that a guest put with this one while it was tried.
    fn kept(state: &str) -> String {
        let asked = Outcome::Ask(Questions { ask: Vec::new(), state: state.to_owned() });
        match before_state(TRYING, asked) {
            Outcome::Ask(questions) => questions.state,
            _ => panic!("it is no question any more"),
        }
    }

    #[test]
    fn no_guest_writes_itself_the_user_s_yes() {
        for state in
            ["", "a", "agreed:", "agreed:a", "asking:{\"state\":\"\",\"given\":[]}", "trying:"]
        {
            for name in ["which", CONFIRM] {
                let given = vec![(name.to_owned(), Answer::Given("{}".to_owned()))];
                let round = Round::new(Some(Answers { given, state: kept(state) })).unwrap();
                assert_eq!(round.trial().is_none(), name == CONFIRM, "{state} {name}");
                assert_eq!(round.answers().unwrap().state, state);
            }
        }
    }
}
