//! `cargo xtask peers`: the host against programs that others wrote for the protocol.
//!
//! Each peer has a file; each installs itself once into `target/peers`, or is skipped with the reason.

mod client;
mod conformance;
mod fuzzer;
mod inspector;
mod node;
mod prism;

use std::{path::Path, process::ExitCode};

use anyhow::Result;

pub(crate) use prism::Prism;

use crate::{
    host, plugins,
    report::{Outcome, Report},
};

type Peer = (&'static str, fn(&Path) -> Result<Outcome>);

const PEERS: [Peer; 6] = [
    ("conformance 0.1.16", conformance::active),
    ("conformance 2025-11-25", conformance::sessions),
    ("conformance 2026-07-28", conformance::stateless),
    ("inspector", inspector::inspect),
    ("python client", client::call),
    ("fuzzer", fuzzer::fuzz),
];

pub(crate) fn peers(only: Option<&str>) -> Result<ExitCode> {
    plugins::build_with_fixtures()?;
    let windlass = host::build_alone(host::DEBUG)?;
    let mut report = Report::default();
    run(&mut report, &windlass, only);
    Ok(report.finish())
}

/// Runs the peers whose name contains `only`, against a host that is built.
pub(crate) fn run(report: &mut Report, windlass: &Path, only: Option<&str>) {
    for (name, peer) in PEERS {
        if only.is_none_or(|only| name.contains(only)) {
            report.step(name, || peer(windlass));
        }
    }
}
