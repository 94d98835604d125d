//! `fs_batch`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_sdk::{
    Call, Error, Hints, Result, Tool,
    types::Code,
    workspaces::{Done, Moving, Part, Removing, Stat, Step, Workspace, Writing},
};

use crate::{
    WRAPPED, counters,
    encoding::{self, Encoding},
    error::{self, About},
    mime, place, read,
};

/// Does several file operations on a container, in order, all or nothing: where one fails, what came before it is undone,
/// and the error's details hold `failed_index`.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct FsBatch {
    /// The container's id or alias.
    container_id: String,
    #[schemars(length(min = 1))]
    operations: Vec<Operation>,
}

/// One operation.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Operation {
    op: Verb,
    /// Below `/workspace`, or relative to it.
    path: String,
    /// For `write`.
    content: Option<String>,
    /// For `write`: how `content` is written.
    #[serde(default)]
    encoding: Encoding,
    /// For `move` and `copy`: where to.
    dest: Option<String>,
    /// For `write` and `delete`: only if the file still has this tag; the empty string: only if there is no file.
    if_match_etag: Option<String>,
    /// For `move` and `copy`: replaces a file at `dest`.
    #[serde(default)]
    overwrite: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Read,
    Write,
    Delete,
    Move,
    Copy,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Results {
    /// One for each operation.
    results: Vec<Outcome>,
    rollback_performed: bool,
}

/// What an operation came to.
#[derive(Debug, Serialize, JsonSchema)]
struct Outcome {
    op: Verb,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest: Option<String>,
    /// Of `read`. Absent where an answer cannot hold it: read that file alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<Encoding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'static str>,
}

impl Tool for FsBatch {
    const NAME: &'static str = "fs_batch";
    const TITLE: Option<&'static str> = Some("Change several files");
    const HINTS: Hints = Hints::DESTRUCTIVE;
    const WRAPPED_UNDER: Option<&'static str> = WRAPPED;
    type Output = Results;

    fn run(self, _: &Call) -> Result<Results> {
        let steps = self.operations.iter().cloned().enumerate();
        let steps = steps.map(|(at, operation)| operation.step().map_err(|error| named(error, at)));
        let steps = steps.collect::<Result<Vec<_>, Error>>()?;
        let workspace = place::workspace(&self.container_id)?;
        self.check_reads(&workspace)?;
        let done = workspace.batch(&steps).map_err(undone)?;
        counters::filed("batch");
        let mut room = read::LARGEST as usize;
        let results = self.operations.into_iter().zip(done);
        let results = results.map(|(operation, done)| operation.outcome(done, &mut room));
        Ok(Results { results: results.collect(), rollback_performed: false })
    }
}

impl FsBatch {
    /// Nothing is begun whose answer would be too large. What is not there yet, an operation before may make.
    fn check_reads(&self, workspace: &Workspace) -> Result<(), Error> {
        let mut total = 0_u64;
        let reads = self.operations.iter().enumerate().filter(|(_, it)| it.op == Verb::Read);
        for (at, read) in reads {
            total += match workspace.stat(&read.path) {
                Ok(stat) => stat.size,
                Err(error) if error.code == Code::NotFound => 0,
                Err(error) => return Err(named(About::File.of(error), at)),
            };
        }
        if total <= u64::from(read::LARGEST) {
            return Ok(());
        }
        Err(error::limit(format!(
            "the files to read have {total} bytes, more than the {} of one answer: read them with `fs_read`",
            read::LARGEST
        )))
    }
}

impl Operation {
    fn step(self) -> Result<Step, Error> {
        self.check()?;
        Ok(match self.op {
            Verb::Read => Step::Read(self.path),
            Verb::Write => {
                let data = encoding::read(self.content.unwrap_or_default(), self.encoding)?;
                Step::Write(Writing { path: self.path, data, if_match: self.if_match_etag })
            }
            Verb::Delete => {
                Step::Remove(Removing { path: self.path, if_match: self.if_match_etag })
            }
            Verb::Move => Step::Move(self.moving()),
            Verb::Copy => Step::Copy(self.moving()),
        })
    }

    /// What an operation cannot do without, and what it would not heed.
    fn check(&self) -> Result<(), Error> {
        let moves = matches!(self.op, Verb::Move | Verb::Copy);
        let guarded = matches!(self.op, Verb::Write | Verb::Delete);
        for (field, given, wanted, needed) in [
            ("content", self.content.is_some(), self.op == Verb::Write, true),
            ("dest", self.dest.is_some(), moves, true),
            ("if_match_etag", self.if_match_etag.is_some(), guarded, false),
            ("overwrite", self.overwrite, moves, false),
        ] {
            let op = self.op;
            if given && !wanted {
                return Err(error::validation(
                    format!("`{op:?}` takes no `{field}`").to_lowercase(),
                ));
            }
            if wanted && needed && !given {
                return Err(error::validation(format!("`{op:?}` needs `{field}`").to_lowercase()));
            }
        }
        Ok(())
    }

