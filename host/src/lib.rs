//! The host, in reading order: a command line is understood in `command`, a call comes in through `server`,
//! finds its plugin in `registry`, runs in `plugin`, and reaches the world through `capability`, which asks
//! `policy` and then acts through a door: `disk`, `database`, `web`, or `docker` and `inside`, which `life` joins.

pub mod command;
pub mod server;
pub mod access;
pub mod audit;
pub mod admission;
pub mod registry;
pub mod plugin;
pub mod capability;
pub mod policy;
pub mod jobs;
pub mod life;
pub mod docker;
pub mod inside;
pub mod disk;
pub mod database;
pub mod web;
pub mod config;
pub mod secrets;
pub mod private;
pub mod time;
pub mod visible;
pub mod bundled;
pub mod error;
