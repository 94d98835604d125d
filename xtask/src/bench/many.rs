//! `cargo xtask bench many`: what it costs to know who calls, to say whether they may, and to keep the record; and a record of ten
//! million rows.

use std::{
    path::Path,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    figures::{each, middles, quantile},
    table::{Figure, Must, Table},
    web::Web,
};
use crate::{command, host, plugins, serve::Server};

const FIXTURES: [&str; 2] = ["echo", "noter"];
const ARGUMENTS: &str = r#"{"message":"hello"}"#;
/// Whoever calls here may do two things, and one of them not always.
const GUARDED: &str = "
[access.roles.caller]
allow = [{ plugins = ['noter'], read_only = true }, 'echo']
deny = [{ tools = ['echo'], arguments = { message = '*secret*' } }]
";
const BARE: &str = "[audit]\nenabled = false\n";

const WARM_UP: usize = 500;
const CALLS: usize = 5_000;

/// So many callers, each with so many calls a second, for so long.
const CALLERS: usize = 200;
const EACH: Duration = Duration::from_millis(100);
const LASTING: Duration = Duration::from_secs(10);

const ROWS: u64 = 10_000_000;

pub(super) fn bench(runs: usize) -> Result<ExitCode> {
    plugins::build_with_fixtures()?;
    let windlass = host::build_alone(host::RELEASE)?;
    let mut table = Table::begin("without it");
    let both = middles((0..runs).map(|_| beside_bare(&windlass)).collect());
    let [guarded, bare] = both;
    let p50 = Figure::told("tools/call, HTTP, p50", "µs", guarded);
    table.push(&p50.beside(bare));
    let added =
        Figure::new("who, whether and the record add", Must::AtMost(60.0, "µs"), guarded - bare);
    table.push(&added);
    let p99 = each(runs.min(3), || crowd(&windlass));
    table.push(&Figure::new("200 callers, 10 calls/s each: p99", Must::AtMost(50.0, "ms"), p99));
    record(&mut table, &windlass)?;
    Ok(table.finish())
}

/// Calls in turns of a host that asks and records, and of one that does neither: both p50 in microseconds.
fn beside_bare(windlass: &Path) -> Result<[f64; 2]> {
    let guarded = Server::configured(windlass, &FIXTURES, GUARDED)?.asking();
    let bare = Server::configured(windlass, &FIXTURES, BARE)?;
    let key = token(&guarded, "bench")?;
    let (guarded, bare) = (guarded.listen()?, bare.listen()?);
    let mut both =
        [Web::connect(guarded.authority())?.with_token(&key), Web::connect(bare.authority())?];
    let mut took = [Vec::new(), Vec::new()];
    for number in 0..WARM_UP + CALLS {
        for (web, took) in both.iter_mut().zip(&mut took) {
            let start = Instant::now();
            call(web)?;
            if number >= WARM_UP {
                took.push(start.elapsed().as_secs_f64() * 1e6);
            }
        }
    }
    Ok(took.map(|took| quantile(0.5, took)))
}

fn call(web: &mut Web) -> Result<()> {
    let answer = web.call("echo", ARGUMENTS)?;
    ensure!(answer.contains("hello"), "a call failed: {answer}");
    Ok(())
}

/// p99 in milliseconds, counted from when a call was due: who has to wait to send it waits too.
fn crowd(windlass: &Path) -> Result<f64> {
    let server = Server::configured(windlass, &FIXTURES, GUARDED)?.asking();
    let keys: Vec<_> = (0..CALLERS)
        .map(|number| token(&server, &format!("caller-{number}")))
        .collect::<Result<_>>()?;
    let listening = server.listen()?;
    let callers = keys.iter().enumerate().map(|(number, key)| {
        let web = Web::connect(listening.authority())?.with_token(key);
        // Nobody's clock is another's.
        let first = EACH.mul_f64(number as f64 / CALLERS as f64);
        Ok(thread::spawn(move || caller(web, first)))
    });
    let callers: Vec<_> = callers.collect::<Result<_>>()?;
    let mut took = Vec::new();
    for caller in callers {
        took.extend(caller.join().map_err(|_| anyhow::anyhow!("a caller panicked"))??);
    }
    Ok(quantile(0.99, took))
}

fn caller(mut web: Web, first: Duration) -> Result<Vec<f64>> {
    let (begun, mut due, mut took) = (Instant::now(), first, Vec::new());
    while due < LASTING {
        thread::sleep(due.saturating_sub(begun.elapsed()));
        call(&mut web)?;
        took.push((begun.elapsed() - due).as_secs_f64() * 1e3);
        due += EACH;
    }
    Ok(took)
}

/// Makes a token, as an operator does.
fn token(server: &Server, name: &str) -> Result<String> {
    let words = ["token", "new", name, "--role", "caller", "--json"];
    let made = server.command(&words).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout)?;
    Ok(made["token"].as_str().context("no token was made")?.to_owned())
}

/// A record of ten million rows, written as a host writes it, and read by the command line.
fn record(table: &mut Table, windlass: &Path) -> Result<()> {
    let server = Server::configured(windlass, &[], "")?;
    let state = server.state()?;
    std::fs::create_dir_all(&state)?;
    let start = Instant::now();
    let rows = ROWS.to_string();
    let mut fill = command::cargo();
    fill.args(["run", "--release", "--quiet", "-p", "windlass", "--example", "record"]);
    let fill = host::with_bundle(&mut fill, host::RELEASE)?;
    command::succeed(fill.arg("--").arg(&state).arg(&rows))?;
    let written = ROWS as f64 / start.elapsed().as_secs_f64();
    table.push(&Figure::told("10,000,000 rows: written", "/s", written));
    let filters: [(&'static str, &[&str]); 4] = [
        ("10,000,000 rows: latest 100", &[]),
        (
            "… of a caller, a tool and an outcome",
            &["--username", "caller-7", "--tool", "tool-3", "--status", "error"],
        ),
        ("… that is rare", &["--username", "rare"]),
        ("… of a caller, long ago", &["--username", "caller-7", "--before", "1000000"]),
    ];
    for (name, words) in filters {
        let took = each(5, || listed(&server, words));
        table.push(&Figure::new(name, Must::AtMost(100.0, "ms"), took));
    }
    let start = Instant::now();
    let verified = server.command(&["audit", "verify"]).output()?;
    ensure!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let rate = ROWS as f64 / start.elapsed().as_secs_f64();
    table.push(&Figure::new("… verified", Must::AtLeast(200_000.0, "/s"), rate));
    Ok(())
}

/// One list with filters, from the start of the process to its end, in milliseconds.
fn listed(server: &Server, words: &[&str]) -> Result<f64> {
    let start = Instant::now();
    let listed = server.command(&[&["audit", "list", "--json"], words].concat()).output()?;
    let took = start.elapsed().as_secs_f64() * 1e3;
    let rows: Vec<Value> = serde_json::from_slice(&listed.stdout)?;
    ensure!(!rows.is_empty(), "nothing was found");
    Ok(took)
}
