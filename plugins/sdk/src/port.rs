//! HTTP with a server that listens in a container, over a connection to its port.
//!
//! One request on one connection. Nothing is believed of what the server says: heads and bodies have a limit, and each
//! wait has an end.

mod answer;
mod stream;

use serde::Serialize;

use crate::{
    Error, clock,
    containers::{Connection, Container},
    types::Code,
};

pub use answer::Answer;
pub use stream::Stream;

/// How much is read at a time.
const PORTION: u32 = 64 << 10;
/// A larger body is refused where nobody said otherwise.
const MOST: usize = 4 << 20;
/// How long an answer may take where nobody said otherwise.
const PATIENCE_MS: u32 = 10_000;

/// A port of loopback in a container.
pub struct Port<'a> {
    container: &'a Container,
    number: u16,
}

/// A request that is being put together.
pub struct Request<'a> {
    port: &'a Port<'a>,
    head: String,
    body: Vec<u8>,
    most: usize,
    patience_ms: u32,
}

impl Container {
    /// The server that listens on this port inside.
    pub fn port(&self, number: u16) -> Port<'_> {
        Port { container: self, number }
    }
}

impl Port<'_> {
    /// Asks for what is at a path.
    pub fn get(&self, path: &str) -> Result<Request<'_>, Error> {
        self.request("GET", path)
    }

    /// Sends something to a path.
    pub fn post(&self, path: &str) -> Result<Request<'_>, Error> {
        self.request("POST", path)
    }

    /// Any other request. The path may have a query.
    pub fn request(&self, method: &str, path: &str) -> Result<Request<'_>, Error> {
        check_line("a path", path)?;
        if !path.starts_with('/') || path.contains(' ') {
            return Err(Error::invalid(format!("`{path}` is no path such as `/health`")));
        }
        let head = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n", self.number);
        let (body, most, patience_ms) = (Vec::new(), MOST, PATIENCE_MS);
        Ok(Request { port: self, head, body, most, patience_ms })
    }
}

impl Request<'_> {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        check_line("a header", name)?;
        check_line("a header", value)?;
        self.head.push_str(&format!("{name}: {value}\r\n"));
        Ok(self)
    }

    /// Sends a value as JSON.
    pub fn json(mut self, value: &impl Serialize) -> Result<Self, Error> {
        self.body = serde_json::to_vec(value)?;
        self.header("content-type", "application/json")
    }

    /// Takes an answer with a body of up to so many bytes.
    #[must_use]
    pub fn most(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self
    }

    /// Gives up where the whole answer takes longer.
    #[must_use]
    pub fn patience_ms(mut self, ms: u32) -> Self {
        self.patience_ms = ms;
        self
    }

    /// Sends it, and reads the answer to its end.
    pub fn send(self) -> Result<Answer, Error> {
        let (end, most) = (self.end(), self.most);
        let connection = self.dispatch(end)?;
        answer::read(|| portion(&connection, end), most)
    }

    /// Sends it, and reads the head of the answer. The body is read as it comes.
    pub fn stream(self) -> Result<Stream, Error> {
        let end = self.end();
        let connection = self.dispatch(end)?;
        let (head, extent, held) = answer::read_head(|| portion(&connection, end))?;
        Ok(Stream::new(connection, head, &extent, held))
    }

    fn end(&self) -> u64 {
        clock::now() + u64::from(self.patience_ms)
    }

    fn dispatch(self, end: u64) -> Result<Connection, Error> {
        let connection = self.port.container.connect(self.port.number)?;
        connection.patience(left(end)?);
        let length = self.body.len();
        let mut bytes =
            format!("{}content-length: {length}\r\nconnection: close\r\n\r\n", self.head)
                .into_bytes();
        bytes.extend(self.body);
        connection.write(&bytes)?;
        Ok(connection)
    }
}

/// What comes next, as long as there is time for it.
fn portion(connection: &Connection, end: u64) -> Result<Option<Vec<u8>>, Error> {
    connection.patience(left(end)?);
    connection.read(PORTION)
}

/// How long there still is. A server that sends a byte now and then gets no more.
fn left(end: u64) -> Result<u32, Error> {
    match u32::try_from(end.saturating_sub(clock::now())) {
        Ok(left) if left > 0 => Ok(left),
        _ => Err(Error::new(Code::Timeout, "the server in the container takes too long to answer")),
    }
}

/// What would end a line ends the head, too, and begins another request.
fn check_line(what: &str, text: &str) -> Result<(), Error> {
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(format!("{what} holds a control character")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_line;

    #[test]
    fn nothing_ends_a_line_early() {
        assert!(check_line("a path", "/a?b=c%20d").is_ok());
        for bad in ["/a\r\nx: y", "/a\n", "\0", "/\x7f"] {
            assert!(check_line("a path", bad).is_err(), "{bad:?}");
        }
    }
}
