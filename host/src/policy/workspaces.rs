//! Which workspaces a plugin may open, and which paths lie in one.

use std::sync::Arc;

use super::{Approved, Policy, Reach, WorkspacePath};
use crate::{
    config::{Grants, WorkspacesGrant},
    error::{Result, denied, invalid, limit},
};

/// How many paths are listed at once.
const LARGEST_PAGE: u32 = 1000;
/// More steps are a script, and belong into a container.
const MOST_STEPS: usize = 1000;
/// More globs are a mistake: each is tried on each path.
const MOST_GLOBS: usize = 256;

/// A workspace that is about to be made.
#[derive(Debug)]
pub struct NewWorkspace;

/// A workspace that is about to be opened.
#[derive(Debug)]
pub struct OpenWorkspace {
    pub id: String,
    /// Whether it may be somebody else's.
    pub shared: bool,
}

/// What is about to be done in an open workspace.
#[derive(Debug)]
pub struct InWorkspace<T> {
    pub workspace: String,
    pub act: T,
}

/// Part of a file. None: to its end.
#[derive(Debug)]
pub struct ReadPart {
    pub path: WorkspacePath,
    pub offset: u64,
    pub most: Option<u32>,
}

/// Some of the paths below a directory.
#[derive(Debug)]
pub struct ListPaths {
    pub path: WorkspacePath,
    pub recursive: bool,
    pub after: String,
    pub limit: u32,
}

/// One thing to do with a path.
#[derive(Debug)]
pub enum Step {
    Read(WorkspacePath),
    Write { path: WorkspacePath, bytes: Vec<u8>, if_match: Option<String> },
    Remove { path: WorkspacePath, if_match: Option<String> },
    Move { origin: WorkspacePath, target: WorkspacePath, replace: bool },
    Copy { origin: WorkspacePath, target: WorkspacePath, replace: bool },
}

/// What goes into an archive.
#[derive(Debug)]
pub struct PackPaths {
    pub path: WorkspacePath,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub gzip: bool,
}

/// An archive, and the directory it is unpacked in.
#[derive(Debug)]
pub struct Unpack<A> {
    pub archive: A,
    pub target: WorkspacePath,
}

/// A path of another workspace, and where a copy of it goes.
#[derive(Debug)]
pub struct CopyFrom {
    /// The other workspace.
    pub origin: String,
    pub path: WorkspacePath,
    pub target: WorkspacePath,
}

/// What is about to be removed with all that is in it.
#[derive(Debug)]
pub struct WholeWorkspace;

impl Policy {
    /// The policy of clients, who read what plugins left in their workspaces.
    #[must_use]
    pub fn of_clients(caller: &Arc<str>) -> Self {
        let workspaces = Some(WorkspacesGrant::Shared);
        let grants = Arc::new(Grants { workspaces, ..Grants::default() });
        let plugin: Arc<str> = "client".into();
        Self {
            owner: super::owner_for(&plugin, caller),
            plugin,
            grants,
            places: [].into(),
            egress: Arc::default(),
            reach: Reach::default(),
            tool: None,
            caller: caller.clone(),
        }
    }

    pub fn approve_making_workspace(&self) -> Result<Approved<NewWorkspace>> {
        self.may_write("workspaces.create")?;
        self.workspaces("workspaces.create")?;
        Ok(self.approved(NewWorkspace))
    }

    pub fn approve_opening_workspace(&self, id: String) -> Result<Approved<OpenWorkspace>> {
        let shared = self.workspaces("workspaces.open")? == WorkspacesGrant::Shared;
        Ok(self.approved(OpenWorkspace { id, shared }))
    }

    /// A yes to see which workspaces there are.
    pub fn approve_listing_workspaces(&self) -> Result<Approved<WholeWorkspace>> {
        self.workspaces("workspaces.list")?;
        Ok(self.approved(WholeWorkspace))
    }

    /// A yes to look at a path of a workspace that is open.
    pub fn approve_stat(
        &self,
        workspace: &str,
        path: String,
    ) -> Result<Approved<InWorkspace<WorkspacePath>>> {
        self.inside("workspaces.stat", workspace, WorkspacePath::new(path)?)
    }

