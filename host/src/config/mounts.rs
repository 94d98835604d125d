//! Directories of this machine that containers may see, and groups that they may belong to: which can be granted at all.
//!
//! What is wrong with the text is told when it is read. Whether it is there is asked once all of it is read.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::anyhow;
use serde::{Deserialize, Serialize};

use crate::secrets;

/// A directory that is mounted at the same path inside, and cannot be written there. Variables in it are looked at where
/// their values are put in place.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "String")]
pub struct Mount(String);

/// A group, by its number, that the programs inside belong to as well.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "u32")]
pub struct Group(u32);

/// Neither these nor what lies in them nor what they lie in, and why.
const CLOSED: [(&str, &str); 13] = [
    ("/proc", "it is the kernel's own"),
    ("/sys", "it is the kernel's own"),
    ("/dev", "it is the kernel's own"),
    ("/run", "it holds the sockets of services, the engine's among them"),
    ("/var/run", "it holds the sockets of services, the engine's among them"),
    ("/etc", "it holds the machine's settings and passwords"),
    ("/root", "it is the home of root"),
    ("/boot", "it is what the machine starts from"),
    ("/var/lib/docker", "it holds the files of all containers"),
    ("/var/lib/containers", "it holds the files of all containers"),
    ("/var/lib/containerd", "it holds the files of all containers"),
    ("/workspace", "containers have their workspace there"),
    ("/.windlass", "containers have their supervisor there"),
];
/// The same for where a container's own programs are.
const PROGRAMS: [&str; 9] = [
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/bin",
];
/// Not these themselves; what lies in them is another matter.
const NOT_WHOLE: [&str; 3] = ["/home", "/tmp", "/opt"];
/// Where programs keep the keys of their users.
const KEYS: [&str; 7] = [".ssh", ".gnupg", ".aws", ".docker", ".kube", ".azure", ".gcloud"];

impl Mount {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same with the values of variables. None: they are empty, and there is no directory.
    pub fn expanded(&self) -> anyhow::Result<Option<Self>> {
        let path = secrets::expand(&self.0)?;
        if path.trim().is_empty() {
            return Ok(None);
        }
        match unfit(&path) {
            Some(why) => Err(anyhow!(why)),
            None => Ok(Some(Self(path))),
        }
    }

    /// Fails where it is not there as it was written, or holds what no container may see.
    pub fn look(&self) -> Result<(), String> {
        let path = &self.0;
        check_real(path, "mounted")?;
        let real = Path::new(path);
        if !real.is_dir() {
            return Err(format!("`{path}` is no directory"));
        }
        match std::env::var_os("HOME").map(PathBuf::from) {
            Some(home) if home.is_absolute() && real_path(&home).starts_with(real) => {
                Err(format!("`{path}` holds the home of the host's own user, with the keys in it"))
            }
            _ => Ok(()),
        }
    }

    /// Fails where it holds this file or folder of the host's.
    pub fn check_without(&self, what: &str, path: &Path) -> Result<(), String> {
        check_without(&self.0, what, path)
    }

    /// The same where it must not lie in that folder either.
    pub fn check_apart(&self, what: &str, folder: &Path) -> Result<(), String> {
        check_apart(&self.0, what, folder)
    }
}

impl TryFrom<String> for Mount {
    type Error = String;

    fn try_from(path: String) -> Result<Self, Self::Error> {
        match unfit(&path).filter(|_| !path.contains("${")) {
            Some(why) => Err(why),
            None => Ok(Self(path)),
        }
    }
}

