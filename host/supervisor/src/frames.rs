//! Frames as bytes, and bytes as frames. Where they come from and go to is left to both sides.

use serde::Serialize;

use crate::protocol::{ChunkHead, Kind, LONGEST_FRAME};

/// Bytes before a frame's body: its length, and what it is.
pub const HEAD: usize = 5;
/// Bytes before the output in the frame of a chunk.
pub const CHUNK_HEAD: usize = HEAD + ChunkHead::SIZE;

/// A frame of this kind.
#[must_use]
pub fn frame(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEAD + body.len());
    frame.extend(head(kind, body.len()));
    frame.extend(body);
    frame
}

/// A message as a frame. The messages of the protocol are all text and numbers, so each is JSON.
#[must_use]
pub fn message<T: Serialize>(message: &T) -> Vec<u8> {
    frame(Kind::Message, &serde_json::to_vec(message).unwrap_or_default())
}

/// Everything of a chunk's frame that is before the output.
#[must_use]
pub fn chunk_head(chunk: ChunkHead, output: usize) -> [u8; CHUNK_HEAD] {
    let mut front = Vec::with_capacity(CHUNK_HEAD);
    front.extend(head(Kind::Chunk, ChunkHead::SIZE + output));
    chunk.write(&mut front);
    front.try_into().unwrap_or([0; CHUNK_HEAD])
}

fn head(kind: Kind, body: usize) -> [u8; HEAD] {
    let length = u32::try_from(body + 1).unwrap_or(u32::MAX);
    let [a, b, c, d] = length.to_le_bytes();
    [a, b, c, d, kind as u8]
}

/// What the other side sent is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Bytes that have come, of which frames are taken.
#[derive(Default)]
pub struct Frames {
    bytes: Vec<u8>,
    taken: usize,
}

impl Frames {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend(bytes);
    }

    /// The next whole frame, if all of it has come.
    pub fn take(&mut self) -> Result<Option<(Kind, &[u8])>, Malformed> {
        let waiting = self.bytes.get(self.taken..).unwrap_or_default();
        let Some((length, rest)) = waiting.split_first_chunk() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length == 0 || length > LONGEST_FRAME {
            return Err(Malformed);
        }
        let Some((kind, body)) = rest.get(..length).and_then(<[u8]>::split_first) else {
            return Ok(None);
        };
        let kind = match kind {
            0 => Kind::Message,
            1 => Kind::Chunk,
            2 => Kind::Input,
            _ => return Err(Malformed),
        };
        self.taken += 4 + length;
        Ok(Some((kind, body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_wherever_the_bytes_are_cut() {
        let bytes =
            [frame(Kind::Input, b"abc"), frame(Kind::Message, b""), frame(Kind::Chunk, &[7; 300])]
                .concat();
        for cut in 0..bytes.len() {
            let mut frames = Frames::default();
            let mut out = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                frames.push(part);
                while let Some((kind, body)) = frames.take().unwrap() {
                    out.push((kind, body.to_vec()));
                }
            }
            assert_eq!(
                out,
                [
                    (Kind::Input, b"abc".to_vec()),
                    (Kind::Message, vec![]),
                    (Kind::Chunk, vec![7; 300])
                ]
            );
        }
    }

    #[test]
    fn a_frame_that_is_empty_too_long_or_of_no_kind_is_malformed() {
        for bytes in [&[0, 0, 0, 0, 0][..], &[255, 255, 255, 255], &[1, 0, 0, 0, 9]] {
            let mut frames = Frames::default();
            frames.push(bytes);
            assert!(frames.take().is_err());
        }
    }
}
