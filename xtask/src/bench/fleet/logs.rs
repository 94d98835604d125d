//! A page of a log that is longer than anything should hold.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::{
    super::{desk::text, process},
    clerk::Clerk,
    coder::Coder,
    lists::took,
};
use crate::serve::Server;

const TOOL: &str = "get_agent_execution_logs";
const PAGE: usize = 200;

/// The newest lines: how long they take, in milliseconds, how much more than before the host holds meanwhile, in MB,
/// and how long it takes to read all of it from Coder itself.
pub(super) fn page(server: &Server, coder: &Coder, lines: u64) -> Result<[f64; 3]> {
    let mut clerk = Clerk::start(server, coder)?;
    let busy = clerk.call("list_all_agents", &json!({"status": "busy", "limit": 1}))?;
    let agent = &busy["result"][0];
    let (user, id) = (text(&agent["user"])?, text(&agent["id"])?);
    let arguments = json!({"user": user, "agent_id": id, "limit": PAGE});
    clerk.call(TOOL, &arguments)?;
    coder.many_logs(&id, lines);
    let before = process::resident(clerk.process())?;
    let mut page = json!(null);
    let ours = took(|| {
        page = clerk.call(TOOL, &arguments)?;
        Ok(())
    })?;
    let growth = process::peak(clerk.process())? - before;
    let entries = page["data"].as_array().context("no page")?;
    ensure!(entries.len() == PAGE, "the page has {} lines and not {PAGE}", entries.len());
    let bare = took(|| clerk.ask(&format!("/api/v2/tasks/{user}/{id}/logs")))?;
    Ok([ours, growth, bare])
}
