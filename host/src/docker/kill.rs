//! Signals to what the engine's exec has started. The engine has none of its own.
//!
//! Everything that carries the marker of a command is meant, children that called setsid as well. Where the host sees the
//! container's processes and may signal them, it does so itself: `/proc` shows the marker, the container's pid namespace
//! says that it is no other's, and a pidfd makes sure that it still is the same process. Otherwise (the engine is elsewhere,
//! or the host is not root) a second exec does it with the `sh` of the image, and where there is none it cannot be done.

use std::{fs, io};

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use tokio::task::spawn_blocking;
use windlass_supervisor::protocol::MARKER;

use super::{Docker, Exec, Found, Ours};
use crate::error::{Result, invalid, trap, unavailable};

/// `$1` is the marker, `$2` the number. Itself carries another marker.
const SCRIPT: &str = r#"for p in /proc/[0-9]*; do
if grep -q -- "$1" "$p/environ" 2>/dev/null; then kill -"$2" "${p#/proc/}" 2>/dev/null && echo 1; fi
done; true"#;

/// Why the host cannot do it itself.
struct Unfit;

impl Docker {
    /// Sends a signal to every process of a command. Gives how many there were; 0 says that nothing is left.
    pub async fn signal(&self, ours: &Ours, exec_id: &str, number: i32) -> Result<u32> {
        if !(1..=64).contains(&number) {
            return Err(invalid(format!("there is no signal {number}; take one of 1 to 64")));
        }
        let Some(Found { pid: Some(first), .. }) = self.inspect(ours).await? else {
            return Ok(0);
        };
        if self.engine().await?.local {
            let marker = format!("{MARKER}={exec_id}");
            let swept = spawn_blocking(move || sweep(first, &marker, number)).await;
            if let Ok(count) = swept.map_err(|error| trap(error.to_string()))? {
                return Ok(count);
            }
        }
        self.signal_inside(ours, exec_id, number).await
    }

    async fn signal_inside(&self, ours: &Ours, exec_id: &str, number: i32) -> Result<u32> {
        let marker = format!("{MARKER}={exec_id}");
        let words = ["sh", "-c", SCRIPT, "sh", &marker, &number.to_string()].map(str::to_owned);
        let exec = Exec {
            command: words.to_vec(),
            env: Vec::new(),
            cwd: Some("/".to_owned()),
            stdin: None,
            user: Some("0:0".to_owned()),
        };
        let mut running = self.exec(ours, "signal", exec).await?;
        let mut count = 0;
        while let Some(output) = running.next().await {
            let lines = output?.bytes.iter().filter(|it| **it == b'\n').count();
            count += u32::try_from(lines).unwrap_or(0);
        }
        match running.code().await? {
            Some(0) => Ok(count),
            _ => Err(unavailable(format!(
                "command `{exec_id}` cannot be signalled: the image of container `{}` has no `sh`, and the host is not root; stop the container",
                ours.id()
            ))),
        }
    }
}

/// Signals each process in the namespace of the first one that carries the marker.
fn sweep(first: u32, marker: &str, number: i32) -> Result<u32, Unfit> {
    let space = namespace(first).map_err(|_| Unfit)?;
    let own = namespace(std::process::id()).map_err(|_| Unfit)?;
    // A pid of another machine's, or of another namespace's, would name a stranger here.
    if space == own {
        return Err(Unfit);
    }
    let mut count = 0;
    for entry in fs::read_dir("/proc").map_err(|_| Unfit)?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|it| it.parse::<u32>().ok()) else {
            continue;
        };
        if namespace(pid).is_ok_and(|it| it == space) && hit(pid, &space, marker, number)? {
            count += 1;
        }
    }
    Ok(count)
}

/// Whether it was one, and got the signal.
fn hit(pid: u32, space: &str, marker: &str, number: i32) -> Result<bool, Unfit> {
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(false) };
    let handle = match pidfd_open(raw, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(Errno::SRCH) => return Ok(false),
        Err(_) => return Err(Unfit),
    };
    // Looked at with the handle in hand: whatever had the number before, this is about who has it since.
    let carries = match fs::read(format!("/proc/{pid}/environ")) {
        Ok(environment) => environment.split(|it| *it == 0).any(|it| it == marker.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(Unfit),
        Err(_) => return Ok(false),
    };
    if !carries || namespace(pid).map_or(true, |it| it != space) {
        return Ok(false);
    }
    let Some(signal) = Signal::from_named_raw(number) else { return Err(Unfit) };
    match pidfd_send_signal(handle, signal) {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(_) => Err(Unfit),
    }
}

/// `pid:[4026531836]`.
fn namespace(pid: u32) -> io::Result<String> {
    Ok(fs::read_link(format!("/proc/{pid}/ns/pid"))?.display().to_string())
}
