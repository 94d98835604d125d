//! What only `unsafe` can ask for: signals with their sender, what a process used, waiting for a descriptor.
//!
//! Everything else goes through rustix.

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    ptr,
    sync::atomic::{AtomicBool, AtomicI32, Ordering},
};

use rustix::event::{EventfdFlags, eventfd};
use tokio::io::{Interest, unix::AsyncFd};

/// Which descriptor wakes the program when a signal has come. There is one set of signals per process.
static BELL: AtomicI32 = AtomicI32::new(-1);
static STOP: AtomicBool = AtomicBool::new(false);

/// How a process ended, and what it used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exit {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) cpu_ms: u64,
    pub(crate) memory_kib: u64,
}

/// From here on, SIGCHLD and SIGTERM ring what is returned.
///
/// Handlers and not a mask: a mask would be inherited by all that is started.
pub(crate) fn listen_to_signals() -> io::Result<OwnedFd> {
    let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    BELL.store(bell.as_fd().as_raw_fd(), Ordering::Relaxed);
    // The standard library looks at these for stack overflows, and dies of one that is merely sent. Without a handler,
    // the kernel keeps what is sent from inside away from the first process.
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        handle(signal, libc::SIG_DFL)?;
    }
    for signal in [libc::SIGCHLD, libc::SIGTERM] {
        handle(signal, on_signal as *const () as usize)?;
    }
    Ok(bell)
}

/// Whether somebody outside of the container wants it to end.
pub(crate) fn is_told_to_stop() -> bool {
    STOP.load(Ordering::Relaxed)
}

#[allow(
    unsafe_code,
    reason = "the kernel calls the function, which does only what a signal handler may"
)]
fn handle(signal: i32, handler: libc::sighandler_t) -> io::Result<()> {
    // SAFETY: an all-zero `sigaction` is one without flags; the function has the signature of SA_SIGINFO.
    let result = unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        libc::sigaction(signal, &raw const action, ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[allow(unsafe_code, reason = "reads what the kernel says of the signal")]
extern "C" fn on_signal(signal: i32, about: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    if signal == libc::SIGTERM {
        // SAFETY: with SA_SIGINFO the kernel passes a valid one.
        let (code, sender) = unsafe { ((*about).si_code, (*about).si_pid()) };
        // A sender outside has no number in here. A program inside can claim any number, but not this code.
        if code != libc::SI_USER || sender != 0 {
            return;
        }
        STOP.store(true, Ordering::Relaxed);
    }
    // SAFETY: the descriptor is never closed. A raw system call leaves `errno` alone.
    let bell = unsafe { BorrowedFd::borrow_raw(BELL.load(Ordering::Relaxed)) };
    let _ = rustix::io::write(bell, &1u64.to_ne_bytes());
}

/// A child that has ended, and how. None where none has.
#[allow(unsafe_code, reason = "no safe call says what a process used")]
pub(crate) fn reap() -> Option<(i32, Exit)> {
    // SAFETY: both are plain numbers that the kernel fills in.
    let (pid, status, used) = unsafe {
        let (mut status, mut used): (i32, libc::rusage) = mem::zeroed();
        let pid = libc::wait4(-1, &raw mut status, libc::WNOHANG, &raw mut used);
        (pid, status, used)
    };
    let milliseconds =
        |time: libc::timeval| (time.tv_sec * 1000 + time.tv_usec / 1000).cast_unsigned();
    let exit = Exit {
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        cpu_ms: milliseconds(used.ru_utime) + milliseconds(used.ru_stime),
        memory_kib: used.ru_maxrss.cast_unsigned(),
    };
    (pid > 0).then_some((pid, exit))
}

/// Lets tasks wait for a descriptor.
#[allow(unsafe_code, reason = "tokio cannot tell that an owned descriptor stays what it is")]
pub(crate) fn watch(end: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: it is owned by what is returned, and open until that is dropped.
    unsafe { AsyncFd::register_with_interest(end, interest) }.map_err(io::Error::from)
}
