//! Compose files of all kinds, and what becomes of them when they are damaged: never a panic, never without end.
//!
//! `WINDLASS_MUTATIONS` says how many files are tried, `WINDLASS_SEED` from where: `cargo xtask fuzz` asks for many.

use std::{
    collections::BTreeMap,
    env,
    time::{Duration, Instant},
};

use windlass_sdk::Error;

use super::{
    load::{self, Around, Source},
    place::Place,
    plan::Plan,
};

const CORPUS: &[(&str, &str)] = &[
    ("shop.yaml", include_str!("../../corpus/shop.yaml")),
    ("old.yml", include_str!("../../corpus/old.yml")),
    ("tools.yaml", include_str!("../../corpus/tools.yaml")),
    ("json.json", include_str!("../../corpus/json.json")),
    ("refused.yaml", include_str!("../../corpus/refused.yaml")),
];

/// Pieces that mean something to YAML, to variables or to Compose.
const WORDS: &[&str] = &[
    "${",
    "}",
    "$",
    "$$",
    "${A:-",
    "${A:?",
    "${A+",
    "&a ",
    "*a",
    "<<: ",
    "<<: *a\n",
    "!!binary ",
    "!x ",
    "- ",
    ": ",
    "\n",
    "  ",
    "\t",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "|\n",
    ">-\n",
    "#",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "null",
    "~",
    "true",
    "-1",
    "0",
    "0440",
    "18446744073709551616",
    "1e999",
    ".nan",
    "65536",
    "1-65535",
    "99999999999999999999s",
    "999999999999t",
    "\u{feff}",
    "\u{0}",
    "ä",
    "services:",
    "extends:",
    "service:web",
    "depends_on:",
    "profiles:",
    "external: true",
    "..",
    "/../..",
    "~/",
    "://",
    ":::",
    "x-",
];

/// No file that may be read takes a machine so long, however slow: it stands for "without end".
const LONGEST: Duration = Duration::from_secs(60);

fn plan(text: &str) -> Result<Plan, Error> {
    let source = Source {
        text: text.to_owned(),
        name: "it".to_owned(),
        place: Place(Some("/srv".to_owned())),
    };
    let environment = BTreeMap::from([("DB_PASSWORD".to_owned(), "x".to_owned())]);
    let read = |path: &str| {
        Ok((path == "/srv/other.yaml").then(|| b"services: {base: {image: x}}".to_vec()))
    };
    let around = Around {
        project: "it",
        environment: &environment,
        variables: &BTreeMap::new(),
        secrets: &["token".to_owned()],
        profiles: &["*".to_owned()],
        services: &[],
        read: &read,
    };
    load::plan(&source, &around)
}

/// Numbers that look random, and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len())]
    }
}

/// A place in a text between two letters.
fn place(text: &str, dice: &mut Dice) -> usize {
    let mut at = dice.below(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn damaged(text: &str, dice: &mut Dice) -> String {
    let mut text = text.to_owned();
    for _ in 0..=dice.below(6) {
        let (one, other) = (place(&text, dice), place(&text, dice));
        let (start, end) = (one.min(other), one.max(other));
        let short =
            (start..=end.min(start + 40)).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        match dice.below(5) {
            0 => text.insert_str(start, dice.word()),
            1 => text.replace_range(start..short, dice.word()),
            2 => text.replace_range(start..short, ""),
            // A piece of it once more, elsewhere.
            3 => {
                let piece = text[start..short].to_owned();
                let at = place(&text, dice);
                text.insert_str(at, &piece);
            }
            // A line under another one's indentation.
            _ => {
                let mut lines: Vec<&str> = text.lines().collect();
                let (from, to) = (dice.below(lines.len()), dice.below(lines.len()));
                if !lines.is_empty() {
                    lines.swap(from, to);
                }
                text = lines.join("\n");
            }
        }
    }
    text
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

#[test]
fn every_file_comes_to_a_plan_or_says_what_is_not_done() {
    for (name, text) in CORPUS {
        match plan(text) {
            Ok(plan) => assert!(!plan.services.is_empty() && *name != "refused.yaml", "{name}"),
            Err(error) => assert!(*name == "refused.yaml", "{name}: {}", error.message),
        }
    }
    let refused = plan(CORPUS.last().unwrap().1).unwrap_err().known();
    let expected = [
        "include",
        "services.ai.deploy.resources.reservations.devices",
        "services.ai.gpus",
        "services.ai.post_start",
        "services.ai.runtime",
        "services.ai.unknown_key",
        "services.ai.userns_mode",
        "services.ai.volumes_from",
    ];
    assert_eq!(refused["unsupported"], serde_json::json!(expected));
}

#[test]
fn a_file_that_is_damaged_is_read_or_refused() {
    let count = number("WINDLASS_MUTATIONS").unwrap_or(2_000);
    let seed = number("WINDLASS_SEED").unwrap_or(0x5eed);
    let mut planned = 0;
    for round in 0..count {
        // A file of its own for each round: what fails is found again by its number.
        let mut dice = Dice((seed + round).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (name, text) = CORPUS[dice.below(CORPUS.len())];
        let text = damaged(text, &mut dice);
        let begun = Instant::now();
        planned += u64::from(plan(&text).is_ok());
        assert!(
            begun.elapsed() < LONGEST,
            "seed {} of {name} takes too long:\n{text}",
            seed + round
        );
    }
    assert!(planned > 0, "nothing that is damaged so little comes to a plan");
}
