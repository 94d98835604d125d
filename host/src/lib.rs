//! The host, in reading order: a command line is understood in `command`, a call comes in through `server`,
//! finds its plugin in `registry`, runs in `plugin`, and reaches the world through `capability`, which asks
//! `policy` and then acts through `database`, `disk` or `web`.

pub mod command;
pub mod server;
pub mod registry;
pub mod plugin;
pub mod capability;
pub mod policy;
pub mod database;
pub mod disk;
pub mod web;
pub mod config;
pub mod secrets;
pub mod private;
pub mod bundled;
pub mod error;
