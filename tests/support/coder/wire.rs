//! HTTP/1.1 as the fake speaks it: requests read whole, answers whole or in chunks.

use std::io::{self, BufRead, Read as _, Write};

use serde_json::Value;

use super::answer::{Answer, Body};

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Null where there is none, or none in JSON.
    pub(crate) body: Value,
}

/// How much of a long answer is sent at once.
const CHUNK_BYTES: usize = 1 << 16;

impl Request {
    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// None: whoever asks has gone, or speaks something else.
    pub(crate) fn read(from: &mut impl BufRead) -> Option<Self> {
        let line = line(from)?;
        let mut words = line.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut request = Self { method, path, headers: Vec::new(), body: Value::Null };
        loop {
            let line = self::line(from)?;
            let Some((name, value)) = line.split_once(':') else { break };
            request.headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let body = request.read_body(from)?;
        request.body = serde_json::from_slice(&body).unwrap_or_default();
        Some(request)
    }

    fn read_body(&self, from: &mut impl BufRead) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        if self.header("transfer-encoding") == Some("chunked") {
            loop {
                let length = usize::from_str_radix(line(from)?.trim(), 16).ok()?;
                read_into(from, length, &mut body)?;
                line(from)?;
                if length == 0 {
                    return Some(body);
                }
            }
        }
        let length = self.header("content-length").map_or(Some(0), |it| it.parse().ok())?;
        read_into(from, length, &mut body)?;
        Some(body)
    }

    pub(super) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|it| it.eq_ignore_ascii_case("close"))
    }
}

/// The next line without its end.
fn line(from: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    from.read_line(&mut line).ok().filter(|&length| length > 0)?;
    line.truncate(line.trim_end().len());
    Some(line)
}

fn read_into(from: &mut impl BufRead, length: usize, body: &mut Vec<u8>) -> Option<()> {
    let before = body.len();
    from.take(length as u64).read_to_end(body).ok()?;
    (body.len() == before + length).then_some(())
}

/// Sends an answer whole.
pub(super) fn write(to: &mut impl Write, answer: Answer) -> io::Result<()> {
    let mut bytes = head(&answer).into_bytes();
    match answer.body {
        Body::Whole(body) => {
            bytes.extend(body);
            to.write_all(&bytes)
        }
        Body::Pieces(pieces) => {
            to.write_all(&bytes)?;
            write_pieces(to, pieces)
        }
    }
}

/// Sends the head of an answer and one half of its body.
pub(super) fn write_half(to: &mut impl Write, answer: Answer) -> io::Result<()> {
    let mut bytes = head(&answer).into_bytes();
    match answer.body {
        Body::Whole(body) => bytes.extend(&body[..body.len() / 2]),
        Body::Pieces(mut pieces) => {
            let piece = pieces.next().unwrap_or_default();
            bytes.extend(format!("{:x}\r\n{piece}", piece.len() * 2).into_bytes());
        }
    }
    to.write_all(&bytes)
}

fn head(answer: &Answer) -> String {
    let mut head = format!("HTTP/1.1 {} .\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &match &answer.body {
        // These two have no body, and may not say how long it is.
        Body::Whole(_) if matches!(answer.status, 204 | 304) => String::new(),
        Body::Whole(body) => format!("Content-Length: {}\r\n", body.len()),
        Body::Pieces(_) => "Transfer-Encoding: chunked\r\n".to_owned(),
    };
    head + "\r\n"
}

fn write_pieces(
    to: &mut impl Write,
    pieces: Box<dyn Iterator<Item = String> + Send>,
) -> io::Result<()> {
    let mut chunk = String::with_capacity(CHUNK_BYTES * 2);
    for piece in pieces {
        chunk += &piece;
        if chunk.len() >= CHUNK_BYTES {
            write!(to, "{:x}\r\n{chunk}\r\n", chunk.len())?;
            chunk.clear();
        }
    }
    if !chunk.is_empty() {
        write!(to, "{:x}\r\n{chunk}\r\n", chunk.len())?;
    }
    to.write_all(b"0\r\n\r\n")
}
