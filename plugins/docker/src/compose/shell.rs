//! A line as the words that a shell would make of it, without what a shell would run.

/// The words of a line. None: a quote is not closed, or a backslash is its last sign.
pub(crate) fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut signs = line.chars();
    while let Some(sign) = signs.next() {
        match sign {
            sign if sign.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match signs.next()? {
                        '\'' => break,
                        inner => word.push(inner),
                    }
                }
            }
            '"' => double_quoted(&mut signs, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(signs.next()?),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

fn double_quoted(signs: &mut std::str::Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match signs.next()? {
            '"' => return Some(()),
            '\\' => match signs.next()? {
                escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                other => word.extend(['\\', other]),
            },
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[track_caller]
    fn check(line: &str, expected: Option<&[&str]>) {
        assert_eq!(split(line).as_deref(), expected.map(|it| it.map_to()).as_deref(), "{line}");
    }

    trait MapTo {
        fn map_to(&self) -> Vec<String>;
    }

    impl MapTo for &[&str] {
        fn map_to(&self) -> Vec<String> {
            self.iter().map(|&it| it.to_owned()).collect()
        }
    }

    #[test]
    fn words_are_those_of_a_shell() {
        check("", Some(&[]));
        check("  a  b\tc\n", Some(&["a", "b", "c"]));
        check("sh -c 'echo \"$A\" \\'", Some(&["sh", "-c", "echo \"$A\" \\"]));
        check(r#"a "b c"d "" '' e\ f"#, Some(&["a", "b cd", "", "", "e f"]));
        check(r#""a\"b\nc\\""#, Some(&["a\"b\\nc\\"]));
        check("'open", None);
        check("\"open", None);
        check("end\\", None);
    }
}
