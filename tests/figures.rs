//! Watching over the host: its figures, whether all is well, its traces and its log.

mod pages;
mod tools;
mod traces;
mod logs;
mod prometheus;

use std::collections::BTreeMap;

use crate::support::{
    Setup,
    client::{Client, Reply},
};

/// An address of its own for the figures, on a port that is free.
const LOOKOUT: &str = "[metrics]\nlisten = '127.0.0.1:0'\n";

/// Where the host says that its figures are.
fn lookout(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("figures on ")?;
    Some(rest.split_once("/metrics\n")?.0.to_owned())
}

fn get(origin: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    Client::of(origin).ask("GET", path, headers, &serde_json::Value::Null).unwrap()
}

fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.clone()).unwrap()
}

/// Each line's value, by name and labels.
fn values(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let pair = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.map(pair).collect()
}

/// The names of all figures, in order.
fn names(page: &str) -> Vec<String> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

fn echo() -> Setup {
    Setup::new().plugins(&["echo"])
}
