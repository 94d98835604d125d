//! An engine's own API, as bare as it can be: a connection, a request, an answer to the end of the connection.
//!
//! The tests look with it at what the host made, and the bench measures the host beside it.

use std::{
    io::{self, BufRead as _, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// No engine is so slow, not even at pulling down a hundred containers at once, or at taking in gigabytes.
const PATIENCE: Duration = Duration::from_secs(600);

const JSON: &str = "application/json";
const ARCHIVE: &str = "application/x-tar";

/// Where an engine listens: `unix:///path` or `tcp://host:port`.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    address: String,
}

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

impl Api {
    pub(crate) fn new(address: impl Into<String>) -> Self {
        Self { address: address.into() }
    }

    /// As `DOCKER_HOST` has it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn answers(&self) -> bool {
        self.send("GET", "/_ping", JSON, io::empty(), 0).is_ok()
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        parse(&self.send("GET", path, JSON, io::empty(), 0)?)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        parse(&self.post_for_bytes(path, body)?)
    }

    /// The same where no JSON comes out, but the output of an exec. Null is no body: an engine that reads none resets a
    /// connection on which one is left.
    pub(crate) fn post_for_bytes(&self, path: &str, body: &Value) -> Result<Vec<u8>> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send("POST", path, JSON, body.as_bytes(), body.len() as u64)
    }

    /// An archive of this length goes in, which need not fit into memory.
    pub(crate) fn post_archive(&self, path: &str, archive: impl Read, length: u64) -> Result<()> {
        self.send("POST", path, ARCHIVE, archive, length).map(drop)
    }

    /// Makes an image of the files in an archive of this length, with what is said of it besides.
    pub(crate) fn import(
        &self,
        image: &str,
        archive: impl Read,
        length: u64,
        changes: &[&str],
    ) -> Result<()> {
        let (name, tag) = image.split_once(':').unwrap_or((image, "latest"));
        let changes = changes.iter().map(|change| format!("&changes={}", encoded(change)));
        let changes: String = changes.collect();
        let path = format!("/images/create?fromSrc=-&repo={name}&tag={tag}{changes}");
        self.post_archive(&path, archive, length)
    }

    pub(crate) fn delete(&self, path: &str) -> Result<()> {
        self.send("DELETE", path, JSON, io::empty(), 0).map(drop)
    }

    /// HTTP/1.0, so that no answer comes in chunks.
    fn send(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        mut body: impl Read,
        length: u64,
    ) -> Result<Vec<u8>> {
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: engine\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut stream = self.connect()?;
        stream.write_all(head.as_bytes())?;
        io::copy(&mut body, &mut stream)?;
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                bail!("{} closed the connection", self.address);
            }
        }
        let mut answer = Vec::new();
        reader.read_to_end(&mut answer)?;
        let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
        match status.unwrap_or(0) {
            // 304: it was so already.
            200..=299 | 304 => Ok(answer),
            status => {
                bail!("{method} {path}: {status}: {}", String::from_utf8_lossy(&answer).trim())
            }
        }
    }

    fn connect(&self) -> Result<Box<dyn Stream>> {
        let context = || format!("nothing answers at `{}`", self.address);
        if let Some(path) = self.address.strip_prefix("unix://") {
            let stream = UnixStream::connect(path).with_context(context)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            return Ok(Box::new(stream));
        }
        let Some(place) = self.address.strip_prefix("tcp://") else {
            bail!("`{}` is neither `unix://…` nor `tcp://…`", self.address);
        };
        let stream = TcpStream::connect(place).with_context(context)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Box::new(stream))
    }
}

/// For the query of an address.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn parse(answer: &[u8]) -> Result<Value> {
    if answer.is_empty() {
        return Ok(Value::Null);
    }
    Ok(serde_json::from_slice(answer)?)
}
