//! Compose: stacks that a file describes, made and kept as it says.
//!
//! What is pure goes from the file's text to a plan, and from a plan and what there is to what has to change; `work` acts.

mod deploy;
mod work;
mod stage;
mod difference;
mod made;
mod heirlooms;
mod watch;
mod undo;
mod reply;
mod down;
mod look;
mod turn;
mod stack;
mod missing;
mod found;
mod record;
mod source;
mod settings;
mod load;
mod yaml;
mod interpolate;
mod dotenv;
mod extends;
mod place;
mod support;
mod read;
mod service;
mod process;
mod ports;
mod mounts;
mod networking;
mod limits;
mod given;
mod top;
mod plan;
mod levels;
#[cfg(test)]
mod mutations;

pub(crate) use deploy::DeployCompose;
pub(crate) use down::{ComposeDown, Down};
pub(crate) use look::{ComposeLogs, ComposePs};
pub(crate) use settings::Settings;
pub(crate) use turn::{ComposeRestart, ComposeStart, ComposeStop};
pub(crate) use work::Work;
