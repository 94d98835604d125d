//! The answer of a server: its head, and its body however it says where that ends.

use serde::de::DeserializeOwned;

use crate::Error;

/// A longer head is a mistake, or worse.
const LONGEST_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 100;
/// The line before a chunk is a number, and what few servers add.
const LONGEST_LINE: usize = 256;
/// More answers that announce another one are a mistake.
const MOST_INTERIM: u32 = 10;

/// What a server answered.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Where the body ends.
pub(super) enum Extent {
    Bytes(usize),
    Chunked,
    Close,
}

/// What comes from the server, and what of it has not been looked at.
struct Incoming<R> {
    read: R,
    held: Vec<u8>,
}

impl Answer {
    /// The value of a header, if there is one. The name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it went well.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as a value.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|error| nonsense(format!("its body is no JSON that fits: {error}")))
    }
}

/// Reads one answer from what the function gives, until it gives none.
pub(super) fn read(
    read: impl FnMut() -> Result<Option<Vec<u8>>, Error>,
    most: usize,
) -> Result<Answer, Error> {
    let mut incoming = Incoming { read, held: Vec::new() };
    let (mut answer, extent) = incoming.begin()?;
    answer.body = match extent {
        Extent::Bytes(length) => incoming.counted(length, most)?,
        Extent::Chunked => incoming.chunked(most)?,
        Extent::Close => incoming.rest(most)?,
    };
    Ok(answer)
}

/// Reads the head of an answer. Gives where its body ends, and what has come of that already.
pub(super) fn read_head(
    read: impl FnMut() -> Result<Option<Vec<u8>>, Error>,
) -> Result<(Answer, Extent, Vec<u8>), Error> {
    let mut incoming = Incoming { read, held: Vec::new() };
    let (answer, extent) = incoming.begin()?;
    Ok((answer, extent, incoming.held))
}

fn extent(answer: &Answer) -> Result<Extent, Error> {
    if matches!(answer.status, 204 | 304) {
        return Ok(Extent::Bytes(0));
    }
    let lengths = answer.headers.iter().filter(|(name, _)| name == "content-length");
    let lengths: Vec<_> = lengths.map(|(_, value)| value.trim()).collect();
    match (answer.header("transfer-encoding"), lengths.as_slice()) {
        (Some(coding), []) if coding.trim().eq_ignore_ascii_case("chunked") => Ok(Extent::Chunked),
        (Some(coding), _) => Err(nonsense(format!("a body coded as `{coding}` cannot be read"))),
        (None, []) => Ok(Extent::Close),
        (None, [first, others @ ..]) => {
            let plain = first.bytes().all(|byte| byte.is_ascii_digit());
            let length = first.parse().ok().filter(|_| plain);
            match length.filter(|_| others.iter().all(|other| other == first)) {
                Some(length) => Ok(Extent::Bytes(length)),
                None => Err(nonsense(format!("`{first}` is no length of a body"))),
            }
        }
    }
}

impl<R: FnMut() -> Result<Option<Vec<u8>>, Error>> Incoming<R> {
    /// Whether more came.
    fn more(&mut self) -> Result<bool, Error> {
        let Some(bytes) = (self.read)()? else { return Ok(false) };
        self.held.extend(bytes);
        Ok(true)
    }

    fn need(&mut self) -> Result<(), Error> {
        if self.more()? { Ok(()) } else { Err(nonsense("it ends in the middle")) }
    }

    /// The head of the answer that counts.
    fn begin(&mut self) -> Result<(Answer, Extent), Error> {
        let mut answer = self.head()?;
        let mut interim = 0;
        while (100..200).contains(&answer.status) {
            interim += 1;
            if answer.status == 101 || interim > MOST_INTERIM {
                return Err(nonsense(format!("status {} leads nowhere", answer.status)));
            }
            answer = self.head()?;
        }
        let extent = extent(&answer)?;
        Ok((answer, extent))
    }

    fn head(&mut self) -> Result<Answer, Error> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
            let mut head = httparse::Response::new(&mut headers);
            let parsed = head.parse(&self.held).map_err(|error| nonsense(error.to_string()))?;
            if let httparse::Status::Complete(length) = parsed {
                let header = |it: &httparse::Header<'_>| {
                    let value = String::from_utf8_lossy(it.value).into_owned();
                    (it.name.to_ascii_lowercase(), value)
                };
                let headers = head.headers.iter().map(header).collect();
                let status = head.code.unwrap_or_default();
                self.held.drain(..length);
                return Ok(Answer { status, headers, body: Vec::new() });
            }
            if self.held.len() > LONGEST_HEAD {
                return Err(nonsense(format!("its head has no end within {LONGEST_HEAD} bytes")));
            }
            self.need()?;
        }
    }

    fn counted(&mut self, length: usize, most: usize) -> Result<Vec<u8>, Error> {
        check_size(length, most)?;
        while self.held.len() < length {
            self.need()?;
        }
        Ok(self.held.drain(..length).collect())
    }

    fn rest(&mut self, most: usize) -> Result<Vec<u8>, Error> {
        loop {
            check_size(self.held.len(), most)?;
            if !self.more()? {
                return Ok(std::mem::take(&mut self.held));
            }
        }
    }

    fn chunked(&mut self, most: usize) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        loop {
            let (after, size) = self.chunk_head()?;
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            check_size(body.len().saturating_add(size), most)?;
            self.held.drain(..after);
            if size == 0 {
                // What may follow are more headers, and nobody asks for them.
                return Ok(body);
            }
            while self.held.len() < size + 2 {
                self.need()?;
            }
            body.extend(self.held.drain(..size));
            if self.held.drain(..2).ne(*b"\r\n") {
                return Err(nonsense("a chunk is longer than it says"));
            }
        }
    }

    /// How long the line before a chunk is, and the chunk.
    fn chunk_head(&mut self) -> Result<(usize, u64), Error> {
        loop {
            match chunk_size(&self.held)? {
                Some(found) => return Ok(found),
                None => self.need()?,
            }
        }
    }
}

