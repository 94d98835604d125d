//! The door to the engine, against the real engines: Docker and Podman.
//!
//! A test that finds no engine prints `SKIPPED: why` and passes.

#![allow(clippy::print_stdout, reason = "a skipped test says so")]
#![allow(clippy::unwrap_used, reason = "a test says no by panicking")]
#![allow(unreachable_pub, reason = "nobody else can see a test")]

mod bench;
mod engines;
mod proxy;
mod registry;
mod profile;
mod life;
mod commands;
mod away;
mod images;
