//! Merging, and conflicts as something to read.

use schemars::JsonSchema;
use serde::Serialize;
use windlass_sdk::Error;

use crate::{Repository, failure, options, status::Conflict};

/// More files in conflict are only named.
const MOST_SHOWN: usize = 20;
/// As much as is shown of one side of a file.
const MOST_BYTES: u64 = 32 << 10;

/// What a merge came to.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Merge {
    /// `merged`, `fast_forward`, `rebased`, `up_to_date`, `conflicts` or `aborted`.
    pub outcome: &'static str,
    /// The commit that is checked out then.
    pub head: Option<String>,
    /// Files that could not be brought together. Edit and commit them, or abort.
    pub conflicts: Vec<Torn>,
    /// What git said.
    pub output: String,
}

/// A file in conflict, with what it is on each side.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Torn {
    pub path: String,
    /// `both_modified`, `both_added`, `both_deleted`, `added_by_us`, `added_by_them`, `deleted_by_us` or `deleted_by_them`.
    pub kind: &'static str,
    /// As it was before both sides changed it. Null: it was not there, or is not shown.
    pub base: Option<String>,
    /// As it is here. Null: the same.
    pub ours: Option<String>,
    /// As it is there. Null: the same.
    pub theirs: Option<String>,
    /// The lines with conflict markers, from 1: where each one begins and ends.
    pub markers: Vec<(u32, u32)>,
    /// Whether a side was too long to be shown whole, or is no text.
    pub cut: bool,
}

impl Repository {
    /// Merges a commit into the branch that is checked out.
    pub fn merge(
        &self,
        revision: &str,
        message: Option<&str>,
        fast_forward: bool,
    ) -> Result<Merge, Error> {
        options::check_revision(revision)?;
        let before = self.head()?;
        let mut arguments = vec!["merge".to_owned(), "--no-edit".to_owned()];
        arguments.extend(message.map(|message| format!("--message={message}")));
        arguments.push(if fast_forward { "--ff" } else { "--no-ff" }.to_owned());
        arguments.push(revision.to_owned());
        let ran = self.git(&arguments)?;
        let (head, output) = (self.head()?, ran.text());
        let conflicts = if ran.succeeded() { Vec::new() } else { self.status()?.conflicts };
        if !ran.succeeded() && conflicts.is_empty() {
            return Err(failure::git(&format!("{}{}", ran.text(), ran.complaint()), &[]));
        }
        let outcome = if !conflicts.is_empty() {
            "conflicts"
        } else if head == before {
            "up_to_date"
        } else if output.contains("Fast-forward") {
            "fast_forward"
        } else {
            "merged"
        };
        let torn = conflicts
            .into_iter()
            .enumerate()
            .map(|(number, it)| self.torn(it, number < MOST_SHOWN));
        Ok(Merge { outcome, head, conflicts: torn.collect::<Result<_, _>>()?, output })
    }

    /// Puts the branch's own commits after another one. One that does not fit is undone with all others.
    pub fn rebase(&self, revision: &str) -> Result<Merge, Error> {
        options::check_revision(revision)?;
        let before = self.head()?;
        let ran = self.git(&["rebase", revision])?;
        if !ran.succeeded() {
            let error = failure::git(&format!("{}{}", ran.text(), ran.complaint()), &[]);
            // Where none was begun there is none to undo.
            let _ = self.git(&["rebase", "--abort"]);
            return Err(error);
        }
        let head = self.head()?;
        let outcome = if head == before { "up_to_date" } else { "rebased" };
        Ok(Merge { outcome, head, conflicts: Vec::new(), output: ran.text() })
    }

    /// Undoes a merge that was not finished.
    pub fn abort_merge(&self) -> Result<Merge, Error> {
        let ran = self.done(&["merge", "--abort"])?;
        Ok(Merge {
            outcome: "aborted",
            head: self.head()?,
            conflicts: Vec::new(),
            output: ran.text(),
        })
    }

    fn torn(&self, conflict: Conflict, shown: bool) -> Result<Torn, Error> {
        let Conflict { path, kind } = conflict;
        let mut torn = Torn {
            path,
            kind,
            base: None,
            ours: None,
            theirs: None,
            markers: Vec::new(),
            cut: !shown,
        };
        if !shown {
            return Ok(torn);
        }
        for (stage, side) in [(1, 0), (2, 1), (3, 2)] {
            let (text, cut) = self.side(stage, &torn.path)?;
            torn.cut |= cut;
            match side {
                0 => torn.base = text,
                1 => torn.ours = text,
                _ => torn.theirs = text,
            }
        }
        // A file that is a link or too large has no lines to name.
        if let Ok(part) = self.workspace().read(&torn.path, 0, Some(1 << 20)) {
            torn.markers = markers(&String::from_utf8_lossy(&part.data));
        }
        Ok(torn)
    }

    /// A file as it is on one side, if it is there, and whether that is not all of it.
    fn side(&self, stage: u8, path: &str) -> Result<(Option<String>, bool), Error> {
        let limits = crate::Limits {
            most: usize::try_from(MOST_BYTES).unwrap_or(usize::MAX),
            ..crate::Limits::default()
        };
        let ran = self.git_within(&["cat-file", "blob", &format!(":{stage}:{path}")], limits)?;
        if !ran.succeeded() {
            return Ok((None, false));
        }
        if ran.stdout.contains(&0) {
            return Ok((None, true));
        }
        Ok((Some(ran.text()), ran.cut))
    }
}

/// Where conflict markers begin and end.
fn markers(text: &str) -> Vec<(u32, u32)> {
    let (mut found, mut begin) = (Vec::new(), None);
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("<<<<<<< ") {
            begin = Some(number);
        } else if line.starts_with(">>>>>>> ")
            && let Some(begin) = begin.take()
        {
            found.push((begin, number));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found() {
        let text = "a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\nd\n>>>>>>> \n<<<<<<< y\n";
        assert_eq!(markers(text), [(2, 6)]);
    }
}
