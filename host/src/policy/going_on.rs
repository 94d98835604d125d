//! Whether a container that was made may go on, though its plugin is granted less by now.

use super::Policy;
use crate::error::{Result, denied};

impl Policy {
    /// What a container was made with stays with it. Where that is not granted any more, nothing starts in it.
    pub fn approve_going_on(&self, id: &str, mounts: &[String], groups: &[u32]) -> Result<()> {
        if mounts.is_empty() && groups.is_empty() {
            return Ok(());
        }
        let grant = self.containers("containers")?;
        let is_mounted = |path: &&String| !grant.mounts.iter().any(|it| it.as_str() == *path);
        let is_member = |group: &&u32| !grant.groups.iter().any(|it| it.number() == **group);
        let withdrawn = match (mounts.iter().find(is_mounted), groups.iter().find(is_member)) {
            (Some(path), _) => ("mounts", path.clone()),
            (None, Some(group)) => ("groups", group.to_string()),
            (None, None) => return Ok(()),
        };
        let (key, value) = withdrawn;
        Err(denied(format!(
            "not allowed: `plugins.{}.grants.containers.{key}` has no `{value}` any more, with which `{id}` was made; remove it and make another",
            self.plugin
        )))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::{
        config::{Grants, parse},
        error::Failure,
    };

    #[track_caller]
    fn check(grant: &str, mounts: &[&str], groups: &[u32], expected: &Expect) {
        let grants = Grants { containers: Some(parse(grant).unwrap()), ..Grants::default() };
        let policy = Policy::new("rooms", grants).unwrap();
        let mounts: Vec<_> = mounts.iter().map(|&it| it.to_owned()).collect();
        let told = match policy.approve_going_on("c_1", &mounts, groups) {
            Ok(()) => "yes".to_owned(),
            Err(Failure::Answer(error)) => format!("{:?}: {}", error.code, error.message),
            Err(Failure::Trap(error)) => panic!("{error}"),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn what_is_granted_still_goes_on() {
        check("", &[], &[], &expect!["yes"]);
        check("mounts = ['/srv/a']\ngroups = [7]", &[], &[], &expect!["yes"]);
        check("mounts = ['/srv/b', '/srv/a']\ngroups = [7]", &["/srv/a"], &[7], &expect!["yes"]);
    }

    #[test]
    fn what_is_withdrawn_does_not() {
        check(
            "mounts = ['/srv/b']",
            &["/srv/b", "/srv/a"],
            &[],
            &expect![
                "Code::Denied: not allowed: `plugins.rooms.grants.containers.mounts` has no `/srv/a` any more, with which `c_1` was made; remove it and make another"
            ],
        );
        // A directory above it is another grant.
        check(
            "mounts = ['/srv']",
            &["/srv/a"],
            &[],
            &expect![
                "Code::Denied: not allowed: `plugins.rooms.grants.containers.mounts` has no `/srv/a` any more, with which `c_1` was made; remove it and make another"
            ],
        );
        check(
            "groups = [8]",
            &[],
            &[7],
            &expect![
                "Code::Denied: not allowed: `plugins.rooms.grants.containers.groups` has no `7` any more, with which `c_1` was made; remove it and make another"
            ],
        );
    }
}
