//! Whose turn it is among the calls. Pure: it knows names, and runs nothing.
//!
//! Each caller has a line of their own, and the lines take turns, so that nobody's thousand calls stand before another one's
//! first. Nor do they fill the room in which calls wait: where that is full, who has most in it makes room.

use std::collections::{HashMap, VecDeque};

/// A call that wants a place.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) caller: String,
    /// How many calls of this caller may run at once.
    pub(super) most_of_caller: usize,
    /// The plugin that it is for, where it is for one.
    pub(super) plugin: Option<Wanted>,
}

/// A plugin, and how many calls it may run at once.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) most: usize,
}

/// What becomes of a wish at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entered {
    Runs,
    /// Under this number. `instead_of` waits no more.
    Waits {
        number: u64,
        instead_of: Option<u64>,
    },
    Full,
}

/// What stands in a wish's way.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    Free,
    Host,
    Caller,
    Plugin,
}

pub(super) struct Turns {
    most: usize,
    most_waiting: usize,
    running: usize,
    running_of: HashMap<String, usize>,
    running_in: HashMap<String, usize>,
    /// In the order of their turns. None is empty.
    lines: VecDeque<Line>,
    waiting: usize,
    next: u64,
}

struct Line {
    caller: String,
    waiting: VecDeque<(u64, Wish)>,
}