    pub fn approve_read(
        &self,
        workspace: &str,
        path: String,
        offset: u64,
        most: Option<u32>,
    ) -> Result<Approved<InWorkspace<ReadPart>>> {
        let path = WorkspacePath::new(path)?;
        self.inside("workspaces.read", workspace, ReadPart { path, offset, most })
    }

    pub fn approve_list(
        &self,
        workspace: &str,
        path: String,
        recursive: bool,
        after: String,
        limit: u32,
    ) -> Result<Approved<InWorkspace<ListPaths>>> {
        let path = WorkspacePath::new(path)?;
        let limit = limit.clamp(1, LARGEST_PAGE);
        self.inside("workspaces.list", workspace, ListPaths { path, recursive, after, limit })
    }

    /// A yes to one step. A read-only tool may read.
    pub fn approve_step(&self, workspace: &str, step: Step) -> Result<Approved<InWorkspace<Step>>> {
        step.check()?;
        let what = match step {
            Step::Read(_) => "workspaces.read",
            Step::Remove { .. } => "workspaces.remove",
            _ => "workspaces.write",
        };
        if !matches!(step, Step::Read(_)) {
            self.may_write(what)?;
        }
        self.inside(what, workspace, step)
    }

    /// A yes to steps, all together. Where all of them only read, a read-only tool may do them.
    pub fn approve_batch(
        &self,
        workspace: &str,
        steps: Vec<Step>,
    ) -> Result<Approved<InWorkspace<Vec<Step>>>> {
        if steps.len() > MOST_STEPS {
            let steps = steps.len();
            return Err(limit(format!("{steps} steps are more than the {MOST_STEPS} of a batch")));
        }
        for (number, step) in steps.iter().enumerate() {
            step.check().map_err(|failure| failure.with_detail("step", number + 1))?;
            if !matches!(step, Step::Read(_)) {
                self.may_write("workspaces.batch")?;
            }
        }
        self.inside("workspaces.batch", workspace, steps)
    }

    pub fn approve_pack(
        &self,
        workspace: &str,
        paths: PackPaths,
    ) -> Result<Approved<InWorkspace<PackPaths>>> {
        let globs = paths.include.len() + paths.exclude.len();
        if globs > MOST_GLOBS {
            return Err(limit(format!("{globs} globs are more than {MOST_GLOBS}")));
        }
        self.inside("workspaces.pack", workspace, paths)
    }

    /// The same for an archive that is written into the workspace.
    pub fn approve_pack_into(
        &self,
        workspace: &str,
        paths: PackPaths,
        target: String,
    ) -> Result<Approved<InWorkspace<(PackPaths, WorkspacePath)>>> {
        self.may_write("workspaces.pack-into")?;
        let target = WorkspacePath::new(target)?;
        if target.is_root() {
            return Err(invalid(
                "the workspace's root is a directory; name a file for the archive",
            ));
        }
        let paths = self.approve_pack(workspace, paths)?.request.act;
        self.inside("workspaces.pack-into", workspace, (paths, target))
    }

    /// A yes to unpack bytes, or a file of the workspace.
    pub fn approve_unpack<A>(
        &self,
        workspace: &str,
        archive: A,
        target: String,
    ) -> Result<Approved<InWorkspace<Unpack<A>>>> {
        self.may_write("workspaces.unpack")?;
        let target = WorkspacePath::new(target)?;
        self.inside("workspaces.unpack", workspace, Unpack { archive, target })
    }

    /// A yes to copy from another workspace that is open.
    pub fn approve_copying_from(
        &self,
        workspace: &str,
        origin: &str,
        path: String,
        target: String,
    ) -> Result<Approved<InWorkspace<CopyFrom>>> {
        self.may_write("workspaces.copy-from")?;
        if origin == workspace {
            return Err(invalid(format!(
                "`{workspace}` is the workspace itself; a step `copy` copies within one"
            )));
        }
        let (path, target) = (WorkspacePath::new(path)?, WorkspacePath::new(target)?);
        let copying = CopyFrom { origin: origin.to_owned(), path, target };
        self.inside("workspaces.copy-from", workspace, copying)
    }

