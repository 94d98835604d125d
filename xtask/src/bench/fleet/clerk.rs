//! A client of the plugin, and beside it one that asks Coder itself over a connection of its own.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{
    super::{
        desk::{parameters, result},
        http::Http,
        line::Line,
    },
    coder::{Coder, TOKEN},
};
use crate::serve::Server;

/// The most agents that one answer has.
const PAGE: usize = 1_000;

pub(super) struct Clerk {
    line: Line,
    bare: Http,
    authority: String,
}

impl Clerk {
    pub(super) fn start(server: &Server, coder: &Coder) -> Result<Self> {
        let authority = coder.origin().trim_start_matches("http://").to_owned();
        Ok(Self { line: Line::start(server)?, bare: Http::connect(&authority)?, authority })
    }

    pub(super) fn process(&self) -> u32 {
        self.line.process()
    }

    /// Asks Coder itself, and reads all of its answer.
    pub(super) fn ask(&mut self, path: &str) -> Result<()> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nCoder-Session-Token: {TOKEN}\r\n\r\n",
            self.authority
        );
        self.bare.ask(&request).map(drop)
    }

    pub(super) fn call(&mut self, tool: &str, arguments: &Value) -> Result<Value> {
        result(self.line.answer("tools/call", &parameters(tool, arguments))?)
    }

    /// Calls a tool, and looks at nothing that it answers.
    pub(super) fn measure(&mut self, tool: &str, arguments: &Value) -> Result<()> {
        self.line.request("tools/call", &parameters(tool, arguments))
    }

    /// Lists all agents, page by page, and looks at nothing but where the next page begins.
    pub(super) fn list(&mut self) -> Result<()> {
        let mut arguments = json!({"limit": PAGE});
        loop {
            let parameters = parameters("list_all_agents", &arguments);
            let answer = self.line.answer("tools/call", &parameters)?;
            let Some((_, rest)) = answer.split_once("\"next_cursor\":\"") else { return Ok(()) };
            let (cursor, _) = rest.split_once('"').context("a cursor without an end")?;
            arguments["cursor"] = cursor.into();
        }
    }

    /// The same, and all of them.
    pub(super) fn agents(&mut self) -> Result<Vec<Value>> {
        let (mut arguments, mut agents) = (json!({"limit": PAGE}), Vec::new());
        loop {
            let page = self.call("list_all_agents", &arguments)?;
            agents.extend(page["result"].as_array().context("no list")?.iter().cloned());
            let Some(cursor) = page["next_cursor"].as_str() else { return Ok(agents) };
            arguments["cursor"] = cursor.into();
        }
    }
}
