//! `fs_read`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Error, Hints, Result, Tool, workspaces::Part};

use crate::{
    WRAPPED, counters,
    encoding::{self, Encoding},
    error::{self, About},
    mime, place,
};

/// As much of a file as one answer holds.
pub(crate) const LARGEST: u32 = 2 << 20;
/// As much JSON as the text in it may become; beyond that base64 is shorter.
const LONGEST_JSON: usize = 3 << 20;

/// Reads a file of a container, up to 2 MiB; of a larger one, parts. What is no UTF-8 is answered as base64, and `encoding` says so.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct FsRead {
    /// The container's id or alias.
    container_id: String,
    /// Below `/workspace`, or relative to it.
    path: String,
    /// The first byte to read.
    offset: Option<u64>,
    /// How many bytes to read. A part of a text ends before a character that would be cut.
    #[schemars(range(min = 1, max = LARGEST))]
    length: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Read {
    content: String,
    encoding: Encoding,
    etag: String,
    /// Of the whole file.
    size: u64,
    mime_type: &'static str,
    /// Where the content begins, if a part was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    /// How many bytes the content has: the next part begins at `offset` + `length`.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
}

impl Tool for FsRead {
    const NAME: &'static str = "fs_read";
    const TITLE: Option<&'static str> = Some("Read a file");
    const HINTS: Hints = Hints::READ_ONLY.union(Hints::IDEMPOTENT);
    const WRAPPED_UNDER: Option<&'static str> = WRAPPED;
    type Output = Read;

    fn run(self, _: &Call) -> Result<Read> {
        let workspace = place::workspace(&self.container_id)?;
        let most = self.length.unwrap_or(LARGEST).min(LARGEST);
        let part = workspace
            .read(&self.path, self.offset.unwrap_or(0), Some(most))
            .map_err(|error| About::File.of(error))?;
        let read = self.answer(part)?;
        counters::filed("read");
        Ok(read)
    }
}

impl FsRead {
    fn answer(&self, mut part: Part) -> Result<Read, Error> {
        let (size, offset) = (part.stat.size, self.offset.unwrap_or(0));
        let end = offset + part.data.len() as u64;
        if self.length.is_none_or(|length| length > LARGEST) && end < size {
            return Err(error::limit(format!(
                "the file has {size} bytes, more than the {LARGEST} of one answer: read it in parts, with `offset` and `length`"
            )));
        }
        if end < size {
            drop_unfinished(&mut part.data);
        }
        let is_part = self.offset.is_some() || self.length.is_some();
        let length = part.data.len() as u64;
        let (content, encoding) = content(part.data);
        Ok(Read {
            content,
            encoding,
            etag: part.stat.etag.unwrap_or_default(),
            size,
            mime_type: mime::of(&self.path),
            offset: is_part.then_some(offset),
            length: is_part.then_some(length),
        })
    }
}

/// What a file holds, for an answer.
pub(crate) fn content(bytes: Vec<u8>) -> (String, Encoding) {
    let escaped = |byte: &u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    if bytes.len() > LONGEST_JSON / 6 && bytes.iter().map(escaped).sum::<usize>() > LONGEST_JSON {
        return (encoding::to_base64(&bytes), Encoding::Base64);
    }
    encoding::written(bytes)
}

/// Text that is cut within a character loses what is there of it, if anything else is left.
fn drop_unfinished(bytes: &mut Vec<u8>) {
    let whole = bytes.len() - encoding::unfinished(bytes);
    if whole > 0 && std::str::from_utf8(bytes.get(..whole).unwrap_or_default()).is_ok() {
        bytes.truncate(whole);
    }
}

#[cfg(test)]
mod tests {
    use windlass_sdk::workspaces::{Kind, Stat};

    use super::*;

    fn read(
        data: &[u8],
        size: u64,
        offset: Option<u64>,
        length: Option<u32>,
    ) -> Result<Read, Error> {
        let tool = FsRead { container_id: "c".into(), path: "a.md".into(), offset, length };
        let etag = Some("t".to_owned());
        let stat =
            Stat { path: "a.md".into(), kind: Kind::File, size, mode: 0o644, modified: 0, etag };
        tool.answer(Part { data: data.to_vec(), stat })
    }

    #[track_caller]
    fn check(
        (data, size): (&[u8], u64),
        (offset, length): (Option<u64>, Option<u32>),
        expected: &str,
    ) {
        let read = serde_json::to_string(&read(data, size, offset, length).unwrap()).unwrap();
        assert_eq!(read, expected);
    }

    #[test]
    fn a_whole_file_is_all_there_is() {
        let expected = r#"{"content":"grün","encoding":"utf-8","etag":"t","size":5,"mime_type":"text/markdown"}"#;
        check(("grün".as_bytes(), 5), (None, None), expected);
        let expected = r#"{"content":"/w==","encoding":"base64","etag":"t","size":1,"mime_type":"text/markdown"}"#;
        check((b"\xff", 1), (None, None), expected);
    }

    #[test]
    fn a_part_ends_before_a_character_that_would_be_cut() {
        let expected = r#"{"content":"gr","encoding":"utf-8","etag":"t","size":5,"mime_type":"text/markdown","offset":0,"length":2}"#;
        check((b"gr\xc3", 5), (None, Some(3)), expected);
        let expected = r#"{"content":"ww==","encoding":"base64","etag":"t","size":5,"mime_type":"text/markdown","offset":2,"length":1}"#;
        check((b"\xc3", 5), (Some(2), Some(1)), expected);
        let expected = r#"{"content":"ün","encoding":"utf-8","etag":"t","size":5,"mime_type":"text/markdown","offset":2,"length":3}"#;
        check((b"\xc3\xbcn", 5), (Some(2), None), expected);
    }

    #[test]
    fn a_large_file_is_read_in_parts() {
        let start = vec![b'x'; LARGEST as usize];
        let error = read(&start, 3 << 20, None, None).err().unwrap();
        assert!(error.message.contains("`offset` and `length`"), "{error:?}");
        assert!(read(&start, 3 << 20, None, Some(LARGEST)).is_ok());
        assert!(read(&start, 3 << 20, Some(1 << 20), None).is_ok());
    }

    #[test]
    fn no_content_is_larger_than_an_answer() {
        for byte in [b'\n', 0x01, 0xff, b'x'] {
            let (content, _) = content(vec![byte; LARGEST as usize]);
            assert!(serde_json::to_string(&content).unwrap().len() < 3_500_000, "{byte}");
        }
    }
}
