//! Copies from one workspace into another: read beneath the one's root, made out of sight, put in place beneath the other's.

use super::{
    copy::{self, Copied, Met},
    journal::{Expected, Journal},
    merge,
    pack::{check_size, skip},
    root::Root,
};
use crate::{
    capability::bindings::windlass::plugin::workspaces::Archived,
    error::{Result, invalid},
    policy::WorkspacePath,
};

/// Copies what a path of the other workspace leads to, as far as it is files, directories and links.
pub(super) fn take(root: &Root, origin: &Root, path: &WorkspacePath) -> Result<(Copied, Archived)> {
    let mut archived = Archived { entries: 0, bytes: 0, skipped: Vec::new() };
    let within_limits = |met: Met<'_>| match met {
        Met::Member(bytes) => {
            archived.entries += 1;
            archived.bytes = archived.bytes.saturating_add(bytes);
            check_size("the copy", archived.entries, archived.bytes)
        }
        Met::Odd(shown) => {
            skip(&mut archived, shown, "no regular file");
            Ok(())
        }
    };
    let copied = copy::take(&root.staging, origin, path, within_limits)?;
    Ok((copied, archived))
}

/// Puts a copy in place, all of it, or nothing. Files replace files.
pub(super) fn put(root: &Root, copied: Copied, target: &WorkspacePath) -> Result<()> {
    match copied {
        Copied::Directory(tree) => merge::merge(root, tree, target),
        Copied::File(_) if target.is_root() => {
            Err(invalid("the workspace's root is a directory; name a file for the copy of a file"))
        }
        Copied::File(staged) => {
            let mut journal = Journal::new(root);
            let spot = journal.make_spot(target)?;
            journal.put(target, spot, staged, &Expected::Anything)?;
            journal.finish()
        }
    }
}
