//! `list_artifacts` and `read_artifact`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Tool, clock,
    types::Code,
    workspaces::{Kind, Stat, Workspace},
};

use crate::{artifact, error, id, session::Session};

/// As much is read at most.
const MOST_BYTES: u32 = 4 << 20;

/// Lists what runs of a session left: the model's last answer, what was asked, the log, and the difference in the files.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListArtifacts {
    /// What `create_or_reuse_session` answered.
    session_id: String,
    /// Only those of this run.
    run_id: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Artifacts {
    success: bool,
    session_id: String,
    artifacts: Vec<Artifact>,
}

/// Something that a run left.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Artifact {
    /// What `read_artifact` takes.
    path: String,
    run_id: String,
    name: String,
    size: u64,
    modified_at: String,
    /// The same as a resource.
    uri: String,
}

/// Reads what a run left, or its beginning.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ReadArtifact {
    /// As `list_artifacts` gives it.
    path: String,
    /// How much.
    #[serde(default = "fifty_thousand")]
    #[schemars(range(min = 1, max = 4_194_304))]
    max_bytes: u32,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Content {
    success: bool,
    path: String,
    content: String,
    size: u64,
    /// Whether there is more than was read.
    truncated: bool,
}

impl Tool for ListArtifacts {
    const NAME: &'static str = "list_artifacts";
    const TITLE: Option<&'static str> = Some("List what runs left");
    const HINTS: Hints = Hints::READ_ONLY;
    type Output = Artifacts;

    fn run(self, _: &Call) -> Result<Artifacts> {
        let told = self.list();
        Ok(told.map_err(|error| error::about("session_id", &self.session_id, error))?)
    }
}

impl ListArtifacts {
    fn list(&self) -> Result<Artifacts, Error> {
        let session = Session::find(&self.session_id)?;
        let folder = match &self.run_id {
            Some(run) if !id::is_run(run) => return Err(error::no_run(run)),
            Some(run) => artifact::folder(run),
            None => artifact::RUNS.to_owned(),
        };
        let found = Workspace::open(&session.meta).and_then(|meta| meta.list_all(&folder, true));
        let found = match found {
            Err(error) if error.code == Code::NotFound => Vec::new(),
            found => found?,
        };
        let files = found.into_iter().filter(|stat| stat.kind == Kind::File);
        let artifacts =
            files.filter_map(|stat| artifact(&self.session_id, &session.meta, &stat)).collect();
        Ok(Artifacts { success: true, session_id: self.session_id.clone(), artifacts })
    }
}

/// A file as an artifact, if it is one: an agent can put other ones there.
fn artifact(session: &str, meta: &str, stat: &Stat) -> Option<Artifact> {
    let below = stat.path.strip_prefix(artifact::RUNS)?.strip_prefix('/')?;
    let path = format!("{session}/{below}");
    let (_, run, name) = artifact::parse(&path).ok()?;
    let (run_id, name) = (run.to_owned(), name.to_owned());
    Some(Artifact {
        uri: format!("workspace://{meta}/{}", stat.path),
        path,
        run_id,
        name,
        size: stat.size,
        modified_at: clock::iso(stat.modified),
    })
}

impl Tool for ReadArtifact {
    const NAME: &'static str = "read_artifact";
    const TITLE: Option<&'static str> = Some("Read what a run left");
    const HINTS: Hints = Hints::READ_ONLY;
    type Output = Content;

    fn run(self, _: &Call) -> Result<Content> {
        let read = self.read();
        Ok(read.map_err(|error| error::about("path", &self.path, error))?)
    }
}

impl ReadArtifact {
    fn read(&self) -> Result<Content, Error> {
        let (session, run, name) = artifact::parse(&self.path)?;
        let meta = Workspace::open(&Session::find(session)?.meta)?;
        let most = self.max_bytes.clamp(1, MOST_BYTES);
        let part = match meta.read(&artifact::place(run, name), 0, Some(most)) {
            Err(error) if error.code == Code::NotFound => {
                return Err(error::no_artifact(&self.path));
            }
            read => read?,
        };
        let truncated = part.stat.size > u64::try_from(part.data.len()).unwrap_or(u64::MAX);
        Ok(Content {
            success: true,
            path: self.path.clone(),
            content: String::from_utf8_lossy(whole_letters(&part.data, truncated)).into_owned(),
            size: part.stat.size,
            truncated,
        })
    }
}

/// The bytes without a letter that was cut at their end.
fn whole_letters(bytes: &[u8], truncated: bool) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if truncated && error.error_len().is_none() => {
            bytes.get(..error.valid_up_to()).unwrap_or(bytes)
        }
        _ => bytes,
    }
}

fn fifty_thousand() -> u32 {
    50_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_run_left_is_listed() {
        let stat = |path: &str| Stat {
            path: path.to_owned(),
            kind: Kind::File,
            size: 3,
            mode: 0o644,
            modified: 0,
            etag: None,
        };
        let found = artifact("w_1", "w_2", &stat("runs/j_1/run.log")).unwrap();
        assert_eq!((found.path.as_str(), found.name.as_str()), ("w_1/j_1/run.log", "run.log"));
        assert_eq!(found.uri, "workspace://w_2/runs/j_1/run.log");
        for other in ["home/x", "runs/x/run.log", "runs/j_1/deep/run.log", "runs/j_1/.hidden"] {
            assert!(artifact("w_1", "w_2", &stat(other)).is_none(), "{other}");
        }
    }

    #[test]
    fn a_letter_is_not_cut() {
        let bytes = "aä".as_bytes();
        assert_eq!(whole_letters(&bytes[..2], true), b"a");
        assert_eq!(whole_letters(&bytes[..2], false), &bytes[..2]);
        assert_eq!(whole_letters(b"a\xffb", true), b"a\xffb");
    }
}
