//! Many containers that come and go while the host is killed again and again: what is left of them.

use std::collections::HashMap;

use anyhow::Result;
use serde_json::{Value, json};

use super::desk::{Desk, Stock, folders_in, instance, labelled, parameters, text};
use crate::{api::Api, engine::IMAGE, serve::Server};

const CONTAINERS: usize = 100;
const AT_A_TIME: usize = 10;
const KILLS: usize = 5;

/// Containers without a record after a reconciliation; then volumes, networks and directories after all are killed.
pub(super) fn left(server: &Server, engine: &Api) -> Result<[f64; 4]> {
    let stock = Stock::of(engine)?;
    let mut done = 0;
    for round in 1..=KILLS {
        let mut desk = Desk::open(server, engine)?;
        // It is killed in the middle of what was begun.
        churn(&mut desk, &mut done, CONTAINERS * round / (KILLS + 1))?;
    }
    let mut desk = Desk::open(server, engine)?;
    let mut begun = churn(&mut desk, &mut done, CONTAINERS)?;
    while !begun.is_empty() {
        begun.remove(&desk.next()?.0);
    }
    desk.call("reconcile", &json!({}))?;
    let instance = instance(desk.server)?;
    let label = format!("windlass.instance={instance}");
    let listed = desk.call("list_containers", &json!({}))?["containers"].clone();
    let known: Vec<String> =
        listed.as_array().into_iter().flatten().map(|it| text(&it["id"])).collect::<Result<_>>()?;
    let unknown = |it: &&Value| !known.iter().any(|id| it["Labels"]["windlass.id"] == id.as_str());
    let there = labelled(engine, &label)?;
    let orphans = there.iter().filter(unknown).count();
    known.iter().try_for_each(|id| desk.kill(id))?;
    desk.call("garbage_collect", &json!({}))?;
    let [volumes, networks] = stock.added(engine)?;
    let state = server.state()?;
    let folders = ["workspaces", "workspaces/.staging", "containers"];
    let folders = folders.map(|name| folders_in(&state.join(name)));
    let remaining = labelled(engine, &label)?.len();
    let counts = [orphans + remaining, volumes, networks, folders.iter().sum::<usize>()];
    Ok(counts.map(|count| count as f64))
}

/// Spawns and kills, so many at a time, until so many are done in all. Gives the calls that are not answered: whether
/// they spawn.
fn churn(desk: &mut Desk, done: &mut usize, until: usize) -> Result<HashMap<usize, bool>> {
    let mut calls = HashMap::new();
    while *done < until {
        while calls.len() < AT_A_TIME {
            let spawn = parameters("spawn", &json!({"image": IMAGE}));
            calls.insert(desk.line.begin("tools/call", &spawn)?, true);
        }
        let (id, answer) = desk.next()?;
        if calls.remove(&id) == Some(true) {
            let gone = json!({"container_id": answer["container_id"], "force": true, "remove_workspace": true});
            calls.insert(desk.line.begin("tools/call", &parameters("kill", &gone))?, false);
        } else {
            *done += 1;
        }
    }
    Ok(calls)
}
