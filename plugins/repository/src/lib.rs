//! Git repositories in workspaces: how they are cloned, looked at and changed, in containers that trust nothing in them.
//!
//! A session is a workspace, and its id is the workspace's. Git never runs on the host: all local work happens in a container
//! without a network, and what needs one (clone, fetch, push) in another that never runs anything of the repository's.
//! Git does not read the repository's own configuration either: see [`config`].

mod settings;
mod repository;
mod clone;
mod exchange;
mod merge;
mod status;
mod changes;
mod command;
mod options;
mod table;
mod words;
mod address;
pub mod config;
mod writing;
mod environment;
mod run;
mod script;
mod toolbox;
mod failure;

pub use address::Address;
pub use changes::{ChangedFile, Changes, DiffStat};
pub use clone::{Checkout, CloneOptions};
pub use command::Command;
pub use exchange::is_session;
pub use failure::{conflict, git as git_failure, of, session_not_found, validation};
pub use merge::{Merge, Torn};
pub use options::{check_branch, check_place, check_revision};
pub use repository::Repository;
pub use run::{Limits, Ran};
pub use settings::{Credential, Settings};
pub use status::{Change, Conflict, Status};