impl Group {
    pub fn number(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Group {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        match number {
            0 => Err("the group 0 is root's: a container cannot belong to it".to_owned()),
            u32::MAX => Err(format!("{number} is no group")),
            _ => Ok(Self(number)),
        }
    }
}

/// Fails where a granted path holds this file or folder of the host's.
fn check_without(granted: &str, what: &str, path: &Path) -> Result<(), String> {
    if real_path(path).starts_with(granted) || path.starts_with(granted) {
        return Err(format!("`{granted}` holds {what}, `{}`", path.display()));
    }
    Ok(())
}

/// The same where it must not lie in that folder either.
pub fn check_apart(granted: &str, what: &str, folder: &Path) -> Result<(), String> {
    check_without(granted, what, folder)?;
    let lies = |folder: &Path| Path::new(granted).starts_with(folder);
    if lies(&real_path(folder)) || lies(folder) {
        return Err(format!("`{granted}` lies in {what}, `{}`", folder.display()));
    }
    Ok(())
}

/// Fails where a granted path is not there as it was written. `done` is what cannot be done with it then.
pub fn check_real(granted: &str, done: &str) -> Result<(), String> {
    let real = fs::canonicalize(granted)
        .map_err(|error| format!("`{granted}` cannot be {done}: {error}"))?;
    if real != Path::new(granted) {
        return Err(format!(
            "`{granted}` leads over a link; write `{}`, if that is meant",
            real.display()
        ));
    }
    Ok(())
}

/// A path over all links, as far as it is there.
fn real_path(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for above in path.ancestors() {
        if let Ok(real) = fs::canonicalize(above) {
            return real.join(path.strip_prefix(above).unwrap_or(Path::new("")));
        }
    }
    path
}

/// Why a path can be mounted nowhere.
fn unfit(path: &str) -> Option<String> {
    let Some(rest) = path.strip_prefix('/') else {
        return Some(format!("`{path}` is no absolute path"));
    };
    if rest.is_empty() {
        return Some("`/` is all of this machine; name what is meant".to_owned());
    }
    if rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Some(format!("`{path}` has a `.`, a `..`, or a slash too many; write it without"));
    }
    // Engines put paths into texts of their own, in which these end them.
    if path.contains(|letter: char| letter.is_control() || r#":,"\"#.contains(letter)) {
        return Some(format!("`{path}` has a letter that engines read as something else"));
    }
    let within = |one: &str, other: &str| Path::new(one).starts_with(other);
    for (closed, why) in CLOSED {
        if within(path, closed) {
            return Some(format!("`{path}` cannot be mounted: {why}"));
        }
        if within(closed, path) {
            return Some(format!("`{path}` holds `{closed}`, which cannot be mounted: {why}"));
        }
    }
    if PROGRAMS.iter().any(|programs| within(path, programs) || within(programs, path)) {
        return Some(format!("`{path}` would stand before the programs of the container itself"));
    }
    if NOT_WHOLE.contains(&path) {
        return Some(format!("`{path}` is too much; name a directory in it"));
    }
    let keys = rest.split('/').find(|part| KEYS.contains(part))?;
    Some(format!("`{path}` cannot be mounted: `{keys}` holds keys"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::config::{ContainersGrant, parse};

    #[track_caller]
    fn check(text: &str, expected: &Expect) {
        let told = match parse::<ContainersGrant>(text) {
            Ok(grant) => format!("{:?} {:?}", grant.mounts, grant.groups),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn a_directory_of_the_machine_is_named_as_it_is() {
        check(
            "mounts = ['/srv/repositories', '/home/me/work', '/tmp/x', '/opt/a', '/rooted', '/usr/share/x']",
            &expect![[
                r#"[Mount("/srv/repositories"), Mount("/home/me/work"), Mount("/tmp/x"), Mount("/opt/a"), Mount("/rooted"), Mount("/usr/share/x")] []"#
            ]],
        );
        check(
            "mounts = ['srv']",
            &expect!["built-in configuration:1: `mounts`: `srv` is no absolute path"],
        );
        check(
            "mounts = ['']",
            &expect!["built-in configuration:1: `mounts`: `` is no absolute path"],
        );
    }

    #[test]
    fn what_no_container_may_see_cannot_be_granted() {
        for path in [
            "/",
            "//",
            "/srv/",
            "/srv//x",
            "/srv/.",
            "/srv/..",
            "/srv/../etc",
            "/./srv",
            "/proc",
            "/proc/1",
            "/sys/fs",
            "/dev/shm",
            "/run",
            "/run/user/1000",
            "/var/run/docker.sock",
            "/var",
            "/var/lib",
            "/var/lib/docker/volumes",
            "/etc",
            "/etc/ssh",
            "/root",
            "/boot",
            "/home",
            "/tmp",
            "/opt",
            "/usr",
            "/bin",
            "/usr/bin/x",
            "/lib64",
            "/workspace",
            "/workspace/x",
            "/.windlass",
            "/home/me/.ssh",
            "/home/me/.docker/x",
            "/srv/a:b",
            "/srv/a,rw",
            "/srv/a\"b",
            "/srv/a\\b",
            "/srv/a\nb",
            "/srv/a\0",
        ] {
            assert!(Mount::try_from(path.to_owned()).is_err(), "{path}");
        }
    }

    #[test]
    fn why_is_told_with_the_line() {
        check(
            "pids = 9\nmounts = [ '/var' ]",
            &expect![
                "built-in configuration:2: `mounts`: `/var` holds `/var/run`, which cannot be mounted: it holds the sockets of services, the engine's among them"
            ],
        );
        check(
            "mounts = ['/proc/self']",
            &expect![
                "built-in configuration:1: `mounts`: `/proc/self` cannot be mounted: it is the kernel's own"
            ],
        );
    }

    /// No test sets a variable: others read the environment meanwhile. Cargo sets one, and nobody the other.
    #[track_caller]
    fn check_expanded(written: &str, expected: &Expect) {
        let told = match Mount::try_from(written.to_owned()).unwrap().expanded() {
            Ok(Some(mount)) => mount.0,
            Ok(None) => "none".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn a_variable_is_held_to_the_same_where_it_has_a_value() {
        check_expanded("/srv/a", &expect!["/srv/a"]);
        check_expanded("${WINDLASS_NOWHERE:-/srv/a}", &expect!["/srv/a"]);
        check_expanded("/srv/${CARGO_PKG_NAME}/x", &expect!["/srv/windlass/x"]);
        check_expanded("${WINDLASS_NOWHERE:-}", &expect!["none"]);
        check_expanded("${WINDLASS_NOWHERE:- }", &expect!["none"]);
        check_expanded(
            "${WINDLASS_NOWHERE}",
            &expect!["the environment variable `WINDLASS_NOWHERE` is not set"],
        );
        check_expanded(
            "${WINDLASS_NOWHERE:-/home/me/.ssh}",
            &expect!["`/home/me/.ssh` cannot be mounted: `.ssh` holds keys"],
        );
        check_expanded("${CARGO_PKG_NAME}", &expect!["`windlass` is no absolute path"]);
        check_expanded(
            "/${WINDLASS_NOWHERE:-proc}",
            &expect!["`/proc` cannot be mounted: it is the kernel's own"],
        );
    }

    #[test]
    fn a_group_is_a_number_and_not_root_s() {
        check("groups = [42420, 1]", &expect!["[] [Group(42420), Group(1)]"]);
        check(
            "groups = [0]",
            &expect![
                "built-in configuration:1: `groups`: the group 0 is root's: a container cannot belong to it"
            ],
        );
        check(
            "groups = [4294967295]",
            &expect!["built-in configuration:1: `groups`: 4294967295 is no group"],
        );
        check(
            "groups = ['users']",
            &expect![[
                r#"built-in configuration:1: `groups`: invalid type: string "users", expected u32"#
            ]],
        );
        assert!(parse::<ContainersGrant>("groups = [-1]").is_err());
    }

    #[test]
    fn it_has_to_be_there_and_be_itself() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let mount = |name: &str| Mount(folder.join(name).display().to_string());
        fs::create_dir(folder.join("d")).unwrap();
        fs::write(folder.join("f"), "").unwrap();
        symlink("d", folder.join("l")).unwrap();
        assert_eq!(mount("d").look(), Ok(()));
        assert!(mount("f").look().unwrap_err().ends_with("is no directory"));
        assert!(mount("l").look().unwrap_err().contains("leads over a link; write"));
        assert!(mount("none").look().unwrap_err().contains("No such file"));
        let (inside, outside) = (folder.join("d/state"), folder.join("other"));
        assert!(mount("d").check_apart("it", &inside).unwrap_err().contains("holds it"));
        assert!(mount("d/state/x").check_apart("it", &inside).unwrap_err().contains("lies in it"));
        assert!(mount("d").check_apart("it", &folder.join("d")).is_err());
        assert_eq!(mount("d").check_apart("it", &outside), Ok(()));
        // As it is written, and as it is over its links.
        assert!(mount("d").check_without("it", &folder.join("l/state")).is_err());
    }
}
