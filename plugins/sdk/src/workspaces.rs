//! Directories that containers work in.

use crate::Error;

pub use crate::bindings::windlass::plugin::workspaces::{
    Archived, Done, Kind, Moving, Page, Part, Removing, Selection, Stat, Step, Workspace, Writing,
    list,
};

/// How many paths are asked for at once.
const PAGE: u32 = 1000;

impl Workspace {
    /// A whole file, with what is known of it.
    pub fn read_all(&self, path: &str) -> Result<Part, Error> {
        self.read(path, 0, None)
    }

    /// A whole file that is text.
    pub fn read_text(&self, path: &str) -> Result<String, Error> {
        String::from_utf8(self.read_all(path)?.data)
            .map_err(|_| Error::invalid(format!("`{path}` is no UTF-8 text")))
    }

    /// Replaces a file, or makes it, whatever was there.
    pub fn put(&self, path: impl Into<String>, data: impl Into<Vec<u8>>) -> Result<Stat, Error> {
        self.write(&Writing { path: path.into(), data: data.into(), if_match: None })
    }

    /// Replaces a file that still has this tag. The empty string: makes one that is not there.
    pub fn swap(
        &self,
        path: impl Into<String>,
        data: impl Into<Vec<u8>>,
        if_match: impl Into<String>,
    ) -> Result<Stat, Error> {
        let if_match = Some(if_match.into());
        self.write(&Writing { path: path.into(), data: data.into(), if_match })
    }

    /// Removes a file, or a directory with all that is in it.
    pub fn delete(&self, path: impl Into<String>) -> Result<(), Error> {
        self.remove(&Removing { path: path.into(), if_match: None })
    }

    /// Everything below a directory.
    pub fn list_all(&self, path: &str, recursive: bool) -> Result<Vec<Stat>, Error> {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.list(path, recursive, &after, PAGE)?;
            found.extend(page.entries);
            match page.next {
                Some(next) => after = next,
                None => return Ok(found),
            }
        }
    }
}

impl Step {
    /// Reads a whole file.
    pub fn reading(path: impl Into<String>) -> Self {
        Self::Read(path.into())
    }

    /// Writes a whole file.
    pub fn writing(path: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self::Write(Writing { path: path.into(), data: data.into(), if_match: None })
    }

    /// Removes a file, or a directory with all that is in it.
    pub fn removing(path: impl Into<String>) -> Self {
        Self::Remove(Removing { path: path.into(), if_match: None })
    }

    /// Moves a file or a directory to where nothing is.
    pub fn moving(origin: impl Into<String>, target: impl Into<String>) -> Self {
        Self::Move(Moving { origin: origin.into(), target: target.into(), replace: false })
    }

    /// Copies a file or a directory to where nothing is.
    pub fn copying(origin: impl Into<String>, target: impl Into<String>) -> Self {
        Self::Copy(Moving { origin: origin.into(), target: target.into(), replace: false })
    }

    /// Only if the file still has this tag. Moves and copies have none.
    #[must_use]
    pub fn if_match(mut self, tag: impl Into<String>) -> Self {
        match &mut self {
            Self::Write(Writing { if_match, .. }) | Self::Remove(Removing { if_match, .. }) => {
                *if_match = Some(tag.into());
            }
            _ => {}
        }
        self
    }
}
