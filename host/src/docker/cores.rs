//! Which processors a container gets: a share alone would let `nproc` tell it that it has the whole machine.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::thread::{CpuSet, sched_getaffinity};

use super::Engine;

/// The kernel's list of what runs; some may have been taken off.
const ONLINE: &str = "/sys/devices/system/cpu/online";

/// So many cores as a share needs, the next ones each time, in the kernel's notation. None where it needs all.
pub(super) fn choose(engine: &Engine, cpus: f32, next: &AtomicUsize) -> Option<String> {
    let there = if engine.local { here() } else { (0..engine.cores).collect() };
    let wanted = needed(cpus);
    if wanted >= there.len() {
        return None;
    }
    let first = next.fetch_add(wanted, Ordering::Relaxed);
    let mut chosen: Vec<_> =
        there.iter().cycle().skip(first % there.len()).take(wanted).copied().collect();
    chosen.sort_unstable();
    Some(chosen.iter().map(usize::to_string).collect::<Vec<_>>().join(","))
}

/// A millionth too much is no further core: 0.1 + 0.2 is not 0.3.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the grant bounds it, and it is above 0"
)]
fn needed(cpus: f32) -> usize {
    ((cpus - 1e-6).ceil() as usize).max(1)
}

/// The cores of this machine that this process may use; those that the engine may use are rarely others.
fn here() -> Vec<usize> {
    let online = std::fs::read_to_string(ONLINE).unwrap_or_default();
    let online = list(online.trim());
    let allowed = sched_getaffinity(None).ok();
    let allowed = |core: &usize| {
        allowed.as_ref().is_none_or(|set: &CpuSet| *core < CpuSet::MAX_CPU && set.is_set(*core))
    };
    online.into_iter().filter(allowed).collect()
}

/// `0-2,5` is 0, 1, 2 and 5.
fn list(text: &str) -> Vec<usize> {
    let range = |piece: &str| {
        let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(cores: usize) -> Engine {
        let text = String::new;
        let (version, api, place) = (text(), text(), text());
        Engine {
            kind: "docker",
            version,
            api,
            place,
            local: false,
            rootless: false,
            spares: false,
            cores,
        }
    }

    #[test]
    fn cores_go_round() {
        let next = AtomicUsize::new(0);
        let choose = |cpus| choose(&engine(4), cpus, &next);
        assert_eq!(choose(1.0).as_deref(), Some("0"));
        assert_eq!(choose(1.5).as_deref(), Some("1,2"));
        assert_eq!(choose(1.2).as_deref(), Some("0,3"));
        assert_eq!(choose(0.1).as_deref(), Some("1"));
        assert_eq!(choose(4.0), None);
        assert_eq!(choose(64.0), None);
    }

    #[test]
    fn the_kernels_lists() {
        assert_eq!(list("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(list(""), [0_usize; 0]);
        assert_eq!((needed(0.01), needed(1.0), needed(0.1 + 0.2 + 0.7), needed(2.1)), (1, 1, 1, 3));
    }
}
