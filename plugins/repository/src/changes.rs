//! What was changed since a commit, committed or not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::Error;

use crate::{Repository, failure, options};

/// More files are only counted.
const MOST_FILES: usize = 1000;

/// What was changed since a commit: in later commits, in the index, in files, and files that git does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Changes {
    /// Up to a thousand.
    pub changed_files: Vec<ChangedFile>,
    pub diff_stat: DiffStat,
}

/// A file that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct ChangedFile {
    pub path: String,
    /// Lines that came. Null: it is no text, or git does not know it.
    pub insertions: Option<u64>,
    /// Lines that went. Null: the same.
    pub deletions: Option<u64>,
    /// Whether git does not know it.
    pub untracked: bool,
}

/// The sum of them, also of those that are left out of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct DiffStat {
    pub files: u64,
    pub insertions: u64,
    pub deletions: u64,
}

impl Repository {
    /// What was changed since a commit. The empty string: since there was nothing.
    pub fn changes_since(&self, commit: &str) -> Result<Changes, Error> {
        let mut changes = Changes::default();
        let base = if commit.is_empty() { self.empty_tree()? } else { commit.to_owned() };
        options::check_revision(&base)?;
        let diff = [
            "diff",
            "--numstat",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--ignore-submodules=all",
            &base,
            "--",
        ];
        let ran = self.done(&diff)?;
        changes.count(&ran.stdout);
        let others = self.done(&["ls-files", "--others", "--exclude-standard", "-z"])?;
        changes.untracked(&others.stdout);
        if ran.cut || others.cut {
            return Err(failure::limit("too many files were changed to be listed"));
        }
        Ok(changes)
    }

    /// The name of the tree without a file, which depends on how the repository hashes.
    fn empty_tree(&self) -> Result<String, Error> {
        Ok(self.done(&["hash-object", "-t", "tree", "/dev/null"])?.text().trim().to_owned())
    }
}

impl Changes {
    fn count(&mut self, output: &[u8]) {
        for record in String::from_utf8_lossy(output).split('\0') {
            let mut fields = record.splitn(3, '\t');
            let (Some(insertions), Some(deletions), Some(path)) =
                (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let (insertions, deletions) = (insertions.trim().parse().ok(), deletions.parse().ok());
            self.diff_stat.insertions += insertions.unwrap_or(0);
            self.diff_stat.deletions += deletions.unwrap_or(0);
            self.add(ChangedFile {
                path: path.to_owned(),
                insertions,
                deletions,
                untracked: false,
            });
        }
    }

    fn untracked(&mut self, output: &[u8]) {
        for path in String::from_utf8_lossy(output).split('\0').filter(|path| !path.is_empty()) {
            let path = path.to_owned();
            self.add(ChangedFile { path, insertions: None, deletions: None, untracked: true });
        }
    }

    fn add(&mut self, file: ChangedFile) {
        self.diff_stat.files += 1;
        if self.changed_files.len() < MOST_FILES {
            self.changed_files.push(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_listed_and_counted() {
        let mut changes = Changes::default();
        changes.count(b"1\t2\ta b\0-\t-\tpicture\0\0x\0");
        changes.untracked(b"new\0");
        let paths: Vec<_> = changes.changed_files.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["a b", "picture", "new"]);
        assert_eq!(changes.diff_stat, DiffStat { files: 3, insertions: 1, deletions: 2 });
        changes.untracked("x\0".repeat(MOST_FILES).as_bytes());
        assert_eq!(changes.changed_files.len(), MOST_FILES);
        assert_eq!(changes.diff_stat.files, 3 + MOST_FILES as u64);
    }
}
