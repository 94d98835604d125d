//! Folders of this machine: which a container may have, and which files may be read.

use std::path::{Component, Path};

use super::super::{Approved, Policy};
use crate::{
    capability::engine::Bind,
    error::{Result, denied, invalid},
};

/// A folder or file that a container is to have, in a folder that is granted.
#[derive(Debug)]
pub struct BindPlace {
    /// As it is granted.
    pub folder: String,
    /// In it. Empty: the folder itself.
    pub rest: String,
    /// Whether a folder is made when there is nothing.
    pub create: bool,
}

/// A file that is to be read, in a folder that is granted.
#[derive(Debug)]
pub struct FilePlace {
    pub folder: String,
    pub rest: String,
}

impl Policy {
    /// A yes to look where a path really leads. None: it is a socket of an engine, which only a power gives.
    pub fn approve_place(
        &self,
        bind: &Bind,
        sockets: &[String],
    ) -> Result<Option<Approved<BindPlace>>> {
        self.may_write("engine.create")?;
        let grant = self.engine("engine.create")?;
        check_absolute(&bind.source)?;
        if sockets.contains(&bind.source) {
            return Ok(None);
        }
        let folder = self.check_bind(grant, &bind.source, bind.read_only)?;
        let create = bind.create && !folder.read_only;
        let place = BindPlace {
            rest: rest(&folder.path, &bind.source),
            folder: folder.path.clone(),
            create,
        };
        Ok(Some(self.approved(place)))
    }

    pub fn approve_file(&self, path: &str) -> Result<Approved<FilePlace>> {
        let folders = self.grants.files.as_deref().unwrap_or_default();
        check_absolute(path)?;
        let around = folders.iter().find(|it| Path::new(path).starts_with(it.as_str()));
        let Some(folder) = around else {
            return Err(denied(format!(
                "not allowed: `plugins.{}.grants.files` has no folder that `{path}` is in",
                self.plugin
            ))
            .with_detail("error_code", "POLICY_DENIED"));
        };
        let (folder, rest) = (folder.as_str().to_owned(), rest(folder.as_str(), path));
        Ok(self.approved(FilePlace { folder, rest }))
    }
}

fn rest(folder: &str, path: &str) -> String {
    let rest = Path::new(path).strip_prefix(folder).unwrap_or(Path::new(""));
    rest.to_string_lossy().into_owned()
}

fn check_absolute(path: &str) -> Result<()> {
    let wrong = |why: &str| Err(invalid(format!("`{}` {why}", path.escape_debug())));
    if path.contains('\0') {
        return wrong("holds a NUL");
    }
    if !Path::new(path).is_absolute() {
        return wrong("is no absolute path of this machine");
    }
    if Path::new(path).components().any(|it| matches!(it, Component::ParentDir)) {
        return wrong("has a `..`; write it without");
    }
    Ok(())
}
