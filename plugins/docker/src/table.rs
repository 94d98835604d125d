//! Tables of text, as people know them from the engine's own command line. Pure.

/// Between two columns.
const GAP: usize = 3;

/// A table with a heading and aligned columns. Written here, as a list of hundreds of containers is asked for again and
/// again, and what lays out tables for terminals takes ten times as long.
pub(crate) fn table<const N: usize>(
    heading: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let heading = heading.map(str::to_owned);
    let rows: Vec<_> = [heading].into_iter().chain(rows).collect();
    let width = |cell: &String| cell.chars().count();
    let mut widths = [0; N];
    for row in &rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).max(*widest);
        }
    }
    let mut text = String::new();
    for row in &rows {
        for (cell, widest) in row.iter().zip(widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', widest - width(cell) + GAP));
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text.pop();
    text
}

/// How long ago something was, in the words of the engine's command line.
pub(crate) fn ago(then_ms: u64, now_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / 1000;
    let (count, unit) = match seconds {
        0..=59 => (seconds, "second"),
        60..=3_599 => (seconds / 60, "minute"),
        3_600..=86_399 => (seconds / 3_600, "hour"),
        86_400..=1_209_599 => (seconds / 86_400, "day"),
        1_209_600..=5_183_999 => (seconds / 604_800, "week"),
        5_184_000..=63_071_999 => (seconds / 2_592_000, "month"),
        _ => (seconds / 31_536_000, "year"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

/// Bytes in the units that people read: `1.5MB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count}B");
    }
    let (mut tenths, mut unit) = (count / 100, "kB");
    for next in UNITS.into_iter().skip(1) {
        if tenths < 10_000 {
            break;
        }
        (tenths, unit) = (tenths / 1000, next);
    }
    if tenths < 1000 && tenths % 10 > 0 {
        return format!("{}.{}{unit}", tenths / 10, tenths % 10);
    }
    format!("{}{unit}", tenths / 10)
}

/// The first letters of an id, as many as people read.
pub(crate) fn short(id: &str) -> &str {
    let id = id.strip_prefix("sha256:").unwrap_or(id);
    id.get(..12).unwrap_or(id)
}

/// As much of a text as fits, and whether there is more.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_hangs_over() {
        let rows = [["a".to_owned(), String::new()], ["long".to_owned(), "x y".to_owned()]];
        assert_eq!(table(["ID", "NAME"], rows), "ID     NAME\na\nlong   x y");
    }

    #[test]
    fn times_and_sizes_read_as_people_say_them() {
        let hour = 3_600_000;
        assert_eq!(ago(1_000, 2_000), "1 second ago");
        assert_eq!(ago(2_000, 1_000), "0 seconds ago");
        assert_eq!(ago(0, 2 * hour), "2 hours ago");
        assert_eq!(ago(0, 24 * 14 * hour), "2 weeks ago");
        assert_eq!(ago(0, 24 * 400 * hour), "13 months ago");
        assert_eq!(bytes(0), "0B");
        assert_eq!(bytes(999), "999B");
        assert_eq!(bytes(1_500), "1.5kB");
        assert_eq!(bytes(1_984_220), "1.9MB");
        assert_eq!(bytes(415_446_573), "415MB");
        assert_eq!(bytes(3_000_000_000_000), "3TB");
        assert_eq!(short("sha256:efd2bae3461110944be"), "efd2bae34611");
        assert_eq!(short("ab"), "ab");
        assert_eq!(cut("sleep 1", 5), "sleep…");
        assert_eq!(cut("sleep", 5), "sleep");
    }
}
