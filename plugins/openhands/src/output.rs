//! What a task printed, as far as it is told.

use windlass_sdk::processes::Chunk;

/// As many lines as users know.
const LINES: usize = 1000;
/// As many bytes as a document holds, whatever they become as JSON.
pub(crate) const BYTES: usize = 128 << 10;
/// What a byte may become in JSON: `\u0000`.
const LARGEST_ESCAPE: usize = 6;

/// The last lines of what was printed, in the order in which it came. What is no UTF-8 is replaced.
pub(crate) fn last_lines(chunks: &[Chunk]) -> String {
    let bytes = chunks.iter().flat_map(|chunk| chunk.data.iter().copied()).collect::<Vec<_>>();
    let text = String::from_utf8_lossy(&bytes);
    let mut starts = text.trim_end_matches('\n').rmatch_indices('\n').map(|(place, _)| place + 1);
    let kept = starts.nth(LINES - 1).unwrap_or_default();
    end(text.get(kept..).unwrap_or_default(), BYTES)
}

/// As much of the end as fits.
fn end(text: &str, most: usize) -> String {
    let from = text.ceil_char_boundary(text.len().saturating_sub(most));
    text.get(from..).unwrap_or_default().to_owned()
}

/// As much of the end as is so long in JSON.
pub(crate) fn end_in_json(text: String, most: usize) -> String {
    let escaped = serde_json::to_string(&text).map_or(usize::MAX, |text| text.len());
    if escaped <= most { text } else { end(&text, most / LARGEST_ESCAPE) }
}

/// The reason that OpenHands 0.45 gave in its log, if the last state that it told was an error.
pub(crate) fn told_error(log: &str) -> Option<String> {
    let states = log.rsplit_once(" to AgentState.");
    if !states.is_some_and(|(_, state)| state.starts_with("ERROR")) {
        return None;
    }
    let reason = |line: &str| {
        let (_, behind) = line.split_once("loop.py:")?;
        behind.split_once(" - ").map(|(_, reason)| reason.trim().to_owned())
    };
    Some(log.lines().rev().find_map(reason).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use windlass_sdk::processes::Origin;

    use super::*;

    fn told(pieces: &[&[u8]]) -> String {
        let chunk = |data: &&[u8]| {
            let (seq, origin, data, time) = (1, Origin::Stdout, data.to_vec(), 0);
            Chunk { seq, origin, data, time }
        };
        last_lines(&pieces.iter().map(chunk).collect::<Vec<_>>())
    }

    #[test]
    fn the_last_thousand_lines_are_told() {
        assert_eq!(told(&[]), "");
        assert_eq!(told(&[b"a\n", b"b"]), "a\nb");
        assert_eq!(told(&[b"a\nb\n"]), "a\nb\n");
        let many: String = (0..1500).map(|number| format!("{number}\n")).collect();
        let last = told(&[many.as_bytes()]);
        assert_eq!(last.lines().count(), 1000);
        assert!(last.starts_with("500\n") && last.ends_with("\n1499\n"), "{last:.20}");
        let exact: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(told(&[exact.as_bytes()]), exact);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(told(&[b"a\xff\xfeb\n"]), "a\u{fffd}\u{fffd}b\n");
        assert_eq!(told(&["ä".as_bytes().split_at(1).0, "ä".as_bytes().split_at(1).1]), "ä");
        assert_eq!(told(&[b"\0"]), "\0");
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let long = told(&["é".repeat(BYTES).as_bytes()]);
        assert!(long.len() <= BYTES && long.starts_with('é'), "{}", long.len());
        assert_eq!(end_in_json("\0".repeat(100), 60), "\0".repeat(10));
        assert_eq!(end_in_json("x".repeat(58), 60), "x".repeat(58));
    }

    #[test]
    fn an_error_is_found_in_the_log() {
        let log = "\u{1b}[91m18:36:53 - openhands:ERROR\u{1b}[0m: loop.py:24 - BadRequestError: no - such model\n\
                   18:36:53 - openhands:INFO: agent_controller.py:556 - state from AgentState.RUNNING to AgentState.ERROR\nbye";
        assert_eq!(told_error(log).unwrap(), "BadRequestError: no - such model");
        assert_eq!(told_error(&log.replace("to AgentState.ERROR", "to AgentState.FINISHED")), None);
        assert_eq!(told_error(" to AgentState.ERROR").unwrap(), "");
        assert_eq!(told_error("nothing"), None);
    }
}
