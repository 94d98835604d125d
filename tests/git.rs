//! The plugin `git` on a real engine: what it does, what the OpenHands server promised of its git tool, and what was tried
//! against it. An attack counts only where plain git falls for it: that is tried as well, beside it.

mod desk;
mod line;
mod tools;
mod branches;
mod exchange;
mod local;
mod worktrees;
mod attacks;
mod disguises;
mod credentials;
mod races;
