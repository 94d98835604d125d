//! Frames of the supervisor's protocol, read from and written to a connection. Every one that is read is taken for hostile.

use std::{io, ops::RangeFrom};

use bytes::{Buf as _, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use windlass_supervisor::protocol::{Kind, LONGEST_FRAME};

/// The length of what follows, which does not count itself.
const LENGTH: usize = 4;
/// Where the body begins: behind the length and the kind.
const BODY: RangeFrom<usize> = LENGTH + 1..;
/// What a connection that says little needs.
const SMALL: usize = 8 << 10;
/// What one that says much gets at a time.
const LARGE: usize = 256 << 10;

/// One frame as it came.
#[derive(Debug)]
pub(super) struct Frame {
    /// With its length and kind.
    pub(super) whole: Bytes,
}

/// Reads frames. Dropping a read loses nothing.
pub(super) struct Frames<S> {
    stream: S,
    buffer: BytesMut,
    /// How much to read at once.
    portion: usize,
}

impl Frame {
    pub(super) fn is_chunk(&self) -> bool {
        self.whole.get(LENGTH) == Some(&(Kind::Chunk as u8))
    }

    pub(super) fn message<T: DeserializeOwned>(&self) -> io::Result<T> {
        if self.whole.get(LENGTH) != Some(&(Kind::Message as u8)) {
            return Err(wrong("a frame of an unknown kind"));
        }
        serde_json::from_slice(body(&self.whole))
            .map_err(|error| wrong(&format!("a message that cannot be read: {error}")))
    }
}

impl<S: AsyncRead + Unpin> Frames<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, buffer: BytesMut::new(), portion: SMALL }
    }

    /// The next frame. None where the other side has finished.
    pub(super) async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.ready()? {
                return Ok(Some(frame));
            }
            self.buffer.reserve(self.portion.max(self.missing()));
            let read = self.stream.read_buf(&mut self.buffer).await?;
            match read {
                0 if self.buffer.is_empty() => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read if read >= SMALL => self.portion = LARGE,
                _ => {}
            }
        }
    }

    /// The next frame, if all of it is here already.
    pub(super) fn ready(&mut self) -> io::Result<Option<Frame>> {
        let Some(length) = length(&self.buffer)? else { return Ok(None) };
        if self.buffer.len() < length {
            return Ok(None);
        }
        Ok(Some(Frame { whole: self.buffer.split_to(length).freeze() }))
    }

    fn missing(&self) -> usize {
        let whole = length(&self.buffer).ok().flatten().unwrap_or(0);
        whole.saturating_sub(self.buffer.len())
    }
}

/// The first message of a connection. Nothing behind it is read: that may be bare bytes.
pub(super) async fn first<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<T> {
    let mut whole = vec![0; LENGTH];
    stream.read_exact(&mut whole).await?;
    let length = length(&whole)?.unwrap_or(LENGTH);
    whole.resize(length, 0);
    stream.read_exact(whole.get_mut(LENGTH..).unwrap_or_default()).await?;
    Frame { whole: whole.into() }.message()
}

pub(super) fn message(message: &impl Serialize) -> io::Result<Vec<u8>> {
    Ok(frame(Kind::Message, &[&serde_json::to_vec(message)?]))
}

pub(super) fn frame(kind: Kind, parts: &[&[u8]]) -> Vec<u8> {
    let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut frame = Vec::with_capacity(LENGTH + length);
    frame.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    frame.push(kind as u8);
    parts.iter().for_each(|part| frame.extend(*part));
    frame
}

/// What follows the length and the kind.
pub(super) fn body(whole: &[u8]) -> &[u8] {
    whole.get(BODY).unwrap_or_default()
}

/// How long the frame at the front is, all in all. None where that is not known yet.
fn length(mut front: &[u8]) -> io::Result<Option<usize>> {
    if front.len() < LENGTH {
        return Ok(None);
    }
    let length = usize::try_from(front.get_u32_le()).unwrap_or(usize::MAX);
    if length == 0 || length > LONGEST_FRAME {
        return Err(wrong(&format!("a frame of {length} bytes")));
    }
    Ok(Some(LENGTH + length))
}

pub(super) fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use windlass_supervisor::protocol::Hello;

    use super::*;

    async fn read(bytes: &[u8]) -> Vec<String> {
        let mut frames = Frames::new(bytes);
        let mut seen = Vec::new();
        loop {
            match frames.next().await {
                Ok(Some(frame)) => seen.push(match frame.message::<Hello>() {
                    Ok(hello) => format!("{hello:?}"),
                    Err(error) => error.to_string(),
                }),
                Ok(None) => return seen,
                Err(error) => {
                    seen.push(format!("end: {error}"));
                    return seen;
                }
            }
        }
    }

    #[tokio::test]
    async fn frames_survive_whatever_comes() {
        let hello = message(&Hello::Egress { port: 7 }).unwrap();
        let known = "Egress { port: 7 }";
        assert_eq!(read(&[hello.clone(), hello.clone()].concat()).await, [known, known]);
        assert_eq!(read(&hello[..hello.len() - 1]).await, ["end: unexpected end of file"]);
        assert_eq!(read(&[0, 0, 0, 0]).await, ["end: a frame of 0 bytes"]);
        assert_eq!(read(&[255; 9]).await, ["end: a frame of 4294967295 bytes"]);
        assert_eq!(read(&frame(Kind::Input, &[b"{}"])).await, ["a frame of an unknown kind"]);
        assert_eq!(read(&[1, 0, 0, 0, 99]).await, ["a frame of an unknown kind"]);
        let given = read(&frame(Kind::Message, &[b"{\"egress\":{\"port\":70000}}"])).await;
        assert!(given[0].starts_with("a message that cannot be read"), "{given:?}");
        let given = read(&frame(Kind::Message, &["[".repeat(100_000).as_bytes()])).await;
        assert!(given[0].starts_with("a message that cannot be read"), "{given:?}");
    }

    #[tokio::test]
    async fn nothing_behind_the_first_message_is_read() {
        let bytes = [message(&Hello::Egress { port: 7 }).unwrap(), b"GET".to_vec()].concat();
        let mut rest = bytes.as_slice();
        assert_eq!(first::<Hello>(&mut rest).await.unwrap(), Hello::Egress { port: 7 });
        assert_eq!(rest, b"GET");
    }
}