/// How long the line before a chunk is, and the chunk. None: the line is not whole.
pub(super) fn chunk_size(held: &[u8]) -> Result<Option<(usize, u64)>, Error> {
    match httparse::parse_chunk_size(held) {
        Ok(httparse::Status::Complete(found)) => Ok(Some(found)),
        Ok(httparse::Status::Partial) if held.len() <= LONGEST_LINE => Ok(None),
        _ => Err(nonsense("a chunk has no length")),
    }
}

fn check_size(size: usize, most: usize) -> Result<(), Error> {
    if size <= most {
        return Ok(());
    }
    Err(nonsense(format!("a body of {size} bytes or more is longer than the {most} that are read")))
}

pub(super) fn nonsense(why: impl std::fmt::Display) -> Error {
    Error::unavailable(format!("the server in the container answers what cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer to these bytes, however they are cut into pieces.
    #[track_caller]
    fn answer(bytes: &[u8]) -> Result<(u16, String), String> {
        let read_in = |size: usize| {
            let mut pieces = bytes.chunks(size).map(<[u8]>::to_vec);
            read(|| Ok(pieces.next()), 64).map_err(|error| error.message)
        };
        let whole = read_in(bytes.len().max(1));
        for size in 1..=bytes.len().min(200) {
            let cut = read_in(size);
            assert_eq!(cut.is_ok(), whole.is_ok(), "in pieces of {size}: {cut:?}");
            if let Ok(whole) = &whole {
                assert_eq!(cut.as_ref(), Ok(whole), "in pieces of {size}");
            }
        }
        whole.map(|it| (it.status, String::from_utf8_lossy(&it.body).into_owned()))
    }

    #[track_caller]
    fn check(bytes: &[u8], status: u16, body: &str) {
        assert_eq!(answer(bytes), Ok((status, body.to_owned())));
    }

    #[track_caller]
    fn refused(bytes: &[u8], why: &str) {
        let error = answer(bytes).unwrap_err();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn a_body_ends_where_the_head_says() {
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello");
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more", 200, "hello");
        check(b"HTTP/1.0 404 Not Found\r\n\r\nuntil it closes", 404, "until it closes");
        check(b"HTTP/1.1 204 No Content\r\n\r\n", 204, "");
        check(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 \r\ncontent-length:2\r\n\r\n{}",
            201,
            "{}",
        );
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, and more\r\n0\r\n\r\n";
        check(chunks, 200, "hello, and more");
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        refused(b"", "in the middle");
        refused(b"HTTP/1.1 200 OK\r\ncontent-le", "in the middle");
        refused(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell", "in the middle");
        refused(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", "in the middle");
        refused(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n",
            "in the middle",
        );
    }

    #[test]
    fn nonsense_is_an_error_and_nothing_worse() {
        refused(b"SSH-2.0-OpenSSH_9.2\r\n", "invalid HTTP version");
        refused(b"HTTP/1.1 abc\r\n\r\n", "invalid response status");
        refused(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "no length");
        refused(b"HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\nx", "no length");
        refused(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n", "no length");
        refused(
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxy",
            "no length",
        );
        refused(b"HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n", "65 bytes or more");
        refused(b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", "coded as `gzip`");
        refused(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n",
            "cannot be read",
        );
        refused(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", "no length");
        refused(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
            "bytes or more",
        );
        refused(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nhello",
            "longer than it says",
        );
        refused(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "leads nowhere");
        refused(&[b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[b'x'; 65]].concat(), "65 bytes or more");
        refused(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(20), "leads nowhere");
    }

    #[test]
    fn a_head_has_an_end() {
        let mut pieces = 0;
        let endless = || {
            pieces += 1;
            let line =
                if pieces == 1 { "HTTP/1.1 200 OK\r\nx: ".to_owned() } else { "x".repeat(999) };
            Ok(Some(line.into_bytes()))
        };
        let error = read(endless, 64).unwrap_err();
        assert!(error.message.contains("no end within"), "{}", error.message);
        assert!(pieces < 100, "{pieces}");
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
        refused(many.as_bytes(), "too many headers");
    }

    #[test]
    fn a_connection_that_breaks_is_told_as_it_is() {
        let error = read(|| Err(Error::new(crate::types::Code::Timeout, "too late")), 64);
        assert_eq!(error.unwrap_err().message, "too late");
    }

    #[test]
    fn headers_are_found_by_their_lower_case_name() {
        let mut once = Some(b"HTTP/1.1 200 OK\r\nX-Y: z\r\ncontent-length: 2\r\n\r\n{}".to_vec());
        let answer = read(|| Ok(once.take()), 64).unwrap();
        assert_eq!((answer.header("x-y"), answer.header("x-z")), (Some("z"), None));
        assert!(answer.is_success());
        assert_eq!(answer.json::<serde_json::Value>().unwrap(), serde_json::json!({}));
        assert!(answer.json::<u32>().is_err());
    }
}
