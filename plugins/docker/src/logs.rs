//! `get-logs`.

use chrono::DateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Told, Tool, clock,
    engine::{self, LogWish, Output},
};

use crate::{
    LOOKS,
    amount::{self, Scalar},
    error::{About, validation},
    name,
};

/// An answer holds it twice, and has room for more than that.
const MOST_BYTES: u32 = 512 << 10;

/// Shows what a container printed, both streams in the order in which it came.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetLogs {
    /// Name or id.
    container_name: String,
    /// How many of the last lines.
    #[serde(default = "hundred")]
    tail: u32,
    /// Not before: a time such as `2026-01-31T12:00:00Z`, seconds since 1970, or how long ago, such as `10m`.
    since: Option<Scalar>,
    /// Not after: the same.
    until: Option<Scalar>,
    /// Whether each line begins with its time.
    #[serde(default)]
    timestamps: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Logs {
    container_name: String,
    stdout: String,
    stderr: String,
    /// Whether what came first was cut off, as it was more than an answer holds.
    cut: bool,
}

impl Tool for GetLogs {
    const NAME: &'static str = "get-logs";
    const TITLE: Option<&'static str> = Some("Read a container's logs");
    const HINTS: Hints = LOOKS;
    type Output = Told<Logs>;

    fn run(self, _: &Call) -> Result<Told<Logs>> {
        name::check("container_name", &self.container_name)?;
        let now = clock::now();
        let wish = LogWish {
            stdout: true,
            stderr: true,
            tail: Some(self.tail),
            since: moment("since", self.since.as_ref(), now)?,
            until: moment("until", self.until.as_ref(), now)?,
            timestamps: self.timestamps,
            most_bytes: MOST_BYTES,
        };
        let name = self.container_name;
        let doing = format!("getting logs for container '{name}'");
        let output =
            engine::logs(&name, wish).map_err(|error| About::Container.during(&doing, error))?;
        let cut = if output.cut { "(what came before is cut off)\n" } else { "" };
        let text = format!("Logs for container '{name}':\n{cut}{}", whole(&output));
        let (stdout, stderr) = (stream(&output, false), stream(&output, true));
        Ok(Told { text, rows: Logs { container_name: name, stdout, stderr, cut: output.cut } })
    }
}

/// Both streams as they came.
pub(crate) fn whole(output: &Output) -> String {
    let bytes: Vec<u8> = output.pieces.iter().flat_map(|it| it.bytes.iter().copied()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One stream alone.
pub(crate) fn stream(output: &Output, stderr: bool) -> String {
    let pieces = output.pieces.iter().filter(|it| it.stderr == stderr);
    let bytes: Vec<u8> = pieces.flat_map(|it| it.bytes.iter().copied()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Milliseconds since 1970.
pub(crate) fn moment(field: &str, value: Option<&Scalar>, now: u64) -> Result<Option<u64>, Error> {
    let Some(value) = value else { return Ok(None) };
    let text = value.to_string();
    let wrong = || {
        let message = format!(
            "`{field}` is `{text}`: give a time such as `2026-01-31T12:00:00Z`, seconds since 1970, or how long ago, such as `10m`"
        );
        validation(field, message)
    };
    if let Ok(time) = DateTime::parse_from_rfc3339(&text) {
        return u64::try_from(time.timestamp_millis()).map(Some).map_err(|_| wrong());
    }
    let ms = amount::duration_ms(field, &text).map_err(|_| wrong())?;
    let is_number = !text.contains(|it: char| it.is_ascii_alphabetic());
    Ok(Some(if is_number { ms } else { now.saturating_sub(ms) }))
}

fn hundred() -> u32 {
    100
}

#[cfg(test)]
mod tests {
    use windlass_sdk::engine::Piece;

    use super::*;

    #[test]
    fn a_moment_is_a_time_a_number_or_a_while_ago() {
        let check = |text: &str, expected: Option<u64>| {
            let value = Scalar::Text(text.to_owned());
            let read = moment("since", Some(&value), 10_000_000).ok().flatten();
            assert_eq!(read, expected, "{text}");
        };
        check("1970-01-01T00:01:00Z", Some(60_000));
        check("1970-01-01T01:01:00.5+01:00", Some(60_500));
        check("60", Some(60_000));
        check("60.5", Some(60_500));
        check("10m", Some(9_400_000));
        check("1000h", Some(0));
        for wrong in ["", "yesterday", "2026-01-31", "1969-12-31T23:59:59Z", "-5"] {
            check(wrong, None);
        }
        assert_eq!(moment("until", Some(&Scalar::Whole(7)), 0).unwrap(), Some(7_000));
        assert_eq!(moment("until", None, 0).unwrap(), None);
    }

    #[test]
    fn a_letter_in_two_pieces_is_whole_and_what_is_no_text_is_shown() {
        let piece = |stderr, bytes: &[u8]| Piece { stderr, bytes: bytes.to_vec() };
        let pieces = vec![piece(false, b"a\xc3"), piece(false, b"\xa4\n"), piece(true, b"\xff\n")];
        let output = Output { pieces, cut: false };
        assert_eq!(whole(&output), "aä\n\u{fffd}\n");
        assert_eq!(
            (stream(&output, false), stream(&output, true)),
            ("aä\n".into(), "\u{fffd}\n".into())
        );
    }
}
