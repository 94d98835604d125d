//! Whose turn it is. Pure: it knows names, and runs nothing.
//!
//! Each caller of each plugin has a line of its own, and the lines take turns, so that nobody's thousand jobs stand before
//! another one's first. Within a lane, the order of submission holds until a job has ended, also while it asks something.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Who submitted: plugin and caller.
pub(super) type Line = (String, String);

/// A job as the queue knows it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) id: String,
    pub(super) line: Line,
    pub(super) lane: Option<String>,
}

#[derive(Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Line, VecDeque<Place>>,
    running: BTreeMap<String, Line>,
    /// Of each lane of a plugin, the jobs that have not ended, in order.
    lanes: BTreeMap<(String, String), VecDeque<String>>,
    known: BTreeSet<String>,
    /// Whose turn was last.
    last: Option<Line>,
}

impl Queue {
    /// Puts a job at the end of its line. One that is waiting or running already stays where it is.
    pub(super) fn push(&mut self, place: Place) {
        if self.running.contains_key(&place.id) || self.is_waiting(&place) {
            return;
        }
        let is_known = !self.known.insert(place.id.clone());
        if let Some(lane) = place.lane_of_plugin().filter(|_| !is_known) {
            self.lanes.entry(lane).or_default().push_back(place.id.clone());
        }
        self.waiting.entry(place.line.clone()).or_default().push_back(place);
    }

    /// The next job that may run, if there is a place for it: among all, among those of its plugin, and among those for its caller.
    pub(super) fn next(
        &mut self,
        most: usize,
        most_of: impl Fn(&str) -> usize,
        most_for: impl Fn(&str) -> usize,
    ) -> Option<String> {
        if self.running.len() >= most {
            return None;
        }
        let found = self.in_turn().find_map(|(line, _)| {
            let (plugin, caller) = line;
            let running = |of: fn(&Line) -> &String, name: &String| {
                self.running.values().filter(|line| of(line) == name).count()
            };
            let has_place = running(|(plugin, _)| plugin, plugin) < most_of(plugin)
                && running(|(_, caller)| caller, caller) < most_for(caller);
            Some((line.clone(), has_place.then(|| self.first_free(line))??))
        });
        let (line, index) = found?;
        let place = self.waiting.get_mut(&line)?.remove(index)?;
        self.waiting.retain(|_, places| !places.is_empty());
        self.running.insert(place.id.clone(), place.line);
        self.last = Some(line);
        Some(place.id)
    }

    /// A job runs no more, and has not ended: it keeps its lane.
    pub(super) fn leave(&mut self, id: &str) {
        self.running.remove(id);
    }

    /// A job has ended.
    pub(super) fn end(&mut self, id: &str) {
        self.running.remove(id);
        self.known.remove(id);
        for places in self.waiting.values_mut() {
            places.retain(|place| place.id != id);
        }
        for lane in self.lanes.values_mut() {
            lane.retain(|it| it != id);
        }
        self.waiting.retain(|_, places| !places.is_empty());
        self.lanes.retain(|_, lane| !lane.is_empty());
    }

    /// How many of those that wait have their turn before this one, as far as nothing else stands in anybody's way.
    pub(super) fn before(&self, id: &str) -> Option<usize> {
        let found = self.in_turn().enumerate().find_map(|(turn, (_, places))| {
            Some((turn, places.iter().position(|place| place.id == id)?))
        });
        let (turn, index) = found?;
        let turns = self.in_turn().enumerate().filter(|(other, _)| *other != turn);
        let before = turns.map(|(other, (_, places))| {
            let rounds = if other < turn { index + 1 } else { index };
            places.len().min(rounds)
        });
        Some(index + before.sum::<usize>())
    }

    /// The lines, from the one whose turn it is.
    fn in_turn(&self) -> impl Iterator<Item = (&Line, &VecDeque<Place>)> {
        let is_later = |line: &Line| self.last.as_ref().is_none_or(|last| line > last);
        let later = self.waiting.iter().filter(move |(line, _)| is_later(line));
        let earlier = self.waiting.iter().filter(move |(line, _)| !is_later(line));
        later.chain(earlier)
    }

    /// How many jobs of a plugin wait.
    pub(super) fn waiting_of(&self, plugin: &str) -> usize {
        let of_plugin = self.waiting.iter().filter(|((of, _), _)| of == plugin);
        of_plugin.map(|(_, places)| places.len()).sum()
    }

    fn is_waiting(&self, place: &Place) -> bool {
        let places = self.waiting.get(&place.line);
        places.is_some_and(|places| places.iter().any(|it| it.id == place.id))
    }

