//! Containers to work in: made from images, with programs that run in them and files that stay.
//!
//! The tools are those of mcp-devbench, by name, arguments and results.

mod spawn;
mod attach;
mod kill;
mod exec;
mod poll;
mod messages;
mod read;
mod write;
mod list;
mod batch;
mod archive;
mod lists;
mod health;
mod upkeep;
mod place;
mod entry;
mod encoding;
mod mime;
mod counters;
mod error;

use schemars::JsonSchema;
use serde::Deserialize;

use archive::{FsExport, FsImport};
use attach::Attach;
use batch::FsBatch;
use exec::{ExecCancel, ExecStart};
use health::{Health, SystemStatus};
use kill::Kill;
use list::{FsList, FsStat};
use lists::{ListContainers, ListExecs};
use poll::ExecPoll;
use read::FsRead;
use spawn::Spawn;
use upkeep::{GarbageCollect, Reconcile};
use write::{FsDelete, FsWrite};

/// Clients of mcp-devbench put all arguments under this name.
const WRAPPED: Option<&str> = Some("input_data");

/// What can be set.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// After how many days an attachment is forgotten. 7 where nothing is said.
    transient_gc_days: Option<String>,
}

windlass_sdk::plugin! {
    instructions: "`spawn` makes a container; its `container_id`, or its alias, is what the other tools take. \
        Programs run without privileges on a read-only system: they write to `/workspace` and `/tmp`, and reach only \
        hosts that the operator granted. `exec_start` starts a program and `exec_poll` reads its output, best with `wait_s`. \
        The `fs_` tools work on `/workspace`, also while nothing runs; pass the `etag` that you read as `if_match_etag` \
        to write only what nobody has changed meanwhile. `kill` removes a container when it is not needed any more.",
    asks: include_str!("../grants.toml"),
    config: Settings,
    tools: [
        Spawn, Attach, Kill, ExecStart, ExecPoll, ExecCancel, FsRead, FsWrite, FsDelete, FsStat, FsList, FsBatch,
        FsExport, FsImport, ListContainers, ListExecs, Health, SystemStatus, Reconcile, GarbageCollect,
    ],
}
