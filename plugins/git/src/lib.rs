//! Git on workspaces: in a container, with nothing in the repository that it would run.

mod command;
mod clone;
mod status;
mod diff;
mod log;
mod commit;
mod branch;
mod exchange;
mod merge;
mod worktree;

use branch::GitBranch;
use clone::GitClone;
use command::Git;
use commit::GitCommit;
use diff::GitDiff;
use exchange::{GitFetch, GitPull, GitPush};
use log::GitLog;
use merge::GitMerge;
use status::GitStatus;
use windlass_repository::Settings;
use worktree::GitWorktree;

windlass_sdk::plugin! {
    instructions: "A session is a workspace with a git repository: `git_clone` makes one, and its `session_id` is what the other \
        tools take, those of other plugins too. Git runs in a container: hooks, filters and programs that a repository \
        brings along have no effect, and only `git_clone`, `git_fetch`, `git_pull` and `git_push` reach the network, to hosts \
        that the operator granted. Passwords are the operator's affair: never put one into an address. `git` takes a command \
        line; the other tools take and give structured values.",
    asks: include_str!("../grants.toml"),
    config: Settings,
    tools: [
        Git, GitClone, GitStatus, GitDiff, GitLog, GitCommit, GitBranch, GitPush, GitPull, GitFetch, GitMerge, GitWorktree,
    ],
}
