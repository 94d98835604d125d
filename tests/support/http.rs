//! A host that serves HTTP, and the plainest of clients for it.

use std::{
    io::{BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{MODERN, PATIENCE, Setup, collect, ended::whole, until, wait};

/// A running host that serves HTTP.
pub(crate) struct HttpHost {
    pub(crate) setup: Setup,
    child: Child,
    errors: Arc<Mutex<String>>,
    /// `127.0.0.1:port`
    pub(crate) address: String,
    /// In place of the token of the state directory.
    key: Option<String>,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Setup {
    /// Starts `windlass serve --http` on a free port.
    pub(crate) fn http(self) -> HttpHost {
        let mut child = self.command(&["serve", "--http"]).spawn().unwrap();
        let errors = collect(child.stderr.take().unwrap());
        let url = |text: &str| {
            let (_, rest) = text.split_once("listening on http")?;
            let (_, rest) = rest.split_once("://")?;
            Some(rest.split_once("/mcp")?.0.to_owned())
        };
        until("the host tells where it listens", || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "the host ended: {}", errors.lock().unwrap());
            url(&errors.lock().unwrap()).is_some()
        });
        let address = url(&errors.lock().unwrap()).unwrap();
        HttpHost { setup: self, child, errors, address, key: None }
    }
}

impl HttpHost {
    /// From here on requests are those of whoever has this token.
    pub(crate) fn speak_as(&mut self, key: &str) {
        self.key = Some(key.to_owned());
    }

    pub(crate) fn token(&self) -> String {
        if let Some(key) = &self.key {
            return key.clone();
        }
        std::fs::read_to_string(self.setup.state().join("token")).unwrap().trim().to_owned()
    }

    /// Sends a request with these header lines, and reads the answer to its end.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|header| header.to_lowercase().starts_with("host:")) {
            request += &format!("Host: {}\r\n", self.address);
        }
        for header in headers {
            request += &format!("{header}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let mut stream = self.connect();
        // A host that refuses early need not read all of it.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Answer::parse(&String::from_utf8_lossy(&answer))
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends a request whose answer is a stream, and gives that.
    pub(crate) fn stream(
        &self,
        method: &str,
        headers: &[&str],
        body: &str,
    ) -> BufReader<TcpStream> {
        let mut connection = self.connect();
        let (address, token, length) = (&self.address, self.token(), body.len());
        let mut request = format!("{method} /mcp HTTP/1.1\r\nHost: {address}\r\n{ACCEPT}\r\n");
        request += &format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        for header in headers {
            request += &format!("{header}\r\n");
        }
        request += &format!("Content-Length: {length}\r\n\r\n{body}");
        connection.write_all(request.as_bytes()).unwrap();
        BufReader::new(connection)
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits until it has ended by itself, and gives all that it wrote to stderr.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = wait(&mut self.child);
        (status, whole(&self.errors.clone(), 2))
    }

    /// A POST of a message as a client of the second era sends it, with the token.
    pub(crate) fn post(&self, message: &Value, headers: &[&str]) -> Answer {
        self.post_as(&self.token(), message, headers)
    }

    fn post_as(&self, key: &str, message: &Value, headers: &[&str]) -> Answer {
        let token = format!("Authorization: Bearer {key}");
        let mut all = vec!["Content-Type: application/json", ACCEPT, &token];
        all.extend(headers);
        self.send("POST", "/mcp", &all, &message.to_string())
    }

    /// A request of the second era, with its headers.
    pub(crate) fn request(&self, method: &str, parameters: Value) -> Answer {
        self.request_with(method, parameters, &json!({}))
    }

    /// The same by whoever has this token: several may speak at once.
    pub(crate) fn request_as(&self, key: &str, method: &str, parameters: Value) -> Answer {
        let (message, headers) = modern(method, parameters, &json!({}));
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        self.post_as(key, &message, &headers)
    }

    /// The same with more in its `_meta`.
    pub(crate) fn request_with(&self, method: &str, parameters: Value, meta: &Value) -> Answer {
        let (message, headers) = modern(method, parameters, meta);
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        self.post(&message, &headers)
    }

    pub(crate) fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    /// Ends it, and gives back its setup and all that it ever wrote to stderr.
    pub(crate) fn end(mut self) -> (Setup, String) {
        self.child.kill().unwrap();
        wait(&mut self.child);
        let said = whole(&self.errors.clone(), 2);
        (std::mem::replace(&mut self.setup, Setup::new()), said)
    }

    /// Asks it to end, as an operator does, and waits until it has. Gives back the same.
    pub(crate) fn stop(mut self) -> (Setup, String) {
        let pid = self.pid().to_string();
        assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
        wait(&mut self.child);
        let said = whole(&self.errors.clone(), 2);
        (std::mem::replace(&mut self.setup, Setup::new()), said)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for HttpHost {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        wait(&mut self.child);
    }
}

/// A request of the second era, and the headers that say the same.
pub(crate) fn modern(method: &str, mut parameters: Value, meta: &Value) -> (Value, Vec<String>) {
    parameters["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    for (key, value) in meta.as_object().unwrap() {
        parameters["_meta"][key] = value.clone();
    }
    let name = parameters.get("name").or(parameters.get("uri")).and_then(Value::as_str);
    let name = name.map(|name| format!("Mcp-Name: {name}"));
    let mut headers =
        vec![format!("MCP-Protocol-Version: {MODERN}"), format!("Mcp-Method: {method}")];
    headers.extend(name);
    (json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}), headers)
}

/// Posts JSON to somebody on this machine, who closes the connection.
pub(crate) fn post(place: &str, path: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(place).unwrap();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: {place}\r\nContent-Length: {length}\r\n");
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    Answer::read(&mut stream)
}

/// What every client of the protocol sends.
pub(crate) const ACCEPT: &str = "Accept: application/json, text/event-stream";

impl Answer {
    /// Reads what comes until the host closes the connection.
    pub(crate) fn read(stream: &mut TcpStream) -> Self {
        let mut answer = Vec::new();
        // What came before a connection broke is an answer as well.
        let _ = stream.read_to_end(&mut answer);
        Self::parse(&String::from_utf8_lossy(&answer))
    }

    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or_default();
        let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { dechunk(body) } else { body.to_owned() };
        Self { status, head: head.to_owned(), body }
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The last message of the body, whether it is JSON or a stream of events.
    pub(crate) fn message(&self) -> Value {
        let mut events = self.body.lines().filter_map(|line| line.strip_prefix("data:"));
        let last = events.rfind(|data| !data.trim().is_empty());
        serde_json::from_str(last.unwrap_or(&self.body)).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

fn dechunk(mut rest: &str) -> String {
    let mut whole = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or_default();
        let Some(chunk) = after.get(..size) else { break };
        if size == 0 {
            break;
        }
        whole.push_str(chunk);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    whole
}