    /// Where in a line the first job is that no other one of its lane stands before.
    fn first_free(&self, line: &Line) -> Option<usize> {
        let is_first = |place: &Place| match place.lane_of_plugin() {
            Some(lane) => self.lanes.get(&lane).and_then(VecDeque::front) == Some(&place.id),
            None => true,
        };
        self.waiting.get(line)?.iter().position(is_first)
    }
}

impl Place {
    fn lane_of_plugin(&self) -> Option<(String, String)> {
        Some((self.line.0.clone(), self.lane.clone()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(id: &str, plugin: &str, caller: &str, lane: Option<&str>) -> Place {
        let line = (plugin.to_owned(), caller.to_owned());
        Place { id: id.to_owned(), line, lane: lane.map(str::to_owned) }
    }

    fn all(queue: &mut Queue, most: usize, of_each: usize) -> Vec<String> {
        std::iter::from_fn(|| queue.next(most, |_| of_each, |_| usize::MAX)).collect()
    }

    #[test]
    fn callers_and_plugins_take_turns() {
        let mut queue = Queue::default();
        for id in ["a1", "a2", "a3"] {
            queue.push(place(id, "p", "a", None));
        }
        queue.push(place("b1", "p", "b", None));
        queue.push(place("c1", "q", "a", None));
        assert_eq!(all(&mut queue, 9, 9), ["a1", "b1", "c1", "a2", "a3"]);
    }

    #[test]
    fn no_more_run_than_may() {
        let mut queue = Queue::default();
        for id in ["a1", "a2", "a3"] {
            queue.push(place(id, "p", "a", None));
        }
        queue.push(place("c1", "q", "a", None));
        assert_eq!(all(&mut queue, 9, 1), ["a1", "c1"]);
        queue.end("a1");
        assert_eq!(all(&mut queue, 2, 9), ["a2"]);
        assert_eq!(queue.waiting_of("p"), 1);
        queue.end("c1");
        assert_eq!(all(&mut queue, 2, 0), [""; 0]);
        assert_eq!(all(&mut queue, 2, 9), ["a3"]);
    }

    #[test]
    fn no_more_run_for_a_caller_than_may_and_nobody_else_waits_for_that() {
        let mut queue = Queue::default();
        for (id, plugin) in [("a1", "p"), ("a2", "q"), ("a3", "p")] {
            queue.push(place(id, plugin, "a", None));
        }
        for id in ["b1", "b2"] {
            queue.push(place(id, "q", "b", None));
        }
        let before: Vec<_> =
            ["a1", "a2", "a3", "b1", "b2"].iter().filter_map(|id| queue.before(id)).collect();
        assert_eq!(before, [0, 1, 3, 2, 4]);
        let most_for = |caller: &str| if caller == "a" { 1 } else { 9 };
        let mut next = || queue.next(9, |_| 9, most_for);
        assert_eq!([next(), next(), next()].map(Option::unwrap), ["a1", "b1", "b2"]);
        assert_eq!(next(), None);
        queue.end("a1");
        assert_eq!(queue.next(9, |_| 9, most_for).unwrap(), "a3");
        // What asks makes room, as it does for everybody.
        queue.leave("a3");
        assert_eq!(queue.next(9, |_| 9, most_for).unwrap(), "a2");
        assert_eq!(queue.before("a2"), None);
    }

    #[test]
    fn a_lane_is_in_order_also_while_a_job_asks() {
        let mut queue = Queue::default();
        queue.push(place("one", "p", "a", Some("lane")));
        queue.push(place("two", "p", "b", Some("lane")));
        queue.push(place("other", "q", "a", Some("lane")));
        assert_eq!(all(&mut queue, 9, 9), ["one", "other"]);
        queue.leave("one");
        assert_eq!(all(&mut queue, 9, 9), [""; 0]);
        queue.push(place("one", "p", "a", Some("lane")));
        assert_eq!(all(&mut queue, 9, 9), ["one"]);
        queue.end("one");
        assert_eq!(all(&mut queue, 9, 9), ["two"]);
    }

    #[test]
    fn one_that_ends_while_it_waits_is_gone() {
        let mut queue = Queue::default();
        queue.push(place("one", "p", "a", Some("lane")));
        queue.push(place("two", "p", "a", Some("lane")));
        queue.push(place("two", "p", "a", Some("lane")));
        queue.end("one");
        assert_eq!(all(&mut queue, 9, 9), ["two"]);
    }
}
