//! Starting a program: what it gets, and in plain words why it could not be started.

use std::{
    cell::RefCell,
    env,
    ffi::OsString,
    fs::File,
    io::{self, ErrorKind, Seek as _, Write as _, read_to_string},
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt as _, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::{
    io::Errno,
    process::{Pid, chdir, ioctl_tiocsctty, setsid},
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use windlass_supervisor::protocol::{MARKER, Start};

use crate::{input::Input, output::Pipe};

/// Where programs are looked for in a container that does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A process that runs.
pub(crate) struct Started {
    pub(crate) pid: Pid,
    pub(crate) input: Input,
    pub(crate) pipes: Vec<Pipe>,
}

/// How ready the kernel is to end this program when memory runs out.
pub(crate) struct Score {
    own: Option<(RefCell<File>, i32)>,
}

impl Score {
    pub(crate) fn new(file: Option<File>) -> Self {
        let own = file.and_then(|file| {
            let score: i32 = read_to_string(&file).ok()?.trim().parse().ok()?;
            (score < 0).then(|| (RefCell::new(file), score))
        });
        Self { own }
    }

    /// What is started meanwhile is not as safe from the kernel as this program is.
    fn without<T>(&self, start: impl FnOnce() -> T) -> T {
        let set = |score: i32| {
            let (file, _) = self.own.as_ref()?;
            let mut file = file.borrow_mut();
            file.rewind().ok()?;
            file.write_all(score.to_string().as_bytes()).ok()
        };
        set(0);
        let result = start();
        set(self.own.as_ref().map_or(0, |(_, score)| *score));
        result
    }
}

/// Starts it, or says why not.
pub(crate) fn start(order: &Start, score: &Score) -> Result<Started, String> {
    let Some((name, arguments)) = order.command.split_first() else {
        return Err("`command` is empty".to_owned());
    };
    if !order.cwd.is_empty() {
        chdir(order.cwd.as_str()).map_err(|error| no_folder(&order.cwd, error))?;
    }
    let result = find(name, order).and_then(|program| {
        let mut command = Command::new(&program);
        command.arg0(name).args(arguments).env(MARKER, &order.id);
        command.envs(order.env.iter().filter(|(name, _)| name != MARKER).map(|(a, b)| (a, b)));
        let started = score.without(|| match order.terminal {
            Some(size) => with_terminal(&mut command, size, order.input),
            None => with_pipes(&mut command, order.input),
        });
        started.map_err(|error| not_started(name, &program, &error))
    });
    // Whoever stays in a folder keeps it from being unmounted.
    let _ = chdir("/");
    result
}

fn with_pipes(command: &mut Command, input: bool) -> io::Result<Started> {
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn()?;
    let input = match child.stdin.take() {
        Some(end) => Input::pipe(end.into())?,
        None => Input::default(),
    };
    let stdout = child.stdout.take().map(|end| Pipe::stdout(end.into())).transpose()?;
    let stderr = child.stderr.take().map(|end| Pipe::stderr(end.into())).transpose()?;
    let pipes = stdout.into_iter().chain(stderr).collect();
    Ok(Started { pid: pid(child.id())?, input, pipes })
}

#[allow(unsafe_code, reason = "only the child itself can make the terminal its own")]
fn with_terminal(
    command: &mut Command,
    (rows, columns): (u16, u16),
    input: bool,
) -> io::Result<Started> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = openpt(flags)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let theirs: OwnedFd = ioctl_tiocgptpeer(&ours, flags)?;
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&ours, size)?;
    command.stdout(theirs.try_clone()?).stderr(theirs.try_clone()?);
    if input {
        command.stdin(theirs);
    } else {
        command.stdin(Stdio::null());
    }
    // SAFETY: between fork and exec these are two system calls, without memory or locks.
    unsafe {
        command.pre_exec(|| {
            setsid()?;
            Ok(ioctl_tiocsctty(rustix::stdio::stdout())?)
        });
    }
    let child = command.spawn();
    // The command keeps the child's end, and would keep the terminal from ending.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let input = if input { Input::terminal(ours.try_clone()?)? } else { Input::default() };
    Ok(Started { pid: pid(child?.id())?, input, pipes: vec![Pipe::terminal(ours)?] })
}

fn pid(number: u32) -> io::Result<Pid> {
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| ErrorKind::InvalidData.into())
}

/// The file of a program, looked for where the process itself would look.
fn find(name: &str, order: &Start) -> Result<PathBuf, String> {
    if name.contains('/') {
        return Ok(name.into());
    }
    let given = order.env.iter().rev().find(|(name, _)| name == "PATH");
    let given = given.map(|(_, value)| OsString::from(value)).or_else(|| env::var_os("PATH"));
    let path = given.unwrap_or_else(|| PATH.into());
    let mut refused = false;
    for folder in env::split_paths(&path) {
        let file = folder.join(name);
        let Ok(about) = file.metadata() else { continue };
        if about.is_file() && about.permissions().mode() & 0o111 != 0 {
            return Ok(file);
        }
        refused |= about.is_file();
    }
    Err(match refused {
        true => format!("`{name}` is there, but may not be executed"),
        false => format!("`{name}`: no such program in the container"),
    })
}

fn no_folder(cwd: &str, error: Errno) -> String {
    match error {
        Errno::NOENT => format!("`cwd`: no such folder in the container: `{cwd}`"),
        Errno::NOTDIR => format!("`cwd`: `{cwd}` is no folder"),
        Errno::ACCESS => format!("`cwd`: `{cwd}` may not be entered by the container's user"),
        _ => format!("`cwd`: `{cwd}` cannot be entered: {error}"),
    }
}

fn not_started(name: &str, program: &Path, error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::NOENT | Errno::NOTDIR) if !program.exists() => {
            format!("`{name}`: no such program in the container")
        }
        Some(Errno::NOENT) => {
            format!("`{name}`: the interpreter or loader it needs is not in the container")
        }
        Some(Errno::ACCESS) => format!("`{name}` may not be executed by the container's user"),
        Some(Errno::AGAIN) => {
            "no process can be started: the container is at its limit of processes".to_owned()
        }
        Some(Errno::NOMEM) => {
            "no process can be started: the container is out of memory".to_owned()
        }
        Some(Errno::NOEXEC) => format!("`{name}` is no program that this machine can run"),
        Some(Errno::TOOBIG) => "`command` and `env` are too long together".to_owned(),
        _ => format!("`{name}` cannot be started: {error}"),
    }
}
