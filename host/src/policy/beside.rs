//! Which other workspaces a container may see, and at which paths.
//!
//! Whose they are is asked before, as it is for the one at `/workspace`.

use serde::{Deserialize, Serialize};

use crate::{
    config::Mount,
    error::{Result, invalid, limit},
};

/// How many a container has at most: more are parts of one, and belong into folders of it.
const MOST: usize = 4;
/// A longer name is a mistake.
const LONGEST_NAME: usize = 64;
/// Names at the root of a container that have a meaning already.
const TAKEN: [&str; 20] = [
    "workspace",
    "tmp",
    "proc",
    "sys",
    "dev",
    "etc",
    "usr",
    "bin",
    "sbin",
    "lib",
    "lib64",
    "var",
    "run",
    "root",
    "home",
    "opt",
    "srv",
    "mnt",
    "media",
    "boot",
];

/// A workspace that a container sees beside the one at `/workspace`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Beside {
    pub workspace: String,
    /// Where it is inside.
    pub path: String,
}

/// Fails where one of them would stand before something else.
pub(super) fn check(beside: &[Beside], mounts: &[Mount]) -> Result<()> {
    if beside.len() > MOST {
        let count = beside.len();
        return Err(limit(format!("{count} workspaces in `beside` are more than {MOST}")));
    }
    for (number, Beside { path, .. }) in beside.iter().enumerate() {
        check_path(path)?;
        if beside.iter().take(number).any(|it| it.path == *path) {
            return Err(invalid(format!("`beside` has two workspaces at `{path}`")));
        }
        let first = |mount: &Mount| mount.as_str().split('/').nth(1) == path.get(1..);
        if let Some(mount) = mounts.iter().find(|mount| first(mount)) {
            return Err(invalid(format!(
                "`{path}` in `beside` is where the directory `{}` of this machine is seen; choose another name",
                mount.as_str()
            )));
        }
    }
    Ok(())
}

fn check_path(path: &str) -> Result<()> {
    let name = path.strip_prefix('/').unwrap_or_default();
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(fits) {
        return Err(invalid(format!(
            "`{}` in `beside` is no path for a workspace: `/` and one name of `a` to `z`, `0` to `9` and `-`, at most {LONGEST_NAME} long",
            path.escape_debug()
        )));
    }
    if TAKEN.contains(&name) {
        return Err(invalid(format!(
            "`{path}` in `beside` is a path of the container's own; choose another name"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::{
        config::{Grants, parse},
        error::Failure,
        policy::{AskedContainer, Policy},
    };

    fn told(grant: &str, paths: &[&str]) -> String {
        let grants = Grants { containers: Some(parse(grant).unwrap()), ..Grants::default() };
        let one = |path: &&str| Beside { workspace: "w_1".to_owned(), path: (*path).to_owned() };
        let beside = paths.iter().map(one).collect();
        let asked =
            AskedContainer { image: "busybox".to_owned(), beside, ..AskedContainer::default() };
        match Policy::new("rooms", grants).unwrap().approve_container(asked) {
            Ok(approved) => {
                let paths = approved.request().beside.iter().map(|it| it.path.as_str());
                paths.collect::<Vec<_>>().join(" ")
            }
            Err(Failure::Answer(error)) => format!("{:?}: {}", error.code, error.message),
            Err(Failure::Trap(error)) => panic!("{error}"),
        }
    }

    #[track_caller]
    fn check(grant: &str, paths: &[&str], expected: &Expect) {
        expected.assert_eq(&told(grant, paths));
    }

    #[test]
    fn a_path_is_one_name_that_nobody_else_has() {
        let long = format!("/{}", "x".repeat(64));
        for good in ["/session-meta", "/a", "/0", "/workspace-2", "/binaries", &long] {
            assert_eq!(told("", &[good]), good);
        }
        let longer = format!("{long}x");
        for bad in [
            "",
            "/",
            "session-meta",
            "//a",
            "/a/",
            "/a/b",
            "/workspace/a",
            "/.",
            "/..",
            "/../a",
            "/a.b",
            "/a_b",
            "/A",
            "/é",
            "/a b",
            "/a:ro",
            "/a,b",
            "/a\n",
            "/a\0",
            "/.windlass",
            &longer,
        ] {
            let told = told("", &[bad]);
            assert!(told.starts_with("Code::Invalid: "), "{bad:?}: {told}");
            assert!(told.contains("is no path for a workspace"), "{bad:?}: {told}");
        }
        for taken in TAKEN {
            let told = told("", &[&format!("/{taken}")]);
            assert!(told.contains("of the container's own"), "{taken}: {told}");
        }
    }

    #[test]
    fn there_are_few_and_each_has_a_path_to_itself() {
        check("", &["/a", "/b", "/c", "/d"], &expect!["/a /b /c /d"]);
        check(
            "",
            &["/a", "/b", "/c", "/d", "/e"],
            &expect!["Code::Limit: 5 workspaces in `beside` are more than 4"],
        );
        check(
            "",
            &["/a", "/b", "/a"],
            &expect!["Code::Invalid: `beside` has two workspaces at `/a`"],
        );
    }

    #[test]
    fn what_is_mounted_by_grant_is_not_covered() {
        let grant = "mounts = ['/data/repositories', '/b']";
        check(grant, &["/data-2"], &expect!["/data-2"]);
        check(grant, &["/repositories"], &expect!["/repositories"]);
        check(
            grant,
            &["/data"],
            &expect![
                "Code::Invalid: `/data` in `beside` is where the directory `/data/repositories` of this machine is seen; choose another name"
            ],
        );
        check(
            grant,
            &["/b"],
            &expect![
                "Code::Invalid: `/b` in `beside` is where the directory `/b` of this machine is seen; choose another name"
            ],
        );
    }
}