    fn moving(self) -> Moving {
        let target = self.dest.unwrap_or_default();
        Moving { origin: self.path, target, replace: self.overwrite }
    }

    fn outcome(self, done: Done, room: &mut usize) -> Outcome {
        let bare = Outcome {
            op: self.op,
            path: self.path,
            dest: self.dest,
            content: None,
            encoding: None,
            etag: None,
            size: None,
            mime_type: None,
        };
        match done {
            Done::Read(part) => bare.holding(part, room),
            Done::Written(stat) | Done::Moved(stat) | Done::Copied(stat) => bare.of(stat),
            Done::Removed => bare,
        }
    }
}

impl Outcome {
    fn of(self, stat: Stat) -> Self {
        Self { etag: stat.etag, size: Some(stat.size), ..self }
    }

    fn holding(self, part: Part, room: &mut usize) -> Self {
        let mime_type = Some(mime::of(&self.path));
        let told = Self { mime_type, ..self }.of(part.stat);
        if part.data.len() > *room {
            return told;
        }
        *room -= part.data.len();
        let (content, encoding) = read::content(part.data);
        Self { content: Some(content), encoding: Some(encoding), ..told }
    }
}

/// The host names the step that failed, counted from 1, and says whether it undid those before it.
fn undone(error: Error) -> Error {
    let error = About::File.of(error);
    let step = error.known().get("step").and_then(Value::as_u64);
    let error = match step {
        Some(step) => with(error, "failed_index", step.saturating_sub(1).into()),
        None => error,
    };
    with(error, "rollback_performed", false.into())
}

/// Nothing was begun, and this is the operation that is wrong.
fn named(error: Error, at: usize) -> Error {
    let error = with(error, "failed_index", at.into());
    with(error, "rollback_performed", false.into())
}

fn with(error: Error, name: &str, value: Value) -> Error {
    let mut details = error.known();
    details.entry(name).or_insert(value);
    error.with_details(&details)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use windlass_sdk::workspaces::Kind;

    use super::*;

    #[track_caller]
    fn check(operation: Value, expected: &str) {
        let operation: Operation = serde_json::from_value(operation).unwrap();
        let step = operation.step().map_err(|error| error.message);
        assert_eq!(step.map_or_else(|error| error, |step| format!("{step:?}")), expected);
    }

    #[test]
    fn an_operation_says_what_it_needs_and_no_more() {
        check(json!({"op": "read", "path": "a"}), r#"Step::Read("a")"#);
        check(
            json!({"op": "write", "path": "a", "content": "aGk=", "encoding": "base64"}),
            r#"Step::Write(Writing { path: "a", data: [104, 105], if-match: None })"#,
        );
        check(
            json!({"op": "copy", "path": "a", "dest": "b", "overwrite": true}),
            r#"Step::Copy(Moving { origin: "a", target: "b", replace: true })"#,
        );
        check(json!({"op": "write", "path": "a"}), "`write` needs `content`");
        check(json!({"op": "move", "path": "a"}), "`move` needs `dest`");
        check(json!({"op": "read", "path": "a", "content": ""}), "`read` takes no `content`");
        let guarded = json!({"op": "copy", "path": "a", "dest": "b", "if_match_etag": "t"});
        check(guarded, "`copy` takes no `if_match_etag`");
        let replacing = json!({"op": "delete", "path": "a", "overwrite": true});
        check(replacing, "`delete` takes no `overwrite`");
    }

    #[test]
    fn what_an_answer_cannot_hold_is_left_out_of_it() {
        let part = |data: &[u8]| {
            let (size, etag) = (data.len() as u64, Some("t".to_owned()));
            let path = "a.txt".to_owned();
            let stat = Stat { path, kind: Kind::File, size, mode: 0o644, modified: 0, etag };
            Done::Read(Part { data: data.to_vec(), stat })
        };
        let operation: Operation =
            serde_json::from_value(json!({"op": "read", "path": "a.txt"})).unwrap();
        let mut room = 4;
        let held = operation.clone().outcome(part(b"abc"), &mut room);
        assert_eq!((held.content.as_deref(), room), (Some("abc"), 1));
        let left_out = operation.outcome(part(b"abc"), &mut room);
        assert_eq!((left_out.content, left_out.size, room), (None, Some(3), 1));
    }

    #[test]
    fn an_error_says_whether_anything_was_undone() {
        let details =
            |error: Error| serde_json::from_str::<Value>(&error.details.unwrap()).unwrap();
        let conflict = Error::new(Code::Conflict, "no")
            .with_details(&json!({"step": 3, "rollback_performed": true}));
        let expected = json!({"step": 3, "failed_index": 2, "error_code": "CONFLICT", "rollback_performed": true});
        assert_eq!(details(undone(conflict)), expected);
        let expected = json!({"error_code": "POLICY_DENIED", "rollback_performed": false});
        assert_eq!(details(undone(Error::new(Code::Denied, "no"))), expected);
        let expected = json!({"failed_index": 1, "error_code": "VALIDATION_ERROR", "rollback_performed": false});
        assert_eq!(details(named(error::validation("no"), 1)), expected);
    }
}
