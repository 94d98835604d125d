//! `deploy/THREATS.md` is held to its word: each claim names tests, and each of them is there.

use std::{collections::BTreeMap, fs};

use crate::support::root;

const FILE: &str = "deploy/THREATS.md";

/// What stands beneath these headings is no claim.
const NO_CLAIMS: [&str; 4] =
    ["Who is who", "What is not in scope", "What is taken for granted", "A hole"];

/// The claims of the file: each row of its tables, with the heading above.
fn claims(text: &str) -> Vec<(&str, &str)> {
    let mut heading = "";
    let mut claims = Vec::new();
    for line in text.lines() {
        if let Some(next) = line.strip_prefix("## ") {
            heading = next;
        }
        let is_row = line.starts_with('|') && !line.contains("| --- |");
        let is_head = line.ends_with("| shown by |");
        if is_row && !is_head && !NO_CLAIMS.contains(&heading) {
            claims.push((heading, line));
        }
    }
    claims
}

/// The tests that a text names, as `file::name`.
fn named(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('`').skip(1).step_by(2).filter_map(|word| word.split_once(".rs::"))
}

/// The names of the tests in a file.
fn tests_of(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_test = |at: usize| {
        let above = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        let marks = ["#[test]", "#[tokio::test]", "#[tokio::test("];
        above.into_iter().any(|line| marks.iter().any(|mark| line.starts_with(mark)))
    };
    let name = |line: &str| {
        let (_, rest) = line.split_once("fn ")?;
        let end = rest.find(|it: char| !(it.is_ascii_alphanumeric() || it == '_'))?;
        Some((line.find("fn ")?, end))
    };
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some((start, end)) = name(line).filter(|_| is_test(at)) {
            found.push(&line[start + 3..start + 3 + end]);
        }
    }
    found
}

#[test]
fn every_claim_is_shown_by_a_test_that_is_there() {
    let text = fs::read_to_string(root().join(FILE)).unwrap();
    let claims = claims(&text);
    assert!(claims.len() > 50, "{FILE} makes {} claims only", claims.len());
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for (heading, claim) in claims {
        assert!(named(claim).next().is_some(), "{FILE}, {heading}: no test shows `{claim}`");
        for (file, test) in named(claim) {
            let source = files.entry(file).or_insert_with(|| {
                let path = format!("{file}.rs");
                fs::read_to_string(root().join(&path))
                    .unwrap_or_else(|_| panic!("{FILE}, {heading}: there is no `{path}`"))
            });
            let there = tests_of(source).contains(&test);
            assert!(there, "{FILE}, {heading}: `{file}.rs` has no test `{test}`");
        }
    }
}

#[test]
fn all_of_the_checks_are_there() {
    let text = fs::read_to_string(root().join(FILE)).unwrap();
    for number in 1..=24 {
        let row = format!("| S{number} |");
        assert_eq!(text.matches(&row).count(), 1, "{FILE} has no row for S{number}, or two");
    }
}

#[test]
fn a_test_is_known_by_its_mark() {
    let text = "#[test]\nfn one() {}\nfn no() {}\n#[tokio::test(start_paused = true)]\n#[ignore]\nasync fn two() {\n}";
    assert_eq!(tests_of(text), ["one", "two"]);
}
