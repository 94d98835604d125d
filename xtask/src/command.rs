//! Starting programs: cargo, and whatever must succeed, be timed or leave a log.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::tree;

/// How apt is told to wait for another one: the engines are got ready side by side.
pub(crate) const IN_TURN: [&str; 2] = ["-o", "DPkg::Lock::Timeout=600"];

/// How often a program that may take only so long is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The cargo that started this tool, in the root of the repository.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(tree::root()).env("CARGO_TARGET_DIR", tree::target());
    command
}

/// Runs to the end; all output goes to stderr.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let name = describe(command);
    eprintln!("+ {name}");
    let status = command.stdout(std::io::stderr()).status();
    let status = status.with_context(|| format!("cannot start `{name}`"))?;
    if !status.success() {
        bail!("`{name}` failed: {status}");
    }
    Ok(())
}

/// What a program says on stdout, if it can be started and succeeds.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a program succeeded in time. It is killed when time is up.
pub(crate) fn succeeded_within(limit: Duration, command: &mut Command) -> bool {
    within(limit, command.stdout(Stdio::null()).stderr(Stdio::null()))
}

/// The same, with all output at the end of a file.
pub(crate) fn logged_within(limit: Duration, command: &mut Command, log: &File) -> Result<bool> {
    Ok(within(limit, command.stdout(log.try_clone()?).stderr(log.try_clone()?)))
}

fn within(limit: Duration, command: &mut Command) -> bool {
    let Ok(mut child) = command.stdin(Stdio::null()).spawn() else { return false };
    let start = Instant::now();
    while start.elapsed() < limit {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => sleep(LOOK_EVERY),
            Err(_) => break,
        }
    }
    // It may have ended by itself in between.
    let _ = child.kill();
    let _ = child.wait();
    false
}

/// Runs with all output in a file; says whether it succeeded and what it wrote.
pub(crate) fn logged(command: &mut Command, log: &Path) -> Result<(bool, String)> {
    let name = describe(command);
    let file = File::create(log).with_context(|| format!("cannot write `{}`", log.display()))?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let status = command.status().with_context(|| format!("cannot start `{name}`"))?;
    let text = String::from_utf8_lossy(&fs::read(log)?).into_owned();
    Ok((status.success(), text))
}

/// Whether a program of this name can be started.
pub(crate) fn present(program: impl AsRef<OsStr>) -> bool {
    answer(Command::new(program).arg("--version")).is_some()
}

fn describe(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
