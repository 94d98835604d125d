//! What `git status` says, read. Pure.

use schemars::JsonSchema;
use serde::Serialize;
use windlass_sdk::Error;

use crate::failure;

/// How status is asked for.
pub(crate) const ARGUMENTS: [&str; 5] =
    ["status", "--porcelain=v2", "--branch", "-z", "--ignore-submodules=all"];
/// More paths of a kind are only counted.
const MOST_PATHS: usize = 1000;

/// How the files of a repository are, compared with what was committed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Status {
    /// The branch that is checked out. Null: a commit is, and no branch.
    pub branch: Option<String>,
    /// The commit that is checked out. Null: there is none yet.
    pub head: Option<String>,
    /// The branch of a remote that the branch follows.
    pub upstream: Option<String>,
    /// How many commits the branch has that its upstream has not.
    pub ahead: Option<u32>,
    /// How many commits its upstream has that the branch has not.
    pub behind: Option<u32>,
    /// What the next commit changes.
    pub staged: Vec<Change>,
    /// What was changed besides.
    pub unstaged: Vec<Change>,
    /// Files and directories that git does not know.
    pub untracked: Vec<String>,
    /// Files that a merge could not bring together.
    pub conflicts: Vec<Conflict>,
    /// Whether there is nothing to commit, and nothing untracked.
    pub clean: bool,
    /// Paths that are left out of the lists, of which none is longer than a thousand.
    #[serde(skip_serializing_if = "is_none")]
    pub left_out: u32,
}

/// A file that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    pub path: String,
    /// `added`, `modified`, `deleted`, `renamed`, `copied` or `type_changed`.
    pub change: &'static str,
    /// Where it was before, if it was renamed or copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A file in conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Conflict {
    pub path: String,
    /// `both_modified`, `both_added`, `both_deleted`, `added_by_us`, `added_by_them`, `deleted_by_us` or `deleted_by_them`.
    pub kind: &'static str,
}

/// Reads what git printed.
pub(crate) fn parse(output: &[u8], cut: bool) -> Result<Status, Error> {
    let text = String::from_utf8_lossy(output);
    let mut status = Status { clean: true, ..Status::default() };
    let mut records = text.split('\0');
    while let Some(record) = records.next() {
        let Some((kind, rest)) = record.split_once(' ') else { continue };
        match kind {
            "#" => status.header(rest),
            "1" => status.changed(rest, 7, None),
            "2" => status.changed(rest, 8, records.next()),
            "u" => status.conflicted(rest),
            "?" => status.unknown(rest),
            _ => {}
        }
    }
    if cut {
        return Err(failure::limit(
            "the status is too long to be read: `git status` with paths shows parts of it",
        ));
    }
    Ok(status)
}

impl Status {
    fn header(&mut self, line: &str) {
        let Some((name, value)) = line.split_once(' ') else { return };
        match name {
            "branch.oid" => self.head = (value != "(initial)").then(|| value.to_owned()),
            "branch.head" => self.branch = (value != "(detached)").then(|| value.to_owned()),
            "branch.upstream" => self.upstream = Some(value.to_owned()),
            "branch.ab" => {
                let number = |word: &str| word.get(1..).and_then(|digits| digits.parse().ok());
                let mut words = value.split(' ');
                self.ahead = words.next().and_then(number);
                self.behind = words.next().and_then(number);
            }
            _ => {}
        }
    }

    /// A line with so many fields before its path.
    fn changed(&mut self, line: &str, fields: usize, from: Option<&str>) {
        let Some((Some(letters), Some(path))) = fields_of(line, fields) else { return };
        self.clean = false;
        let mut letters = letters.chars();
        for staged in [true, false] {
            let Some(change) = letters.next().and_then(word) else { continue };
            let from =
                matches!(change, "renamed" | "copied").then(|| from.map(str::to_owned)).flatten();
            let list = if staged { &mut self.staged } else { &mut self.unstaged };
            if list.len() < MOST_PATHS {
                list.push(Change { path: path.to_owned(), change, from });
            } else {
                self.left_out += 1;
            }
        }
    }

