//! Tasks for opencode, in sessions that are a container each.
//!
//! The tools are those of the server opencode-as-mcp, by name, arguments and states. A session is a workspace: its id is good in
//! every plugin. A run is a job: the host keeps it, and begins it again where it was interrupted.

mod create;
mod submit;
mod run;
mod status;
mod artifacts;
mod end;
mod list;
mod show;
mod follow;
mod watch;
mod event;
mod ending;
mod sse;
mod consent;
mod record;
mod summary;
mod artifact;
mod changes;
mod house;
mod launch;
mod extras;
mod server;
mod session;
mod schema;
mod provider;
mod settings;
mod id;
mod error;

use artifacts::{ListArtifacts, ReadArtifact};
use create::CreateOrReuseSession;
use end::{CancelRun, TerminateSession};
use list::{OpencodeRuns, OpencodeSessions};
use run::Task;
use settings::Settings;
use status::{GetRunLogs, GetStatus};
use submit::SubmitTask;

windlass_sdk::plugin! {
    instructions: "`create_or_reuse_session` makes a session, `submit_task` gives its agent a task and answers at once; poll `get_status` \
        until `run.state` is `completed`, `failed` or `canceled`. `run.final_output` is what the agent said; `list_artifacts` and \
        `read_artifact` show what it left, `changes.diff` among it. The session's id is a workspace for the tools of other plugins: \
        clone with `git_clone` and name the workspace in `create_or_reuse_session`, or write files there. `terminate_session` ends it.",
    asks: include_str!("../grants.toml"),
    config: Settings,
    tools: [
        CreateOrReuseSession, SubmitTask, GetStatus, GetRunLogs, ListArtifacts, ReadArtifact, CancelRun, TerminateSession,
        OpencodeSessions, OpencodeRuns,
    ],
    jobs: [Task],
}
