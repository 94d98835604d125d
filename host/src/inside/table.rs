//! All processes that the host knows, by id and by key, and whose turn it is in each container.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::process::{Entry, State};

/// How many processes run at a time in a container.
const MOST_RUNNING: usize = 4;
/// How long a key stands for the same process. Milliseconds.
const KEY_AGE: u64 = 24 * 60 * 60 * 1000;

#[derive(Default)]
pub(super) struct Table {
    entries: HashMap<String, Arc<Entry>>,
    /// By owner, container and key.
    keys: HashMap<(String, String, String), String>,
    lanes: HashMap<String, Lane>,
    /// The number of the newest process.
    newest: u64,
}

/// The places of one container.
#[derive(Default)]
struct Lane {
    running: usize,
    waiting: VecDeque<Arc<Entry>>,
}

impl Table {
    pub(super) fn get(&self, id: &str) -> Option<&Arc<Entry>> {
        self.entries.get(id)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// The process that this key stands for.
    pub(super) fn keyed(
        &self,
        owner: &str,
        container: &str,
        key: &str,
        now: u64,
    ) -> Option<&Arc<Entry>> {
        let place = (owner.to_owned(), container.to_owned(), key.to_owned());
        let entry = self.entries.get(self.keys.get(&place)?)?;
        (entry.origin.started.saturating_add(KEY_AGE) > now).then_some(entry)
    }

    /// A number for the next process.
    pub(super) fn number(&self) -> u64 {
        self.newest + 1
    }

    /// How many wait for a place in a container.
    pub(super) fn waiting_in(&self, container: &str) -> usize {
        self.lanes.get(container).map_or(0, |lane| lane.waiting.len())
    }

    /// Adds a process, and says how it is: it has a place, or waits for one.
    pub(super) fn add(&mut self, entry: &Arc<Entry>) {
        self.know(entry);
        let lane = self.lanes.entry(entry.origin.container.clone()).or_default();
        if lane.running < MOST_RUNNING && lane.waiting.is_empty() {
            lane.running += 1;
            *super::locked(&entry.intended) = State::Running;
            entry.change(State::Running);
        } else {
            lane.waiting.push_back(entry.clone());
        }
    }

    /// Adds a process of an earlier host as it was.
    pub(super) fn add_found(&mut self, entry: &Arc<Entry>) {
        self.know(entry);
        let lane = self.lanes.entry(entry.origin.container.clone()).or_default();
        match entry.view.borrow().state {
            State::Queued => lane.waiting.push_back(entry.clone()),
            State::Running => lane.running += 1,
            State::Ended(_) => {}
        }
    }

    /// The next in line, if there is a place for it. It has that place then.
    pub(super) fn next(&mut self, container: &str) -> Option<Arc<Entry>> {
        let lane = self.lanes.get_mut(container)?;
        if lane.running >= MOST_RUNNING {
            return None;
        }
        let next = lane.waiting.pop_front()?;
        lane.running += 1;
        Some(next)
    }

    /// Takes a process out of the line. Says whether it was there.
    pub(super) fn leave(&mut self, entry: &Entry) -> bool {
        let Some(lane) = self.lanes.get_mut(&entry.origin.container) else { return false };
        let before = lane.waiting.len();
        lane.waiting.retain(|waiting| waiting.origin.id != entry.origin.id);
        before != lane.waiting.len()
    }

    /// Gives the place of a process back.
    pub(super) fn release(&mut self, container: &str) {
        if let Some(lane) = self.lanes.get_mut(container) {
            lane.running = lane.running.saturating_sub(1);
            if lane.running == 0 && lane.waiting.is_empty() {
                self.lanes.remove(container);
            }
        }
    }

    pub(super) fn forget(&mut self, entry: &Entry) {
        self.entries.remove(&entry.origin.id);
        if let Some(place) = place(entry)
            && self.keys.get(&place) == Some(&entry.origin.id)
        {
            self.keys.remove(&place);
        }
    }

    fn know(&mut self, entry: &Arc<Entry>) {
        let id = entry.origin.id.clone();
        if let Some(place) = place(entry) {
            let newer = self
                .keys
                .get(&place)
                .and_then(|known| self.entries.get(known))
                .is_some_and(|known| known.origin.number > entry.origin.number);
            if !newer {
                self.keys.insert(place, id.clone());
            }
        }
        self.newest = self.newest.max(entry.origin.number);
        self.entries.insert(id, entry.clone());
    }
}

fn place(entry: &Entry) -> Option<(String, String, String)> {
    let origin = &entry.origin;
    Some((origin.owner.clone(), origin.container.clone(), origin.key.clone()?))
}
