//! A command line as words, quoted as a POSIX shell quotes, with nothing else of a shell. Pure.

use windlass_sdk::Error;

use crate::failure::validation;

/// More words are no command.
const MOST: usize = 1000;

/// The words of a line.
pub(crate) fn split(line: &str) -> Result<Vec<String>, Error> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => single(word.get_or_insert_default(), &mut letters)?,
            '"' => double(word.get_or_insert_default(), &mut letters)?,
            '\\' => {
                let next = letters.next().ok_or_else(|| {
                    validation("No escaped character: the command ends with `\\`")
                })?;
                word.get_or_insert_default().push(next);
            }
            '\0' => return Err(validation("the command holds a NUL")),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    if words.len() > MOST {
        return Err(validation(format!(
            "{} words are more than the {MOST} of a command",
            words.len()
        )));
    }
    Ok(words)
}

fn single(word: &mut String, letters: &mut std::str::Chars<'_>) -> Result<(), Error> {
    loop {
        match letters.next() {
            Some('\'') => return Ok(()),
            Some('\0') | None => return Err(open("'")),
            Some(letter) => word.push(letter),
        }
    }
}

fn double(word: &mut String, letters: &mut std::str::Chars<'_>) -> Result<(), Error> {
    loop {
        match letters.next() {
            Some('"') => return Ok(()),
            Some('\\') => match letters.next() {
                Some(letter @ ('"' | '\\')) => word.push(letter),
                Some(letter) => word.extend(['\\', letter]),
                None => return Err(open("\"")),
            },
            Some('\0') | None => return Err(open("\"")),
            Some(letter) => word.push(letter),
        }
    }
}

fn open(quote: &str) -> Error {
    validation(format!("No closing quotation: a `{quote}` in the command has no second one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<&[&str]>) {
        let words = split(line).ok();
        let words: Option<Vec<&str>> =
            words.as_ref().map(|it| it.iter().map(String::as_str).collect());
        assert_eq!(words.as_deref(), expected, "{line}");
    }

    #[test]
    fn words_are_split_as_a_shell_does() {
        check("", Some(&[]));
        check("  git  status\t-s\n", Some(&["git", "status", "-s"]));
        check(
            "commit -m 'a b' \"c \\\"d\\\" $e `f`\"",
            Some(&["commit", "-m", "a b", "c \"d\" $e `f`"]),
        );
        check("a'b'\"c\"\\ d", Some(&["abc d"]));
        check("'' \"\"", Some(&["", ""]));
        check(
            "a; b && c | d > e $(f) #g",
            Some(&["a;", "b", "&&", "c", "|", "d", ">", "e", "$(f)", "#g"]),
        );
        check("\"a\\nb\"", Some(&["a\\nb"]));
        for wrong in ["'a", "\"a", "a\\", "\"a\\", "a\0b", "'a\0'"] {
            check(wrong, None);
        }
        check(&"x ".repeat(1001), None);
    }
}
