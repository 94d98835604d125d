//! A plugin that crashes again and again is taken out of service for a while.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

#[derive(Default)]
pub(super) struct Quarantine(Mutex<State>);

#[derive(Default)]
struct State {
    crashes_in_a_row: u32,
    until: Option<Instant>,
}

impl Quarantine {
    /// How long the plugin stays out of service, if it is.
    pub(super) fn remaining(&self) -> Option<Duration> {
        let until = self.lock().until?;
        let remaining = until.saturating_duration_since(Instant::now());
        (!remaining.is_zero()).then_some(remaining)
    }

    pub(super) fn forget_crashes(&self) {
        let mut state = self.lock();
        if state.crashes_in_a_row > 0 {
            *state = State::default();
        }
    }

    /// Counts a crash, and says whether it was the one that takes the plugin out of service.
    /// Back in service, the next crash does so again.
    pub(super) fn count_crash(&self, most: u32, length: Duration) -> bool {
        let mut state = self.lock();
        state.crashes_in_a_row = state.crashes_in_a_row.saturating_add(1);
        let out = most > 0 && state.crashes_in_a_row >= most;
        if out {
            state.until = Some(Instant::now() + length);
        }
        out
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
