//! `fs_export` and `fs_import`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Tool,
    types::Code,
    workspaces::{Archived, Selection, Workspace},
};

use crate::{
    WRAPPED, counters, encoding,
    error::{self, About},
    place,
};

/// As large an archive as one answer holds.
const LARGEST: u32 = 2 << 20;

/// Packs files of a container as tar: into a file of its workspace with `to`, else into the answer, where 2 MiB fit.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct FsExport {
    /// The container's id or alias.
    container_id: String,
    /// The file or directory to pack.
    #[serde(default = "root")]
    path: String,
    /// Packs only what fits one of these globs, such as `**/*.rs`.
    #[serde(default)]
    include: Vec<String>,
    /// Leaves out what fits one of these globs.
    #[serde(default)]
    exclude: Vec<String>,
    /// Compresses it.
    #[serde(default = "yes")]
    gzip: bool,
    /// The file to write the archive to, below `/workspace`.
    to: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Exported {
    /// The archive in base64, without `to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// Where the archive is, with `to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    /// Of the archive.
    size: u64,
    gzip: bool,
    #[serde(flatten)]
    holds: Holds,
}

/// Unpacks a tar, gzipped or not, into a container's workspace: all of it, or nothing where a member would lead out.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct FsImport {
    /// The container's id or alias.
    container_id: String,
    /// The directory to unpack into.
    #[serde(default = "root")]
    path: String,
    /// The archive in base64. Either this or `from`.
    data: Option<String>,
    /// The archive as a file below `/workspace`.
    from: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Imported {
    path: String,
    #[serde(flatten)]
    holds: Holds,
}

/// What is in an archive.
#[derive(Serialize, JsonSchema)]
struct Holds {
    /// Files, directories and links.
    entries: u32,
    /// Bytes of the files, unpacked.
    bytes: u64,
    /// What was left out, and why: the first hundred.
    skipped: Vec<String>,
}

impl Tool for FsExport {
    const NAME: &'static str = "fs_export";
    const TITLE: Option<&'static str> = Some("Pack files");
    const HINTS: Hints = Hints::IDEMPOTENT;
    const WRAPPED_UNDER: Option<&'static str> = WRAPPED;
    type Output = Exported;

    fn run(self, _: &Call) -> Result<Exported> {
        let workspace = place::workspace(&self.container_id)?;
        let Self { path, include, exclude, gzip, to, .. } = self;
        let selection = Selection { path, include, exclude };
        let exported = match to {
            Some(to) => into_file(&workspace, &selection, gzip, &to),
            None => into_answer(&workspace, &selection, gzip),
        };
        let exported = exported.map_err(|error| About::File.of(error))?;
        counters::filed("export");
        Ok(exported)
    }
}

fn into_file(
    workspace: &Workspace,
    selection: &Selection,
    gzip: bool,
    to: &str,
) -> Result<Exported, Error> {
    let (stat, archived) = workspace.pack_into(selection, gzip, to)?;
    let to = Some(place::inside(&stat.path));
    let (size, etag) = (stat.size, stat.etag);
    Ok(Exported { data: None, to, etag, size, gzip, holds: archived.into() })
}

fn into_answer(
    workspace: &Workspace,
    selection: &Selection,
    gzip: bool,
) -> Result<Exported, Error> {
    let (bytes, archived) = workspace.pack(selection, gzip, LARGEST).map_err(too_large)?;
    let (size, data) = (bytes.len() as u64, Some(encoding::to_base64(&bytes)));
    Ok(Exported { data, to: None, etag: None, size, gzip, holds: archived.into() })
}

/// Says what to do where the archive does not fit.
fn too_large(mut error: Error) -> Error {
    if error.code == Code::Limit {
        error.message.push_str("; name a file with `to`, and read it in parts with `fs_read`");
    }
    error
}

impl Tool for FsImport {
    const NAME: &'static str = "fs_import";
    const TITLE: Option<&'static str> = Some("Unpack files");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT);
    const WRAPPED_UNDER: Option<&'static str> = WRAPPED;
    type Output = Imported;

    fn run(self, _: &Call) -> Result<Imported> {
        let workspace = place::workspace(&self.container_id)?;
        let unpacked = match (self.data, self.from) {
            (Some(data), None) => workspace.unpack(&encoding::from_base64(&data)?, &self.path),
            (None, Some(from)) => workspace.unpack_from(&from, &self.path),
            _ => Err(error::validation("name either `data` or `from`")),
        };
        let archived = unpacked.map_err(|error| About::File.of(error))?;
        counters::filed("import");
        Ok(Imported { path: self.path, holds: archived.into() })
    }
}

impl From<Archived> for Holds {
    fn from(archived: Archived) -> Self {
        let Archived { entries, bytes, skipped } = archived;
        Self { entries, bytes, skipped }
    }
}

fn root() -> String {
    "/workspace".to_owned()
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_that_does_not_fit_says_where_it_would() {
        let error = too_large(Error::new(Code::Limit, "3 MiB are more than 2"));
        assert!(error.message.contains("`to`"));
        assert_eq!(too_large(Error::not_found("no such file")).message, "no such file");
    }
}
