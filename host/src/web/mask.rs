//! Keeps secrets out of what comes back.
//!
//! A server that is sent a secret may well repeat it. This finds a secret that stands there as it
//! is, not one that was encoded.

use bytes::{Bytes, BytesMut};

/// What stands in a secret's place.
const MASK: &[u8] = b"***";
/// A shorter word behind an authorization scheme is hardly a secret.
const SHORTEST_CREDENTIAL: usize = 8;

/// Hides the secrets of one plugin.
pub(super) struct Mask {
    /// Longest first.
    secrets: Vec<Vec<u8>>,
    /// With what any of them begins.
    firsts: Vec<u8>,
}

impl Mask {
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a str>) -> Self {
        let mut all = Vec::new();
        for secret in secrets.filter(|secret| !secret.is_empty()) {
            all.push(secret.as_bytes().to_vec());
            // Of `Bearer abc…`, the second word alone is a secret, too.
            if let Some((_, credential)) = secret.split_once(' ')
                && credential.len() >= SHORTEST_CREDENTIAL
            {
                all.push(credential.as_bytes().to_vec());
            }
        }
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let mut firsts: Vec<_> = all.iter().filter_map(|secret| secret.first().copied()).collect();
        firsts.sort_unstable();
        firsts.dedup();
        Self { secrets: all, firsts }
    }

    /// A whole text.
    pub(super) fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.rest(text.as_bytes())).into_owned()
    }

    /// The end of a stream, with what was held back.
    pub(super) fn rest(&self, held: &[u8]) -> Bytes {
        let mut shown = BytesMut::new();
        let mut left = held;
        while !left.is_empty() {
            left = self.step(left, &mut shown);
        }
        shown.freeze()
    }

    /// A part of a stream. What may be the beginning of a secret is held back, and nothing else:
    /// who waits for an event gets it when it comes.
    pub(super) fn chunk(&self, held: &mut BytesMut, chunk: Bytes) -> Bytes {
        if self.secrets.is_empty() {
            return chunk;
        }
        held.extend_from_slice(&chunk);
        let mut shown = BytesMut::with_capacity(held.len());
        let mut left: &[u8] = held;
        while !left.is_empty() && !self.begins(left) {
            left = self.step(left, &mut shown);
        }
        *held = BytesMut::from(left);
        shown.freeze()
    }

    /// Masks a secret, or shows what is up to the next place where one may begin.
    fn step<'a>(&self, left: &'a [u8], shown: &mut BytesMut) -> &'a [u8] {
        if let Some(behind) = self.secrets.iter().find_map(|secret| left.strip_prefix(&**secret)) {
            shown.extend_from_slice(MASK);
            return behind;
        }
        let first = |byte: &u8| self.firsts.contains(byte);
        let clear = left.iter().skip(1).position(first).map_or(left.len(), |place| place + 1);
        let (clear, behind) = left.split_at(clear);
        shown.extend_from_slice(clear);
        behind
    }

    /// Whether this may become a secret when more comes.
    fn begins(&self, left: &[u8]) -> bool {
        self.secrets.iter().any(|secret| secret.len() > left.len() && secret.starts_with(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Masks a stream that comes in chunks, and says what is shown after each.
    #[track_caller]
    fn check(secrets: &[&str], chunks: &[&str], expected: &[&str]) {
        let mask = Mask::new(secrets.iter().copied());
        let mut held = BytesMut::new();
        let mut shown: Vec<_> = chunks
            .iter()
            .map(|chunk| mask.chunk(&mut held, Bytes::copy_from_slice(chunk.as_bytes())))
            .collect();
        shown.push(mask.rest(&held));
        assert_eq!(shown, expected);
        let whole = mask.text(&chunks.concat());
        assert_eq!(whole, expected.concat());
    }

    #[test]
    fn a_secret_is_masked_wherever_chunks_end() {
        check(&[], &["anything"], &["anything", ""]);
        check(&["hunter2"], &["hunter2"], &["***", ""]);
        check(&["hunter2"], &["a hunter2, b"], &["a ***, b", ""]);
        check(&["hunter2"], &["a hunt", "er2 b"], &["a ", "*** b", ""]);
        check(
            &["hunter2"],
            &["h", "u", "n", "t", "e", "r", "2"],
            &["", "", "", "", "", "", "***", ""],
        );
        check(&["hunter2"], &["hunter2hunt", "er2"], &["***", "***", ""]);
        check(&["hunter2"], &["hunhun", "ter2"], &["hun", "***", ""]);
        check(&["hunter2"], &["hunter"], &["", "hunter"]);
        check(&["aab"], &["aa", "ab"], &["", "a***", ""]);
        check(&["abc", "abcdef"], &["abc", "def"], &["", "***", ""]);
        check(&["abc", "abcdef"], &["abc", "deg"], &["", "***deg", ""]);
        check(&["abc", "abcdef"], &["abcd"], &["", "***d"]);
        check(&["grün"], &["das grün", "e"], &["das ***", "e", ""]);
        check(&["Bearer abcdefgh"], &["abcdefgh Bearer abcdefgh"], &["*** ***", ""]);
        check(&["Bearer abc"], &["abc Bearer abc"], &["abc ***", ""]);
    }

    #[test]
    fn an_event_is_not_held_back() {
        check(&["hunter2"], &["data: 1\n\n", "data: 2\n\n"], &["data: 1\n\n", "data: 2\n\n", ""]);
    }
}
