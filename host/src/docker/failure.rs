//! What bollard's errors mean: the engine has refused, or nobody is there.

use std::{error::Error as _, fmt};

use bollard::errors::Error as Cause;

use crate::{
    capability::types::{Code, Error},
    error::{Failure, conflict, denied, invalid, unavailable},
};

/// Longer words of an engine are cut: some quote what they were sent.
const LONGEST_TEXT: usize = 600;

/// What went wrong with one act.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The engine answered, and did not do it.
    Refused { status: u16, message: String },
    /// There is no engine, or it has stopped in the middle.
    Gone(String),
}

impl Trouble {
    pub(super) fn is(&self, wanted: u16) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == wanted)
    }

    pub(super) fn says(&self, words: &[&str]) -> bool {
        let text = self.to_string().to_lowercase();
        words.iter().any(|word| text.contains(word))
    }

    /// As an answer to a plugin.
    pub(super) fn doing(self, what: &str) -> Failure {
        match self {
            Self::Refused { status: 404, message } => {
                let message = format!("cannot {what}: {message}");
                Failure::Answer(Error::new(Code::NotFound, message))
            }
            Self::Refused { status: 409, message } => conflict(format!("cannot {what}: {message}")),
            Self::Refused { status: 400, message } => invalid(format!("cannot {what}: {message}")),
            // 403 is also said of what is in the way: ranges of addresses that overlap.
            Self::Refused { status: 401, message } => denied(format!("cannot {what}: {message}")),
            Self::Refused { message, .. } => {
                Failure::Answer(Error::new(Code::Failed, format!("cannot {what}: {message}")))
            }
            Self::Gone(why) => unavailable(format!("cannot {what}: {why}")),
        }
    }
}

impl From<Cause> for Trouble {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::DockerResponseServerError { status_code, message } => {
                Self::Refused { status: status_code, message: clean(&message) }
            }
            Cause::DockerStreamError { error } => {
                Self::Refused { status: 500, message: clean(&error) }
            }
            // Its text may quote the answer, and with it what is secret.
            Cause::JsonDataError { .. } | Cause::JsonSerdeError { .. } => Self::Refused {
                status: 500,
                message: "the engine's answer makes no sense".to_owned(),
            },
            Cause::SocketNotFoundError(_) => Self::Gone("there is no such socket".to_owned()),
            Cause::RequestTimeoutError => Self::Gone("it took too long".to_owned()),
            other => Self::Gone(clean(&deepest(&other))),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { message, .. } => formatter.write_str(message),
            Self::Gone(why) => formatter.write_str(why),
        }
    }
}

/// hyper's outermost text is "client error (Connect)"; the innermost says why.
fn deepest(error: &Cause) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(inner) = next {
        text = inner.to_string();
        next = inner.source();
    }
    text
}

/// One line, and not a long one.
fn clean(text: &str) -> String {
    let line: String =
        text.trim().chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    match line.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None if line.is_empty() => "it says nothing".to_owned(),
        None => line,
    }
}
