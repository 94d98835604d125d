//! What ran and how it went: one line per step, and the sum that CI reads.

use std::{
    error::Error,
    fmt,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Result;

/// How much of a failure's output is shown.
const TAIL_LINES: usize = 40;

#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

/// How a step went, in a word or two.
pub(crate) struct Outcome {
    pub(crate) counts: Counts,
    pub(crate) note: String,
}

/// A step that cannot run here because something is not installed. It is skipped, and says so.
#[derive(Debug)]
pub(crate) struct Absent(pub(crate) String);

impl fmt::Display for Absent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Error for Absent {}

impl Outcome {
    pub(crate) fn passed(note: impl Into<String>) -> Self {
        Self { counts: Counts { passed: 1, ..Counts::default() }, note: note.into() }
    }

    pub(crate) fn failed(note: impl Into<String>) -> Self {
        Self { counts: Counts { failed: 1, ..Counts::default() }, note: note.into() }
    }

    fn skipped(note: String) -> Self {
        Self { counts: Counts { skipped: 1, ..Counts::default() }, note }
    }
}

/// All steps so far.
#[derive(Default)]
pub(crate) struct Report {
    steps: Vec<(String, Outcome, Duration)>,
}

impl Report {
    /// Runs a step and tells at once how it went.
    pub(crate) fn step(&mut self, name: &str, run: impl FnOnce() -> Result<Outcome>) {
        println!("== {name}");
        let start = Instant::now();
        let outcome = run().unwrap_or_else(|error| match error.downcast::<Absent>() {
            Ok(absent) => Outcome::skipped(absent.0),
            Err(error) => Outcome::failed(format!("{error:#}")),
        });
        let note = &outcome.note;
        match outcome.counts {
            Counts { failed: 1.., .. } => println!("FAILED {name}: {note}"),
            Counts { passed: 0, skipped: 1.., .. } => println!("SKIPPED {name}: {note}"),
            _ => println!("ok {name}: {note}"),
        }
        self.steps.push((name.to_owned(), outcome, start.elapsed()));
    }

    fn sum(&self) -> Counts {
        self.steps.iter().fold(Counts::default(), |sum, (_, outcome, _)| Counts {
            passed: sum.passed + outcome.counts.passed,
            failed: sum.failed + outcome.counts.failed,
            skipped: sum.skipped + outcome.counts.skipped,
        })
    }

    /// Prints the table; its last line is the sum and nothing else.
    pub(crate) fn finish(&self) -> ExitCode {
        println!(
            "\n{:<26} {:>6} {:>6} {:>7} {:>7}",
            "step", "passed", "failed", "skipped", "seconds"
        );
        for (name, Outcome { counts: Counts { passed, failed, skipped }, note }, took) in
            &self.steps
        {
            let seconds = took.as_secs_f64();
            let note = note.lines().next().unwrap_or_default();
            println!("{name:<26} {passed:>6} {failed:>6} {skipped:>7} {seconds:>7.1}  {note}");
        }
        let Counts { passed, failed, skipped } = self.sum();
        println!("\n{passed} passed, {failed} failed, {skipped} skipped");
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The end of a text.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n")
}
