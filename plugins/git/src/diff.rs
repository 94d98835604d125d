//! `git_diff`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_repository::{Limits, Repository, Settings, check_place, check_revision, git_failure};
use windlass_sdk::{Call, Error, Hints, Result, Tool};

/// As many files are listed with their counts.
const MOST_FILES: usize = 500;
const MOST_BYTES: u32 = 256 << 10;

/// Shows what differs: between the files and the index, or what is staged, or between commits. Untracked files are not part
/// of it. A long diff comes in pages: pass `next_cursor` as `cursor` until it is null.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GitDiff {
    /// The session's id.
    session_id: String,
    /// Shows what the next commit would change.
    #[serde(default)]
    staged: bool,
    /// A commit, branch or tag to compare with. Without `to`, the files are compared with it.
    from: Option<String>,
    /// A second one, to compare the first one with. Needs `from`.
    to: Option<String>,
    /// Only these files and directories.
    #[serde(default)]
    paths: Vec<String>,
    /// Only counts, and no lines.
    #[serde(default)]
    stat: bool,
    /// Lines around each change. 3 where nothing is said.
    #[schemars(range(max = 10_000))]
    context: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    #[serde(default)]
    cursor: u64,
    /// How many bytes of the diff a page holds.
    #[serde(default = "page")]
    #[schemars(range(min = 1_000, max = MOST_BYTES))]
    limit: u32,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Difference {
    session_id: String,
    /// Part of the diff, in whole lines. Empty with `stat`.
    diff: String,
    /// The files that differ, up to 500. Only on the first page.
    files: Vec<File>,
    /// How many differ. This and the sums, too, only on the first page.
    files_changed: u32,
    insertions: u64,
    deletions: u64,
    /// Null at the end.
    next_cursor: Option<u64>,
}

/// A file that differs.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct File {
    path: String,
    /// Lines that came. Null: it is no text.
    insertions: Option<u64>,
    /// Lines that went. Null: it is no text.
    deletions: Option<u64>,
}

impl Tool for GitDiff {
    const NAME: &'static str = "git_diff";
    const TITLE: Option<&'static str> = Some("Show differences");
    const HINTS: Hints = Hints::IDEMPOTENT;
    type Output = Difference;

    fn run(self, call: &Call) -> Result<Difference> {
        let settings: Settings = call.config()?;
        self.check()?;
        let repository = Repository::open(&self.session_id, &settings)?;
        let mut difference = Difference::none(self.session_id.clone());
        if self.cursor == 0 {
            let ran = repository.done(&self.arguments(&["--numstat", "-z", "--no-renames"]))?;
            difference.count(&ran.stdout);
        }
        if !self.stat {
            let context = self.context.map(|lines| format!("--unified={lines}"));
            let most = self.limit.clamp(1_000, MOST_BYTES) as usize;
            let limits = Limits { skip: self.cursor, most, stop: true };
            let arguments: Vec<_> = ["--patch"].into_iter().chain(context.as_deref()).collect();
            let ran = repository.git_within(&self.arguments(&arguments), limits)?;
            if !ran.succeeded() {
                return Err(git_failure(&ran.complaint(), &[]).into());
            }
            let (page, next) = page_of(&ran.stdout, ran.cut, self.cursor);
            (difference.diff, difference.next_cursor) = (page, next);
        }
        Ok(difference)
    }
}

impl GitDiff {
    fn check(&self) -> Result<(), Error> {
        for revision in self.from.iter().chain(&self.to) {
            check_revision(revision)?;
        }
        // Git itself refuses one that is elsewhere, but of two it would compare the files, whatever they are.
        for path in &self.paths {
            check_place(path).map_err(|error| git_failure(&error.message, &[]))?;
        }
        if self.to.is_some() && (self.from.is_none() || self.staged) {
            return Err(windlass_repository::validation(
                "`to` needs `from`, and does not go with `staged`",
            ));
        }
        Ok(())
    }

    fn arguments<'a>(&'a self, how: &[&'a str]) -> Vec<&'a str> {
        let mut arguments =
            vec!["diff", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all", "--no-color"];
        arguments.extend(how);
        arguments.extend(self.staged.then_some("--cached"));
        arguments.extend(self.from.iter().chain(&self.to).map(String::as_str));
        arguments.push("--");
        arguments.extend(self.paths.iter().map(String::as_str));
        arguments
    }
}

impl Difference {
    fn none(session_id: String) -> Self {
        Self {
            session_id,
            diff: String::new(),
            files: Vec::new(),
            files_changed: 0,
            insertions: 0,
            deletions: 0,
            next_cursor: None,
        }
    }

    fn count(&mut self, output: &[u8]) {
        for record in String::from_utf8_lossy(output).split('\0') {
            let mut fields = record.splitn(3, '\t');
            let (Some(came), Some(went), Some(path)) =
                (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let (insertions, deletions) = (came.trim().parse().ok(), went.parse().ok());
            self.files_changed += 1;
            self.insertions += insertions.unwrap_or(0);
            self.deletions += deletions.unwrap_or(0);
            if self.files.len() < MOST_FILES {
                self.files.push(File { path: path.to_owned(), insertions, deletions });
            }
        }
    }
}

/// A page as text, and where the next one begins. It ends with a line, unless one line fills it.
fn page_of(bytes: &[u8], cut: bool, cursor: u64) -> (String, Option<u64>) {
    if !cut {
        return (String::from_utf8_lossy(bytes).into_owned(), None);
    }
    let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(bytes.len(), |place| place + 1);
    let page = bytes.get(..end).unwrap_or_default();
    (String::from_utf8_lossy(page).into_owned(), Some(cursor + end as u64))
}

fn page() -> u32 {
    64 << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_with_a_line() {
        assert_eq!(page_of(b"a\nb\n", false, 0), ("a\nb\n".to_owned(), None));
        assert_eq!(page_of(b"a\nb", true, 10), ("a\n".to_owned(), Some(12)));
        assert_eq!(page_of(b"abc", true, 10), ("abc".to_owned(), Some(13)));
    }

    #[test]
    fn files_are_counted() {
        let mut difference = Difference::none(String::new());
        difference.count(b"1\t2\ta b\0-\t-\tc\0");
        assert_eq!(
            (difference.files_changed, difference.insertions, difference.deletions),
            (2, 1, 2)
        );
        let file = |path: &str, insertions, deletions| File {
            path: path.to_owned(),
            insertions,
            deletions,
        };
        assert_eq!(difference.files, [file("a b", Some(1), Some(2)), file("c", None, None)]);
    }
}
