//! Which paths lie in a workspace, as far as their text says. The rest is the kernel's to say.

use std::fmt;

use crate::error::{Failure, Result, denied, invalid};

/// Where a container sees its workspace.
const MOUNT: &str = "/workspace";
/// The kernel takes no longer path.
const LONGEST_PATH: usize = 4095;

/// A path that stays beneath the root of its workspace as far as its text says. The rest is the kernel's to say.
#[derive(Clone, PartialEq, Eq)]
pub struct WorkspacePath {
    /// As it was asked for, which is how errors name it.
    asked: String,
    /// Relative, without `.`, `..` or slashes at its ends. Empty: the root.
    path: String,
}

impl WorkspacePath {
    /// Understands a path as a program in a container would whose directory is the workspace.
    pub fn new(asked: String) -> Result<Self> {
        if asked.len() > LONGEST_PATH {
            let length = asked.len();
            return Err(invalid(format!(
                "a path of {length} bytes is longer than the {LONGEST_PATH} that there can be"
            )));
        }
        let absolute = asked.starts_with('/');
        let mut parts: Vec<&str> = if absolute { Vec::new() } else { vec!["workspace"] };
        for part in asked.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        match parts.split_first() {
            Some((&"workspace", rest)) if !asked.contains('\0') => {
                let path = rest.join("/");
                Ok(Self { asked, path })
            }
            _ => Err(Self { asked, path: String::new() }.violation()),
        }
    }

    /// What the kernel is given, relative to the root.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    pub fn is_root(&self) -> bool {
        self.path.is_empty()
    }

    /// Whether this path is that one, or below it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.path
            .strip_prefix(&other.path)
            .is_some_and(|rest| rest.is_empty() || other.path.is_empty() || rest.starts_with('/'))
    }

    /// The refusal of a path that leads out.
    pub fn violation(&self) -> Failure {
        let asked = &self.asked;
        denied(format!("Path security violation for '{asked}': Path must be under {MOUNT}"))
            .with_detail("error_code", "PATH_SECURITY")
    }
}

impl fmt::Display for WorkspacePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.asked)
    }
}

impl fmt::Debug for WorkspacePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(asked: &str, expected: Option<&str>) {
        let path = WorkspacePath::new(asked.to_owned());
        match (&path, expected) {
            (Ok(path), Some(expected)) => assert_eq!(path.as_str(), expected, "{asked}"),
            (Err(Failure::Answer(error)), None) => assert!(
                error.message
                    == format!(
                        "Path security violation for '{asked}': Path must be under /workspace"
                    ),
                "{error:?}"
            ),
            _ => panic!("{asked}: {path:?}"),
        }
    }

    #[test]
    fn which_paths_lie_in_a_workspace() {
        check("x", Some("x"));
        check("", Some(""));
        check("/workspace", Some(""));
        check("/workspace/", Some(""));
        check("/workspace/x", Some("x"));
        check("/workspace//x/./y/", Some("x/y"));
        check("a/../b", Some("b"));
        check("a/..", Some(""));
        check("/workspace/../workspace/x", Some("x"));
        check("...", Some("..."));
        check("workspace/x", Some("workspace/x"));
        check("..", None);
        check("../etc", None);
        check("a/../../etc", None);
        check("/etc/passwd", None);
        check("/", None);
        check("/workspace_evil", None);
        check("/workspace/../etc", None);
        check("../workspace_evil/x", None);
        check("a\0b", None);
        assert!(WorkspacePath::new("a".repeat(LONGEST_PATH + 1)).is_err());
    }

    #[test]
    fn what_lies_within_what() {
        let within = |path: &str, other: &str| {
            let new = |text: &str| WorkspacePath::new(text.to_owned()).unwrap();
            new(path).is_within(&new(other))
        };
        assert!(within("a", "a") && within("a/b", "a") && within("a", ""));
        assert!(!within("ab", "a") && !within("a", "a/b"));
    }
}
