//! Texts of plugins as people and models get to read them: nothing in them hides, or acts on what shows them.

use std::borrow::Cow;

/// Control characters but for line ends and tabs, zero-width and direction marks, tags, private use.
pub fn is_hidden(character: char) -> bool {
    match character {
        '\n' | '\r' | '\t' => false,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => {
            true
        }
        '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' => true,
        '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}' => true,
        other => other.is_control(),
    }
}

/// What terminals obey, and what makes a text look like another one. Joiners and selectors are none of it: languages and emoji
/// are written with them.
fn acts(character: char) -> bool {
    match character {
        '\n' | '\r' | '\t' => false,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}' => true,
        other => other.is_control(),
    }
}

/// A text without what acts.
pub fn shown(mut text: String) -> String {
    if text.chars().any(acts) {
        text.retain(|it| !acts(it));
    }
    text
}

/// The same on one line, with what is left out told: a log has a line for each message.
pub fn on_one_line(text: &str) -> Cow<'_, str> {
    let breaks = |it: char| it == '\n' || it == '\r' || acts(it);
    if !text.chars().any(breaks) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            it if breaks(it) => line.extend(it.escape_default()),
            it => line.push(it),
        }
    }
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_left_out_and_what_is_written_stays() {
        let text = "a\u{1b}[31m\u{7}b\u{202e}c\u{2066}\u{e0041}\u{9b}\u{0}\r\n\td größer 👩\u{200d}🚀 می\u{200c}خواهم";
        assert_eq!(shown(text.to_owned()), "a[31mbc\r\n\td größer 👩\u{200d}🚀 می\u{200c}خواهم");
    }

    #[test]
    fn a_line_of_the_log_is_one_line() {
        let text = "fine\n2026-11-28 ERROR forged\r\u{1b}[2J";
        assert_eq!(on_one_line(text), r"fine\n2026-11-28 ERROR forged\r\u{1b}[2J");
    }
}
