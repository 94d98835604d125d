//! A client over HTTP: one connection that stays open, one request at a time, the stateless protocol.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

/// A server that is silent for so long has lost the request.
const SILENCE: Duration = Duration::from_secs(60);

const META: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"0"}}"#;

pub(super) struct Web {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    authority: String,
    line: String,
    body: Vec<u8>,
}

impl Web {
    pub(super) fn connect(authority: &str) -> Result<Self> {
        let stream = TcpStream::connect(authority).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        let reader = BufReader::new(stream.try_clone()?);
        let authority = authority.to_owned();
        Ok(Self { stream, reader, authority, line: String::new(), body: Vec::new() })
    }

    /// Calls a tool; gives the body of the answer, JSON or an event stream.
    pub(super) fn call(&mut self, tool: &str, arguments: &str) -> Result<&str> {
        let parameters =
            format!("{{\"name\":\"{tool}\",\"arguments\":{arguments},\"_meta\":{META}}}");
        let body = super::line::message(1, "tools/call", &parameters);
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
             Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\nContent-Length: {}\r\n\r\n{body}",
            self.authority,
            body.len(),
        );
        self.stream.write_all(request.as_bytes())?;
        self.read()?;
        Ok(str::from_utf8(&self.body)?)
    }

    fn read(&mut self) -> Result<()> {
        self.body.clear();
        let status = self.read_line()?.to_owned();
        let (mut length, mut chunked) = (0, false);
        loop {
            let header = self.read_line()?.to_ascii_lowercase();
            match header.split_once(':') {
                None => break,
                Some(("content-length", value)) => length = value.trim().parse()?,
                Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
                Some(_) => {}
            }
        }
        if chunked {
            self.read_chunks()?;
        } else {
            self.read_bytes(length)?;
        }
        if !status.contains(" 200 ") {
            bail!("{status}: {}", String::from_utf8_lossy(&self.body));
        }
        Ok(())
    }

    fn read_chunks(&mut self) -> Result<()> {
        loop {
            let length = usize::from_str_radix(self.read_line()?, 16)?;
            self.read_bytes(length)?;
            self.read_line()?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    fn read_bytes(&mut self, length: usize) -> Result<()> {
        let start = self.body.len();
        self.body.resize(start + length, 0);
        let part = self.body.get_mut(start..).unwrap_or_default();
        Ok(self.reader.read_exact(part)?)
    }

    fn read_line(&mut self) -> Result<&str> {
        self.line.clear();
        if self.reader.read_line(&mut self.line)? == 0 {
            bail!("the server closed the connection");
        }
        Ok(self.line.trim_end())
    }
}
