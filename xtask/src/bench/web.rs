//! A client over HTTP: one connection that stays open, one request at a time, the stateless protocol.

use anyhow::Result;

use super::{http::Http, line::message};

const META: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"0"}}"#;

pub(super) struct Web {
    http: Http,
    authority: String,
    /// A header line, or nothing.
    token: String,
}

impl Web {
    pub(super) fn connect(authority: &str) -> Result<Self> {
        let (http, authority) = (Http::connect(authority)?, authority.to_owned());
        Ok(Self { http, authority, token: String::new() })
    }

    /// The same as whoever has this token.
    pub(super) fn with_token(self, token: &str) -> Self {
        Self { token: format!("Authorization: Bearer {token}\r\n"), ..self }
    }

    /// Reads the page of figures.
    pub(super) fn scrape(&mut self) -> Result<&str> {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", self.authority);
        Ok(str::from_utf8(self.http.ask(&request)?)?)
    }

    /// Calls a tool; gives the body of the answer, JSON or an event stream.
    pub(super) fn call(&mut self, tool: &str, arguments: &str) -> Result<&str> {
        let parameters =
            format!("{{\"name\":\"{tool}\",\"arguments\":{arguments},\"_meta\":{META}}}");
        let body = message(1, "tools/call", &parameters);
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\n{}Content-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
             Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\nContent-Length: {}\r\n\r\n{body}",
            self.authority,
            self.token,
            body.len(),
        );
        Ok(str::from_utf8(self.http.ask(&request)?)?)
    }
}
