//! Coding tasks for OpenHands, on sessions that are a repository each.
//!
//! The tools are those of the OpenHands MCP server, by name, arguments and results. A session is a workspace: its id is good
//! in every plugin. Git is left to the crate `windlass-repository`.

mod start_session;
mod code;
mod status;
mod cancel;
mod cleanup;
mod list;
mod teardown;
mod archive;
mod follow;
mod headless;
mod trajectory;
mod server;
mod events;
mod lenient;
mod provider;
mod world;
mod session;
mod task;
mod tree;
mod output;
mod settings;
mod id;
mod error;

use cancel::CancelCodingTask;
use cleanup::CleanupCodingTasks;
use code::Code;
use list::ListSessions;
use settings::Settings;
use start_session::StartSession;
use status::{CodingTaskStatus, GetCodingTaskStatus};
use teardown::Teardown;

windlass_sdk::plugin! {
    instructions: "`start_session` clones a repository; its `session_id` is what the other tools take. `code` gives an agent a task \
        there and answers at once; look with `get_coding_task_status` until `outcome` is not `running` any more. The agent works on \
        the files of the session and neither commits nor pushes unless it is told to. `teardown` ends a session and archives what \
        was not pushed.",
    asks: include_str!("../grants.toml"),
    config: Settings,
    tools: [
        StartSession, Code, GetCodingTaskStatus, CodingTaskStatus, CancelCodingTask, CleanupCodingTasks, ListSessions, Teardown,
    ],
}
