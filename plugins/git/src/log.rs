//! `git_log`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_repository::{Repository, Settings, check_revision};
use windlass_sdk::{Call, Hints, Result, Tool};

/// As much of a message as is shown.
const MOST_BODY: usize = 4 << 10;
const MOST_COMMITS: u32 = 200;
/// What stands between the fields of a commit.
const FORMAT: &str = "--format=%H%x1f%P%x1f%an%x1f%ae%x1f%aI%x1f%s%x1f%b";

/// Lists commits, newest first.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GitLog {
    /// The session's id.
    session_id: String,
    /// Where it begins: a branch, tag, commit, or a range `a..b`. Without it, what is checked out.
    #[serde(rename = "ref")]
    revision: Option<String>,
    /// Only commits that changed this file or directory.
    path: Option<String>,
    /// How many.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = MOST_COMMITS))]
    limit: u32,
    /// How many are left out before.
    #[serde(default)]
    skip: u32,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Log {
    session_id: String,
    commits: Vec<Commit>,
    /// What to pass as `skip` for more. Null at the end.
    next_skip: Option<u32>,
}

/// A commit.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Commit {
    id: String,
    parents: Vec<String>,
    author: String,
    email: String,
    /// ISO 8601.
    date: String,
    subject: String,
    /// The rest of the message, at most 4 KiB of it.
    body: String,
}

impl Tool for GitLog {
    const NAME: &'static str = "git_log";
    const TITLE: Option<&'static str> = Some("List commits");
    const HINTS: Hints = Hints::IDEMPOTENT;
    type Output = Log;

    fn run(self, call: &Call) -> Result<Log> {
        let settings: Settings = call.config()?;
        let repository = Repository::open(&self.session_id, &settings)?;
        let revision = self.revision.as_deref().unwrap_or("HEAD");
        check_revision(revision)?;
        let none =
            Log { session_id: self.session_id.clone(), commits: Vec::new(), next_skip: None };
        if self.revision.is_none() && repository.head()?.is_none() {
            return Ok(none);
        }
        let limit = self.limit.clamp(1, MOST_COMMITS);
        // One more tells whether there are more.
        let (count, skip) = (format!("--max-count={}", limit + 1), format!("--skip={}", self.skip));
        let mut arguments = vec![
            "log",
            "-z",
            "--no-color",
            "--no-show-signature",
            FORMAT,
            &count,
            &skip,
            revision,
            "--",
        ];
        arguments.extend(self.path.as_deref());
        let ran = repository.done(&arguments)?;
        let text = ran.text();
        let mut commits: Vec<Commit> = text.split('\0').filter_map(commit).collect();
        let more = ran.cut || commits.len() > limit as usize;
        commits.truncate(limit as usize);
        let next_skip = more.then(|| self.skip + u32::try_from(commits.len()).unwrap_or(limit));
        Ok(Log { commits, next_skip, ..none })
    }
}

fn commit(record: &str) -> Option<Commit> {
    let mut fields = record.splitn(7, '\u{1f}').map(str::to_owned);
    let id = fields.next().filter(|id| !id.is_empty())?;
    let mut next = || fields.next();
    let parents = next()?.split_whitespace().map(str::to_owned).collect();
    let (author, email, date, subject) = (next()?, next()?, next()?, next()?);
    let mut body = next()?.trim_end().to_owned();
    if body.len() > MOST_BODY {
        body.truncate(body.floor_char_boundary(MOST_BODY));
        body.push('…');
    }
    Some(Commit { id, parents, author, email, date, subject, body })
}

fn twenty() -> u32 {
    20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_read() {
        let read = commit("a\u{1f}b c\u{1f}Ann\u{1f}a@b\u{1f}2026\u{1f}s\u{1f}x\u{1f}y\n").unwrap();
        assert_eq!(
            (read.id.as_str(), read.parents.len(), read.body.as_str()),
            ("a", 2, "x\u{1f}y")
        );
        assert_eq!(commit(""), None);
        assert_eq!(commit("a\u{1f}b"), None);
        let long = format!("a\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}{}", "ü".repeat(MOST_BODY));
        assert!(commit(&long).unwrap().body.len() <= MOST_BODY + 3);
    }
}
