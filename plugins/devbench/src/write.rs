//! `fs_write` and `fs_delete`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Hints, Result, Tool,
    workspaces::{Removing, Writing},
};

use crate::{
    WRAPPED, counters,
    encoding::{self, Encoding},
    error::About,
    place,
};

/// Writes a file of a container in one step: readers see the file as it was or as it is then, nothing between. Makes the directories above it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct FsWrite {
    /// The container's id or alias.
    container_id: String,
    /// Below `/workspace`, or relative to it.
    path: String,
    content: String,
    /// How `content` is written: `base64` for what is no text.
    #[serde(default)]
    encoding: Encoding,
    /// Writes only if the file still has this tag, as the other tools answer it. The empty string: only if there is no file.
    if_match_etag: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Written {
    path: String,
    etag: String,
    size: u64,
}

/// Deletes a file of a container, or a directory with all that is in it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct FsDelete {
    /// The container's id or alias.
    container_id: String,
    /// Below `/workspace`, or relative to it; not `/workspace` itself.
    path: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Deleted {
    status: &'static str,
    path: String,
}

impl Tool for FsWrite {
    const NAME: &'static str = "fs_write";
    const TITLE: Option<&'static str> = Some("Write a file");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT);
    const WRAPPED_UNDER: Option<&'static str> = WRAPPED;
    type Output = Written;

    fn run(self, _: &Call) -> Result<Written> {
        let workspace = place::workspace(&self.container_id)?;
        let data = encoding::read(self.content, self.encoding)?;
        let writing = Writing { path: self.path, data, if_match: self.if_match_etag };
        let stat = workspace.write(&writing).map_err(|error| About::File.of(error))?;
        counters::filed("write");
        let path = place::inside(&stat.path);
        Ok(Written { path, etag: stat.etag.unwrap_or_default(), size: stat.size })
    }
}

impl Tool for FsDelete {
    const NAME: &'static str = "fs_delete";
    const TITLE: Option<&'static str> = Some("Delete a file");
    const HINTS: Hints = Hints::DESTRUCTIVE;
    const WRAPPED_UNDER: Option<&'static str> = WRAPPED;
    type Output = Deleted;

    fn run(self, _: &Call) -> Result<Deleted> {
        let workspace = place::workspace(&self.container_id)?;
        let removing = Removing { path: self.path.clone(), if_match: None };
        workspace.remove(&removing).map_err(|error| About::File.of(error))?;
        counters::filed("delete");
        Ok(Deleted { status: "deleted", path: self.path })
    }
}
