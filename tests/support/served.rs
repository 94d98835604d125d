//! The least of an HTTP server for the tests: a thread for each connection, one request on each.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

/// The name by which a container asks for this machine, where a grant lets it.
pub(crate) const THIS_MACHINE: &str = "host.docker.internal";

/// A request, whole.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With its query.
    pub(crate) target: String,
    headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// What is sent back: whole, or in pieces with a pause before each but the first.
#[derive(Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) pause: Duration,
}

/// Listens on a free port of loopback until the tests end; what it is asked goes to a function.
pub(crate) fn serve(answer: impl Fn(Asked) -> Reply + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            // Whoever asked may go at any time.
            thread::spawn(move || read(&stream).and_then(|asked| write(&stream, &answer(asked))));
        }
    });
    address
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The target without its query, and the query.
    pub(crate) fn path_and_query(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }
}

impl Reply {
    pub(crate) fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), kind.to_owned())];
        Self { status, headers, body: body.into(), ..Self::default() }
    }

    /// More of the body, each piece after a pause.
    pub(crate) fn followed_by(mut self, pieces: Vec<Vec<u8>>, pause: Duration) -> Self {
        (self.pieces, self.pause) = (pieces, pause);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

fn read(mut stream: &TcpStream) -> io::Result<Asked> {
    let mut reader = BufReader::new(stream);
    let first = line(&mut reader)?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = BTreeMap::new();
    loop {
        let header = line(&mut reader)?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    if headers.contains_key("expect") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|it| it.eq_ignore_ascii_case("chunked")) {
        while read_chunk(&mut reader, &mut body)? {}
    } else {
        let length = headers.get("content-length").and_then(|it| it.parse().ok());
        reader.take(length.unwrap_or_default()).read_to_end(&mut body)?;
    }
    Ok(Asked { method, target, headers, body })
}

/// Says whether another one follows.
fn read_chunk(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<bool> {
    let size = u64::from_str_radix(&line(reader)?, 16).map_err(io::Error::other)?;
    reader.take(size).read_to_end(body)?;
    line(reader)?;
    Ok(size != 0)
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn write(mut stream: &TcpStream, reply: &Reply) -> io::Result<()> {
    let length = reply.body.len() + reply.pieces.iter().map(Vec::len).sum::<usize>();
    let mut head = format!("HTTP/1.1 {} .\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&reply.body)?;
    for piece in &reply.pieces {
        thread::sleep(reply.pause);
        stream.write_all(piece)?;
    }
    Ok(())
}
