//! Requests to the hosts that the grants name.

use std::io::{self, BufRead, Cursor, Read};

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, types::Value};

use crate::bindings::windlass::plugin::http::Request as Inner;
pub use crate::bindings::windlass::plugin::http::{Body, Method, Response, send};

/// How much of an answer is read at a time.
const CHUNK: u32 = 64 << 10;

/// A request that is being put together.
pub struct Request(Inner);

impl Request {
    /// A request without headers or body.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        let url = url.into();
        Self(Inner { method, url, headers: Vec::new(), body: Vec::new(), timeout_ms: None })
    }

    /// Asks for what is there.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.headers.push((name.to_owned(), Value::Plain(value.into())));
        self
    }

    /// Adds a header whose value the host puts in place.
    #[must_use]
    pub fn secret_header(mut self, name: &str, secret: &str) -> Self {
        self.0.headers.push((name.to_owned(), Value::Secret(secret.to_owned())));
        self
    }

    /// Sends a value as JSON.
    pub fn json(mut self, value: &impl Serialize) -> Result<Self, Error> {
        self.0.body = serde_json::to_vec(value)?;
        Ok(self.header("content-type", "application/json"))
    }

    /// Gives up when the answer's head takes longer, or a piece of its body.
    #[must_use]
    pub fn timeout_ms(mut self, timeout: u32) -> Self {
        self.0.timeout_ms = Some(timeout);
        self
    }

    /// Sends it.
    pub fn send(&self) -> Result<Response, Error> {
        send(&self.0)
    }
}

impl Response {
    /// The value of a header, if there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        let same = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.headers.iter().find(same).map(|(_, value)| value.as_str())
    }

    /// All of the answer's body.
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.body.read(CHUNK)? {
            bytes.extend(chunk);
        }
        Ok(bytes)
    }

    /// The answer's body, as it comes in.
    pub fn reader(&self) -> Reader<'_> {
        Reader { body: &self.body, chunk: Cursor::default() }
    }

    /// All of the answer's body, as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        Ok(serde_json::from_slice(&self.bytes()?)?)
    }
}

/// Reads a body without holding more of it than one chunk. An [`Error`] of the host is inside those that it gives.
pub struct Reader<'a> {
    body: &'a Body,
    chunk: Cursor<Vec<u8>>,
}

impl BufRead for Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.chunk.fill_buf()?.is_empty()
            && let Some(chunk) = self.body.read(CHUNK).map_err(io::Error::other)?
        {
            self.chunk = Cursor::new(chunk);
        }
        self.chunk.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.chunk.consume(count);
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}