    pub fn approve_destroying(
        &self,
        workspace: &str,
    ) -> Result<Approved<InWorkspace<WholeWorkspace>>> {
        self.may_write("workspaces.destroy")?;
        self.inside("workspaces.destroy", workspace, WholeWorkspace)
    }

    fn inside<T>(&self, what: &str, workspace: &str, act: T) -> Result<Approved<InWorkspace<T>>> {
        self.workspaces(what)?;
        Ok(self.approved(InWorkspace { workspace: workspace.to_owned(), act }))
    }

    fn workspaces(&self, what: &str) -> Result<WorkspacesGrant> {
        self.grants.workspaces.ok_or_else(|| {
            denied(format!(
                "not allowed: `{what}` needs `plugins.{}.grants.workspaces = \"own\"`",
                self.plugin
            ))
        })
    }
}

impl Step {
    /// Refuses what would be done to the root itself.
    fn check(&self) -> Result<()> {
        let root = || Err(invalid("the workspace's root is a directory, and stays where it is"));
        match self {
            Self::Remove { path, .. } if path.is_root() => {
                Err(denied("Cannot delete workspace root")
                    .with_detail("error_code", "PATH_SECURITY"))
            }
            Self::Write { path, .. } if path.is_root() => root(),
            Self::Move { origin, target, .. } if origin.is_root() || target.is_root() => root(),
            Self::Copy { target, .. } if target.is_root() => root(),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{capability::tools::Hints, error::Failure};

    #[test]
    fn who_may_do_what() {
        let policy = |workspaces, hints| {
            let grants = Grants { workspaces, ..Grants::default() };
            Policy::new("it", grants).unwrap().for_tool(&Arc::from("tool"), hints)
        };
        let text = |failure| match failure {
            Failure::Answer(error) => error.message,
            Failure::Trap(trap) => trap.to_string(),
        };
        let none = policy(None, Hints::empty()).approve_stat("w", "x".to_owned()).unwrap_err();
        assert_eq!(
            text(none),
            "not allowed: `workspaces.stat` needs `plugins.it.grants.workspaces = \"own\"`"
        );
        let own = Some(WorkspacesGrant::Own);
        let reading = policy(own, Hints::READ_ONLY);
        assert!(reading.approve_stat("w", "x".to_owned()).is_ok());
        assert!(reading.approve_making_workspace().is_err());
        assert!(reading.approve_destroying("w").is_err());
        assert!(reading.approve_unpack("w", (), String::new()).is_err());
        let copy = |policy: &Policy, origin: &str, path: &str, target: &str| {
            let (path, target) = (path.to_owned(), target.to_owned());
            policy.approve_copying_from("w", origin, path, target).map(drop).map_err(text)
        };
        assert!(copy(&reading, "v", "", "").is_err());
        let writing = policy(own, Hints::empty());
        assert_eq!(copy(&writing, "v", "", "/workspace/x"), Ok(()));
        assert!(copy(&writing, "w", "a", "b").unwrap_err().contains("is the workspace itself"));
        for (path, target) in [("../x", ""), ("", "/etc"), ("a\0", "")] {
            assert!(copy(&writing, "v", path, target).is_err(), "{path} {target}");
        }
        assert!(copy(&policy(None, Hints::empty()), "v", "", "").is_err());
        let path = |text: &str| WorkspacePath::new(text.to_owned()).unwrap();
        let remove = |text: &str| Step::Remove { path: path(text), if_match: None };
        assert!(reading.approve_step("w", Step::Read(path("x"))).is_ok());
        assert!(reading.approve_batch("w", vec![Step::Read(path("x"))]).is_ok());
        assert!(reading.approve_step("w", remove("x")).is_err());
        assert!(writing.approve_step("w", remove("x")).is_ok());
        for root in ["/workspace", "", ".", "a/.."] {
            let refused = writing.approve_batch("w", vec![remove(root)]).unwrap_err();
            assert_eq!(text(refused), "Cannot delete workspace root");
        }
    }
}
