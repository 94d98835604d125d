//! What a run changed in the files: two trees that git makes of the workspace, and the difference between them.
//!
//! They are in a repository beside the workspace, so that they are made of any files, whether git has them or not.

use windlass_sdk::{
    Error, clock,
    containers::Container,
    processes::{Process, Spec, State},
};

use crate::{launch::META, summary::Changes};

/// A larger diff is cut.
const MOST: u32 = 4 << 20;
/// How long git may take.
const PATIENCE_MS: u32 = 60_000;
/// How long one wait for its output is.
const WAIT_MS: u32 = 5_000;

/// Makes a tree of the workspace. Says how it is called, and what is different from another one, if that is given.
const SCRIPT: &str = r#"set -e
export GIT_DIR="$1/changes.git" GIT_WORK_TREE=/workspace GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_OPTIONAL_LOCKS=0
cd /workspace
[ -d "$GIT_DIR/objects" ] || git init -q >&2
[ ! -e "$GIT_DIR/index.lock" ] || rm -f "$GIT_DIR/index.lock"
git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.autocrlf=false -c advice.addEmbeddedRepo=false -c gc.auto=0 \
    add -A --ignore-errors . >&2 || true
tree=$(git write-tree)
printf '%s\0' "$tree"
if [ -n "$2" ] && [ "$2" != "$tree" ]; then
    git diff --no-color --no-ext-diff --no-textconv --no-renames --numstat -p "$2" "$tree" | head -c "$3"
fi
"#;

/// What has become different.
pub(crate) struct Difference {
    pub(crate) changes: Changes,
    pub(crate) diff: String,
}

/// git at work.
pub(crate) struct Tree(Process);

/// Begins to make a tree of the workspace as it is.
pub(crate) fn begin(container: &Container) -> Result<Tree, Error> {
    Process::start(container, &spec("")).map(Tree)
}

impl Tree {
    /// What the tree is called.
    pub(crate) fn name(&self) -> Result<String, Error> {
        let said = said(&self.0)?;
        let name = said.split('\0').next().unwrap_or_default().trim();
        check(name)?;
        Ok(name.to_owned())
    }
}

/// What is different from a tree.
pub(crate) fn since(container: &Container, tree: &str) -> Result<Difference, Error> {
    check(tree)?;
    let said = said(&Process::start(container, &spec(tree))?)?;
    let (_, both) = said.split_once('\0').unwrap_or_default();
    let (numbers, diff) = parted(both);
    Ok(Difference { changes: Changes::read(numbers), diff: diff.to_owned() })
}

/// The numbers of each file, and the difference itself, which git tells one after the other.
fn parted(both: &str) -> (&str, &str) {
    let end = both.find("\n\ndiff --git ").map(|end| end + 2);
    both.split_at_checked(end.unwrap_or(both.len())).unwrap_or_default()
}

fn spec(tree: &str) -> Spec {
    let most = MOST.to_string();
    let words = ["sh", "-c", SCRIPT, "changes", META, tree, &most];
    let timeout_ms = Some(u64::from(PATIENCE_MS));
    Spec { timeout_ms, ..Spec::new(words.map(str::to_owned).into()) }.env("HOME", "/tmp")
}

/// All that it prints, once it has ended well.
fn said(process: &Process) -> Result<String, Error> {
    let late = clock::now() + 2 * u64::from(PATIENCE_MS);
    let (mut said, mut wrong, mut after) = (Vec::new(), Vec::new(), 0);
    loop {
        let output = process.read(after, MOST, WAIT_MS)?;
        for chunk in output.chunks {
            after = chunk.seq;
            match chunk.origin {
                windlass_sdk::processes::Origin::Stdout => said.extend(chunk.data),
                windlass_sdk::processes::Origin::Stderr => wrong.extend(chunk.data),
            }
        }
        match output.state {
            State::Ended(result) if output.complete => {
                if result.exit_code == Some(0) {
                    return Ok(String::from_utf8_lossy(&said).into_owned());
                }
                let why = result
                    .message
                    .unwrap_or_else(|| String::from_utf8_lossy(&wrong).trim().to_owned());
                return Err(Error::failed(format!("git cannot say what was changed: {why}")));
            }
            _ if clock::now() > late => {
                return Err(Error::failed("git takes too long to say what was changed"));
            }
            _ => {}
        }
    }
}

fn check(tree: &str) -> Result<(), Error> {
    let fits = !tree.is_empty() && tree.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fits { Ok(()) } else { Err(Error::failed("git did not say what the tree is called")) }
}

#[cfg(test)]
mod tests {
    use super::parted;

    #[test]
    fn numbers_come_before_the_difference() {
        let diff = "diff --git a/a b/a\n--- a/a\n+++ b/a\n";
        assert_eq!(parted(&format!("1\t0\ta\n\n{diff}")), ("1\t0\ta\n\n", diff));
        assert_eq!(parted("1\t0\ta\n"), ("1\t0\ta\n", ""));
        assert_eq!(parted(""), ("", ""));
    }
}
