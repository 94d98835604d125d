//! The body of an answer that goes on, piece by piece, as it comes.

use super::{
    Answer, PORTION,
    answer::{Extent, chunk_size, nonsense},
};
use crate::{Error, containers::Connection};

/// An answer that is read as it comes.
pub struct Stream {
    connection: Connection,
    /// Its status and headers.
    pub head: Answer,
    body: Body,
}

/// What has come of a body, and what is to come.
struct Body {
    held: Vec<u8>,
    left: Left,
}

/// What comes next in a body.
enum Left {
    /// So many bytes, and then its end.
    Bytes(usize),
    /// So many bytes of a chunk.
    Chunk(usize),
    /// The end of a chunk.
    Behind,
    /// The line before a chunk.
    Before,
    /// Whatever comes.
    Close,
    Nothing,
}

/// What can be had of a body without waiting.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    /// It takes more to say.
    Unknown,
    End,
}

impl Stream {
    pub(super) fn new(
        connection: Connection,
        head: Answer,
        extent: &Extent,
        held: Vec<u8>,
    ) -> Self {
        Self { connection, head, body: Body::new(extent, held) }
    }

    /// The next bytes of the body, none at its end. Waiting longer than this is a `timeout`, and they can be asked for again.
    pub fn next(&mut self, patience_ms: u32) -> Result<Option<Vec<u8>>, Error> {
        loop {
            match self.body.piece()? {
                Piece::Bytes(bytes) => return Ok(Some(bytes)),
                Piece::End => return Ok(None),
                Piece::Unknown => {}
            }
            self.connection.patience(patience_ms);
            match self.connection.read(PORTION)? {
                Some(bytes) => self.body.held.extend(bytes),
                None => return self.body.closed(),
            }
        }
    }
}

impl Body {
    fn new(extent: &Extent, held: Vec<u8>) -> Self {
        let left = match extent {
            Extent::Bytes(length) => Left::Bytes(*length),
            Extent::Chunked => Left::Before,
            Extent::Close => Left::Close,
        };
        Self { held, left }
    }

    fn piece(&mut self) -> Result<Piece, Error> {
        loop {
            match self.left {
                Left::Nothing | Left::Bytes(0) => return Ok(Piece::End),
                Left::Chunk(0) => self.left = Left::Behind,
                Left::Behind if self.held.len() < 2 => return Ok(Piece::Unknown),
                Left::Behind => {
                    if self.held.drain(..2).ne(*b"\r\n") {
                        return Err(nonsense("a chunk is longer than it says"));
                    }
                    self.left = Left::Before;
                }
                Left::Before => {
                    let Some((line, size)) = chunk_size(&self.held)? else {
                        return Ok(Piece::Unknown);
                    };
                    self.held.drain(..line);
                    let size = usize::try_from(size).unwrap_or(usize::MAX);
                    self.left = if size == 0 { Left::Nothing } else { Left::Chunk(size) };
                }
                _ if self.held.is_empty() => return Ok(Piece::Unknown),
                Left::Close => return Ok(Piece::Bytes(std::mem::take(&mut self.held))),
                Left::Bytes(left) => {
                    let bytes = self.some(left);
                    self.left = Left::Bytes(left - bytes.len());
                    return Ok(Piece::Bytes(bytes));
                }
                Left::Chunk(left) => {
                    let bytes = self.some(left);
                    self.left = Left::Chunk(left - bytes.len());
                    return Ok(Piece::Bytes(bytes));
                }
            }
        }
    }

    /// Up to so many of the bytes that are there.
    fn some(&mut self, most: usize) -> Vec<u8> {
        let length = most.min(self.held.len());
        self.held.drain(..length).collect()
    }

    /// What it means that the connection ends here.
    fn closed(&self) -> Result<Option<Vec<u8>>, Error> {
        match self.left {
            Left::Close => Ok(None),
            _ => Err(nonsense("it ends in the middle")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a body comes to that arrives in pieces of this size.
    fn read(extent: &Extent, bytes: &[u8], size: usize) -> Result<(String, bool), Error> {
        let mut body = Body::new(extent, Vec::new());
        let mut said = Vec::new();
        for piece in bytes.chunks(size) {
            body.held.extend(piece);
            loop {
                match body.piece()? {
                    Piece::Bytes(bytes) => said.extend(bytes),
                    Piece::Unknown => break,
                    Piece::End => return Ok((String::from_utf8(said).unwrap(), true)),
                }
            }
        }
        Ok((String::from_utf8(said).unwrap(), body.closed().is_ok()))
    }

    #[track_caller]
    fn check(extent: &Extent, bytes: &[u8], expected: &str, whole: bool) {
        for size in 1..=bytes.len() {
            let said = read(extent, bytes, size).unwrap();
            assert_eq!(said, (expected.to_owned(), whole), "in pieces of {size}");
        }
    }

    #[test]
    fn a_body_comes_in_pieces_however_it_is_cut() {
        let chunks = b"5\r\nhello\r\nA;x=y\r\n, and more\r\n0\r\n\r\n";
        check(&Extent::Chunked, chunks, "hello, and more", true);
        check(&Extent::Chunked, b"5\r\nhello\r\n", "hello", false);
        check(&Extent::Chunked, b"5\r\nhel", "hel", false);
        check(&Extent::Bytes(5), b"hello, and more", "hello", true);
        check(&Extent::Bytes(5), b"hel", "hel", false);
        check(&Extent::Close, b"until it closes", "until it closes", true);
    }

    #[test]
    fn a_chunk_that_is_none_is_an_error() {
        for bad in [&b"xyz\r\n"[..], b"1\r\nhello"] {
            assert!(read(&Extent::Chunked, bad, bad.len()).is_err());
        }
    }
}
