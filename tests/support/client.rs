//! Asks a server on this machine over one connection that is kept.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;

use super::PATIENCE;

pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    authority: String,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// The origin is `http://host:port`.
    pub(crate) fn of(origin: &str) -> Self {
        let authority = origin.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&authority).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { reader: BufReader::new(stream), authority }
    }

    /// None: the connection ended before the answer did.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Option<Reply> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.authority);
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request +=
                &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        self.reader.get_mut().write_all(format!("{request}\r\n{body}").as_bytes()).ok()?;
        self.read()
    }

    fn read(&mut self) -> Option<Reply> {
        let status = self.line()?.split(' ').nth(1)?.parse().ok()?;
        let mut reply = Reply { status, headers: Vec::new(), body: Vec::new() };
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            reply.headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        if reply.header("transfer-encoding") == Some("chunked") {
            while self.chunk(&mut reply.body)? {}
        } else {
            let length = reply.header("content-length").map_or(Some(0), |it| it.parse().ok())?;
            self.take(length, &mut reply.body)?;
        }
        Some(reply)
    }

    /// Whether it was not the last one.
    fn chunk(&mut self, body: &mut Vec<u8>) -> Option<bool> {
        let length = usize::from_str_radix(&self.line()?, 16).ok()?;
        self.take(length, body)?;
        self.line()?;
        Some(length > 0)
    }

    fn take(&mut self, length: usize, body: &mut Vec<u8>) -> Option<()> {
        let before = body.len();
        self.reader.by_ref().take(length as u64).read_to_end(body).ok()?;
        (body.len() == before + length).then_some(())
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok().filter(|&length| length > 0)?;
        Some(line.trim_end().to_owned())
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Null where it is no JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}