    fn conflicted(&mut self, line: &str) {
        let Some((Some(letters), Some(path))) = fields_of(line, 9) else { return };
        self.clean = false;
        let kind = match letters {
            "DD" => "both_deleted",
            "AU" => "added_by_us",
            "UD" => "deleted_by_them",
            "UA" => "added_by_them",
            "DU" => "deleted_by_us",
            "AA" => "both_added",
            _ => "both_modified",
        };
        if self.conflicts.len() < MOST_PATHS {
            self.conflicts.push(Conflict { path: path.to_owned(), kind });
        } else {
            self.left_out += 1;
        }
    }

    fn unknown(&mut self, path: &str) {
        self.clean = false;
        if self.untracked.len() < MOST_PATHS {
            self.untracked.push(path.to_owned());
        } else {
            self.left_out += 1;
        }
    }
}

/// The first field of a line, and the path after all of them.
fn fields_of(line: &str, fields: usize) -> Option<(Option<&str>, Option<&str>)> {
    let mut parts = line.splitn(fields + 1, ' ');
    let first = parts.next();
    Some((first, parts.nth(fields - 1)))
}

pub(crate) fn word(letter: char) -> Option<&'static str> {
    Some(match letter {
        'A' => "added",
        'M' => "modified",
        'D' => "deleted",
        'R' => "renamed",
        'C' => "copied",
        'T' => "type_changed",
        _ => return None,
    })
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read() {
        let text = "# branch.oid abc\0# branch.head main\0# branch.upstream origin/main\0# branch.ab +2 -1\0\
            1 M. N... 100644 100644 100644 a b staged file\0\
            1 .M N... 100644 100644 100644 a b src/ünstaged\0\
            1 AM N... 000000 100644 100644 a b both\0\
            2 R. N... 100644 100644 100644 a b R100 new name\0old name\0\
            u UU N... 100644 100644 100644 100644 a b c torn\0\
            u DU N... 100644 100644 100644 100644 a b c gone\0\
            ? un tracked/\0";
        let status = parse(text.as_bytes(), false).unwrap();
        let change = |path: &str, change, from: Option<&str>| Change {
            path: path.to_owned(),
            change,
            from: from.map(str::to_owned),
        };
        assert_eq!(status.branch.as_deref(), Some("main"));
        assert_eq!((status.ahead, status.behind), (Some(2), Some(1)));
        assert_eq!(
            status.staged,
            [
                change("staged file", "modified", None),
                change("both", "added", None),
                change("new name", "renamed", Some("old name"))
            ]
        );
        assert_eq!(
            status.unstaged,
            [change("src/ünstaged", "modified", None), change("both", "modified", None)]
        );
        assert_eq!(status.untracked, ["un tracked/"]);
        let kinds: Vec<_> = status.conflicts.iter().map(|it| (it.path.as_str(), it.kind)).collect();
        assert_eq!(kinds, [("torn", "both_modified"), ("gone", "deleted_by_us")]);
        assert!(!status.clean);
    }

    #[test]
    fn a_fresh_repository_is_clean_and_has_no_commit() {
        let status = parse(b"# branch.oid (initial)\0# branch.head main\0", false).unwrap();
        assert_eq!(
            status,
            Status { branch: Some("main".to_owned()), clean: true, ..Status::default() }
        );
        let detached = parse(b"# branch.oid abc\0# branch.head (detached)\0", false).unwrap();
        assert_eq!((detached.head.as_deref(), detached.branch), (Some("abc"), None));
    }

    #[test]
    fn nonsense_is_left_out_and_long_lists_are_cut() {
        assert!(parse(b"1 M.\0x\0\xff\0\0", false).unwrap().staged.is_empty());
        assert!(parse(b"", true).is_err());
        let many = "? x\0".repeat(MOST_PATHS + 7);
        let status = parse(many.as_bytes(), false).unwrap();
        assert_eq!((status.untracked.len(), status.left_out), (MOST_PATHS, 7));
    }
}
