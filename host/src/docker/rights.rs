//! What the engine itself may do, which it does not tell.

use std::fs;

use tokio::net::UnixStream;

use super::Place;

/// With it a process may be put behind others when memory runs out.
const SYS_RESOURCE: u32 = 24;

/// Whether it may put a process last for when memory runs out. A machine that is a container itself often may not.
pub(super) async fn may_spare(place: &Place) -> bool {
    let Place::Socket(path) = place else { return false };
    let Ok(socket) = UnixStream::connect(path).await else { return false };
    // Of the engine, or of the init that listens for it; 0 if it is in a namespace that the host does not see.
    let pid = socket.peer_cred().ok().and_then(|it| it.pid()).filter(|pid| *pid > 0);
    let of = |who: &str| fs::read_to_string(format!("/proc/{who}/status")).ok();
    let status = pid.and_then(|pid| of(&pid.to_string())).or_else(|| of("self"));
    status.is_some_and(|status| bound(&status) >> SYS_RESOURCE & 1 == 1)
}

/// The most that a process and its children can ever get. What a process has at the moment says less: the host is often
/// nobody, and the engine still root.
fn bound(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_read() {
        let status = "Name:\tx\nCapEff:\t0000000000000000\nCapBnd:\t000001fffeffffff\n";
        assert_eq!(bound(status) >> SYS_RESOURCE & 1, 0);
        assert_eq!(bound("CapBnd:\t000001ffffffffff") >> SYS_RESOURCE & 1, 1);
        assert_eq!(bound(""), 0);
    }
}
