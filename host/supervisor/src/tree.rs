//! What /proc says of the processes in the container, and which of them belong to whom.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::Read as _,
};

use rustix::process::Pid;
use windlass_supervisor::protocol::MARKER;

use crate::supervisor::{Entry, Supervisor};

/// How much of an environment is looked through.
const LONGEST_ENVIRONMENT: u64 = 4 << 20;

/// A process, and no later one with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) pid: Pid,
    pub(crate) began: u64,
}

/// A living process.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) identity: Identity,
    parent: i32,
    group: i32,
    session: i32,
    marker: Option<String>,
}

impl Seen {
    fn number(&self) -> i32 {
        self.identity.pid.as_raw_nonzero().get()
    }

    pub(crate) fn group(&self) -> Option<Pid> {
        Pid::from_raw(self.group)
    }

    fn is_in(&self, leader: i32) -> bool {
        [self.number(), self.group, self.session].contains(&leader)
    }
}

/// All that live but the first process and those that the kernel keeps only until they are reaped.
pub(crate) fn scan() -> Vec<Seen> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter(|number| *number > 1).filter_map(look).collect()
}

/// The markers of all that live.
pub(crate) fn markers() -> HashSet<String> {
    scan().into_iter().filter_map(|seen| seen.marker).collect()
}

fn look(number: i32) -> Option<Seen> {
    let (seen, alive) = parse(number, &fs::read_to_string(format!("/proc/{number}/stat")).ok()?)?;
    alive.then(|| Seen { marker: marker(number), ..seen })
}

fn parse(number: i32, stat: &str) -> Option<(Seen, bool)> {
    // The name is in parentheses, and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |index: usize| fields.get(index)?.parse().ok();
    let began = fields.get(19)?.parse().ok()?;
    let seen = Seen {
        identity: Identity { pid: Pid::from_raw(number)?, began },
        parent: field(1)?,
        group: field(2)?,
        session: field(3)?,
        marker: None,
    };
    Some((seen, !["Z", "X", "x"].contains(fields.first()?)))
}

/// None also where the process hides its environment.
fn marker(number: i32) -> Option<String> {
    let mut environment = Vec::new();
    let file = File::open(format!("/proc/{number}/environ")).ok()?;
    file.take(LONGEST_ENVIRONMENT).read_to_end(&mut environment).ok()?;
    find_marker(&environment)
}

fn find_marker(environment: &[u8]) -> Option<String> {
    let value = |line: &[u8]| {
        let value = line.strip_prefix(MARKER.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    };
    environment.split(|byte| *byte == 0).find_map(value)
}

/// What certainly belongs to a process: its marker, its group and session, and all that descends from those.
pub(crate) fn members(
    supervisor: &Supervisor,
    entry: &Entry,
    leader: i32,
    all: &[Seen],
) -> Vec<Seen> {
    let own = |seen: &&Seen| match known_marker(supervisor, seen) {
        Some(marker) => marker == entry.id,
        None => seen.identity.began >= entry.began && seen.is_in(leader),
    };
    with_descendants(all.iter().filter(own).cloned().collect(), all)
}

/// Orphans that began after a process did, without a marker: those that can only be its own, and those that may be another's.
pub(crate) fn orphans(
    supervisor: &Supervisor,
    entry: &Entry,
    all: &[Seen],
) -> (Vec<Seen>, Vec<Seen>) {
    let entries = supervisor.entries.borrow();
    let leads = |it: &Entry, seen: &Seen| {
        it.leader.get().is_some_and(|leader| seen.is_in(leader.as_raw_nonzero().get()))
    };
    let is_orphan = |seen: &&Seen| {
        seen.parent == 1
            && seen.identity.began >= entry.began
            && known_marker(supervisor, seen).is_none()
            && !entries.values().any(|it| it.id != entry.id && leads(it, seen))
    };
    let past = supervisor.past.borrow();
    let may_be_anothers = |seen: &Seen| {
        let at = seen.identity.began;
        let ran =
            |began: u64, ended: Option<u64>| began <= at && ended.is_none_or(|ended| at <= ended);
        entries.values().any(|it| it.id != entry.id && ran(it.began, it.ended.get()))
            || past.iter().any(|(began, ended)| ran(*began, Some(*ended)))
            || all
                .iter()
                .any(|other| other.identity.began <= at && is_anothers(supervisor, entry, other))
    };
    let found = all.iter().filter(is_orphan).cloned();
    let (others, own): (Vec<_>, Vec<_>) = found.partition(may_be_anothers);
    (with_descendants(own, all), with_descendants(others, all))
}

/// Whether it certainly belongs to somebody else: another process of ours, or what the engine itself started.
fn is_anothers(supervisor: &Supervisor, entry: &Entry, seen: &Seen) -> bool {
    seen.parent == 0 || known_marker(supervisor, seen).is_some_and(|marker| marker != entry.id)
}

/// A marker that no process of ours ever had is a forgery, and says nothing.
fn known_marker<'a>(supervisor: &Supervisor, seen: &'a Seen) -> Option<&'a str> {
    let marker = seen.marker.as_deref()?;
    let known = supervisor.entries.borrow().contains_key(marker)
        || supervisor.released.borrow().contains(marker);
    known.then_some(marker)
}

/// These, and all that descends from them.
pub(crate) fn with_descendants(mut found: Vec<Seen>, all: &[Seen]) -> Vec<Seen> {
    let mut numbers: HashSet<i32> = found.iter().map(Seen::number).collect();
    loop {
        let before = found.len();
        for seen in all {
            if numbers.contains(&seen.parent) && numbers.insert(seen.number()) {
                found.push(seen.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_pose_as_what_follows_it() {
        let stat = "7 (a) S 9 9 9 (b) R 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        let (seen, alive) = parse(7, stat).unwrap();
        assert!(alive);
        assert_eq!((seen.parent, seen.group, seen.session, seen.identity.began), (1, 2, 3, 4242));
        for broken in ["", "7 (a", "7 (a) S 1", "7 (a) S x y z"] {
            assert!(parse(7, broken).is_none());
        }
    }

    #[test]
    fn a_marker_is_a_whole_variable() {
        let mark = |text: &str| find_marker(text.as_bytes());
        assert_eq!(mark("A=1\0WINDLASS_PROCESS=e_1\0B=2\0").as_deref(), Some("e_1"));
        for other in
            ["", "XWINDLASS_PROCESS=e_1\0", "WINDLASS_PROCESSES=e_1\0", "A=WINDLASS_PROCESS=e_1\0"]
        {
            assert_eq!(mark(other), None);
        }
    }
}