impl Turns {
    pub(super) fn new(most: usize, most_waiting: usize) -> Self {
        Self {
            most,
            most_waiting,
            running: 0,
            running_of: HashMap::new(),
            running_in: HashMap::new(),
            lines: VecDeque::new(),
            waiting: 0,
            next: 0,
        }
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    pub(super) fn running_of(&self, caller: &str) -> usize {
        self.running_of.get(caller).copied().unwrap_or_default()
    }

    pub(super) fn running_in(&self, plugin: &str) -> usize {
        self.running_in.get(plugin).copied().unwrap_or_default()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// A call comes. Where nothing stands in its way, none of those that wait could run: they would.
    pub(super) fn enter(&mut self, wish: &Wish) -> Entered {
        if self.way(wish) == Way::Free {
            self.take(wish);
            return Entered::Runs;
        }
        let mut instead_of = None;
        if self.waiting >= self.most_waiting {
            let own = self.line(&wish.caller).map_or(0, |line| line.waiting.len());
            instead_of = self.make_room(own);
            if instead_of.is_none() {
                return Entered::Full;
            }
        }
        self.next += 1;
        self.waiting += 1;
        let waiting = (self.next, wish.clone());
        match self.lines.iter_mut().find(|line| line.caller == wish.caller) {
            Some(line) => line.waiting.push_back(waiting),
            None => self
                .lines
                .push_back(Line { caller: wish.caller.clone(), waiting: [waiting].into() }),
        }
        Entered::Waits { number: self.next, instead_of }
    }

    /// The next of those that wait, if there is a place for it. It has that from then on.
    pub(super) fn next(&mut self) -> Option<u64> {
        if self.running >= self.most {
            return None;
        }
        let found = self.lines.iter().enumerate().find_map(|(turn, line)| {
            let may = |(_, wish): &(u64, Wish)| self.way(wish) == Way::Free;
            Some((turn, line.waiting.iter().position(may)?))
        });
        let (turn, index) = found?;
        let mut line = self.lines.remove(turn)?;
        let (number, wish) = line.waiting.remove(index)?;
        if !line.waiting.is_empty() {
            self.lines.push_back(line);
        }
        self.waiting -= 1;
        self.take(&wish);
        Some(number)
    }

    /// A call has ended that had a place.
    pub(super) fn leave(&mut self, wish: &Wish) {
        self.running = self.running.saturating_sub(1);
        less(&mut self.running_of, &wish.caller);
        self.leave_plugin(wish);
    }

    /// A call waits for its client: it keeps its place, and its plugin may run another one.
    pub(super) fn leave_plugin(&mut self, wish: &Wish) {
        if let Some(plugin) = &wish.plugin {
            less(&mut self.running_in, &plugin.name);
        }
    }

    /// It goes on.
    pub(super) fn enter_plugin(&mut self, wish: &Wish) {
        if let Some(plugin) = &wish.plugin {
            more(&mut self.running_in, &plugin.name);
        }
    }

    /// One waits no more. Says whether it did.
    pub(super) fn give_up(&mut self, number: u64) -> bool {
        let before = self.waiting;
        for line in &mut self.lines {
            line.waiting.retain(|(it, _)| *it != number);
        }
        self.lines.retain(|line| !line.waiting.is_empty());
        self.waiting = self.lines.iter().map(|line| line.waiting.len()).sum();
        self.waiting < before
    }

    /// How many have their turn before this one, as far as nothing else stands in anybody's way.
    pub(super) fn before(&self, number: u64) -> Option<usize> {
        let found = self.lines.iter().enumerate().find_map(|(turn, line)| {
            Some((turn, line.waiting.iter().position(|(it, _)| *it == number)?))
        });
        let (turn, index) = found?;
        let others = self.lines.iter().enumerate().filter(|(other, _)| *other != turn);
        let turns = others.map(|(other, line)| {
            let rounds = if other < turn { index + 1 } else { index };
            line.waiting.len().min(rounds)
        });
        Some(index + turns.sum::<usize>())
    }

    pub(super) fn way(&self, wish: &Wish) -> Way {
        let plugin = wish.plugin.as_ref();
        if self.running >= self.most {
            Way::Host
        } else if self.running_of(&wish.caller) >= wish.most_of_caller {
            Way::Caller
        } else if plugin.is_some_and(|it| self.running_in(&it.name) >= it.most) {
            Way::Plugin
        } else {
            Way::Free
        }
    }

    /// Takes the last of the longest line away, if that has more than one of `own` would have.
    fn make_room(&mut self, own: usize) -> Option<u64> {
        let longest = self.lines.iter_mut().max_by_key(|line| line.waiting.len())?;
        if longest.waiting.len() <= own + 1 {
            return None;
        }
        let (number, _) = longest.waiting.pop_back()?;
        self.waiting -= 1;
        Some(number)
    }

    fn line(&self, caller: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.caller == caller)
    }

    fn take(&mut self, wish: &Wish) {
        self.running += 1;
        more(&mut self.running_of, &wish.caller);
        self.enter_plugin(wish);
    }
}

fn more(counts: &mut HashMap<String, usize>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else {
        counts.insert(name.to_owned(), 1);
    }
}

/// What is down to none is forgotten: there may be any number of names over time.
fn less(counts: &mut HashMap<String, usize>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(caller: &str) -> Wish {
        Wish { caller: caller.to_owned(), most_of_caller: usize::MAX, plugin: None }
    }

    fn wish_for(caller: &str, plugin: &str, most: usize) -> Wish {
        let plugin = Wanted { name: plugin.to_owned(), most };
        Wish { plugin: Some(plugin), ..wish(caller) }
    }

    #[track_caller]
    fn waits(turns: &mut Turns, wish: &Wish) -> u64 {
        match turns.enter(wish) {
            Entered::Waits { number, instead_of: None } => number,
            other => panic!("{other:?}"),
        }
    }

    /// One after another runs and ends.
    fn in_turn(turns: &mut Turns, last: Wish, names: &[(u64, &'static str)]) -> String {
        let mut order = Vec::new();
        let mut ends = last;
        loop {
            turns.leave(&ends);
            let Some(number) = turns.next() else { break };
            let name = names.iter().find(|(it, _)| *it == number).map_or("?", |(_, name)| *name);
            order.push(name);
            ends = wish(name.get(..1).unwrap_or_default());
        }
        assert_eq!((turns.running(), turns.waiting()), (0, 0));
        order.join(" ")
    }

    #[test]
    fn callers_take_turns_and_each_is_in_order() {
        let mut turns = Turns::new(1, 9);
        assert_eq!(turns.enter(&wish("a")), Entered::Runs);
        let names = ["a1", "a2", "a3", "b1", "b2", "c1"];
        let names: Vec<_> = names
            .iter()
            .map(|name| (waits(&mut turns, &wish(name.get(..1).unwrap_or_default())), *name))
            .collect();
        let before: Vec<_> = names.iter().filter_map(|(number, _)| turns.before(*number)).collect();
        assert_eq!(before, [0, 3, 5, 1, 4, 2]);
        assert_eq!(in_turn(&mut turns, wish("a"), &names), "a1 b1 c1 a2 b2 a3");
    }

    #[test]
    fn one_who_has_all_that_may_stands_in_nobody_s_way() {
        let mut turns = Turns::new(3, 9);
        let bounded = Wish { most_of_caller: 1, ..wish("a") };
        assert_eq!(turns.enter(&bounded), Entered::Runs);
        let second = waits(&mut turns, &bounded);
        assert_eq!(turns.way(&bounded), Way::Caller);
        assert_eq!(turns.enter(&wish("b")), Entered::Runs);
        assert_eq!(turns.next(), None);
        turns.leave(&bounded);
        assert_eq!(turns.next(), Some(second));
    }

    #[test]
    fn a_plugin_that_is_full_stands_in_no_other_one_s_way() {
        let mut turns = Turns::new(4, 9);
        let full = wish_for("a", "p", 1);
        assert_eq!(turns.enter(&full), Entered::Runs);
        let second = waits(&mut turns, &full);
        assert_eq!(turns.way(&full), Way::Plugin);
        assert_eq!(turns.enter(&wish_for("a", "q", 1)), Entered::Runs);
        assert_eq!(turns.next(), None);
        // While it asks its client, another one may run.
        turns.leave_plugin(&full);
        assert_eq!(turns.next(), Some(second));
        turns.enter_plugin(&full);
        assert_eq!((turns.running_in("p"), turns.running()), (2, 3));
    }

    #[test]
    fn who_waits_with_most_makes_room() {
        let mut turns = Turns::new(1, 3);
        turns.enter(&wish("noisy"));
        let noisy: Vec<_> = (0..3).map(|_| waits(&mut turns, &wish("noisy"))).collect();
        assert_eq!(turns.enter(&wish("noisy")), Entered::Full);
        let Entered::Waits { number, instead_of } = turns.enter(&wish("quiet")) else {
            panic!("there is room for who has nothing")
        };
        assert_eq!(instead_of, noisy.last().copied());
        // Two to one is as even as three places can be.
        assert_eq!(turns.enter(&wish("quiet")), Entered::Full);
        assert_eq!(turns.waiting(), 3);
        assert_eq!(turns.before(number), Some(1));
    }

    #[test]
    fn one_that_is_given_up_is_gone() {
        let mut turns = Turns::new(1, 3);
        turns.enter(&wish("a"));
        let (first, second) = (waits(&mut turns, &wish("a")), waits(&mut turns, &wish("b")));
        assert!(turns.give_up(first));
        assert!(!turns.give_up(first));
        turns.leave(&wish("a"));
        assert_eq!((turns.next(), turns.next()), (Some(second), None));
        assert!(!turns.give_up(second));
        assert_eq!(turns.running_of("a"), 0);
    }

    #[test]
    fn a_host_without_a_waiting_room_says_so_at_once() {
        let mut turns = Turns::new(1, 0);
        assert_eq!(turns.enter(&wish("a")), Entered::Runs);
        assert_eq!(turns.enter(&wish("b")), Entered::Full);
    }
}
