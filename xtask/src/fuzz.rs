//! `cargo xtask fuzz`: damaged Compose files, as many as you have time for.

use anyhow::Result;

use crate::command;

/// Tries so many files, each damaged in a way of its own. What fails names its seed, from which it is found again.
pub(crate) fn fuzz(count: u64, seed: u64) -> Result<()> {
    let mut cargo = command::cargo();
    cargo.args([
        "test",
        "--package",
        "docker",
        "--release",
        "--lib",
        "damaged",
        "--",
        "--nocapture",
    ]);
    cargo.env("WINDLASS_MUTATIONS", count.to_string()).env("WINDLASS_SEED", seed.to_string());
    command::succeed(&mut cargo)
}
