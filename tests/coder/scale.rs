//! Thousands of agents and a million lines: page by page, and with little memory.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::coder;
use crate::support::coder::{BUSY, Generation};

#[test]
fn a_large_fleet_comes_page_by_page() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    coder.fleet(5_000);
    let mut host = coder.setup().modern();
    let (mut ids, mut cursor, mut pages) = (BTreeSet::new(), Value::Null, 0);
    loop {
        let page = host.call("list_all_agents", json!({"limit": 1000, "cursor": cursor}));
        let page = &page["structuredContent"];
        assert_eq!(page["total"], 5_000, "{page}");
        let agents = page["result"].as_array().unwrap();
        ids.extend(agents.iter().map(|agent| agent["id"].as_str().unwrap().to_owned()));
        pages += 1;
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!((ids.len(), pages), (5_000, 5));
    let usual = host.call("list_all_agents", json!({}))["structuredContent"].clone();
    assert_eq!(
        (usual["result"].as_array().unwrap().len(), &usual["next_cursor"]),
        (100, &json!("100"))
    );
    let busy = host.call("list_all_agents", json!({"status": "busy", "user": "bob"}));
    assert_eq!(
        busy["structuredContent"]["total"], 500,
        "two of ten are at work, and half are bob's"
    );
    let fleet = host.call("get_fleet_status_metrics", json!({}))["structuredContent"].clone();
    assert_eq!((&fleet["total_agents"], &fleet["agents_busy"]), (&json!(5_000), &json!(1_000)));
    assert_eq!(fleet["fleet_utilization"], 0.2);
}

#[test]
fn workspaces_are_asked_for_page_by_page_too() {
    let Some(coder) = coder(Generation::Floor) else { return };
    coder.fleet(1_050);
    let mut host = coder.setup().modern();
    let last = host.call("list_all_agents", json!({"limit": 1000, "cursor": "1000"}));
    let last = &last["structuredContent"];
    assert_eq!((&last["total"], last["result"].as_array().unwrap().len()), (&json!(1_050), 50));
    let metrics = host.call("get_fleet_status_metrics", json!({}));
    assert_eq!(metrics["structuredContent"]["total_agents"], 1_050);
}

#[test]
fn a_coder_that_gives_smaller_pages_is_asked_for_all_of_them() {
    for generation in [Generation::Floor, Generation::Chats] {
        let Some(coder) = coder(generation) else { return };
        coder.fleet(130);
        let mut host = coder.setup().modern();
        let mut total =
            || host.call("list_all_agents", json!({}))["structuredContent"]["total"].clone();
        let all = total();
        assert!(all.as_u64().unwrap() >= 50, "{all}");
        coder.most_on_page(30);
        assert_eq!(total(), all);
    }
}

#[test]
fn a_log_of_a_million_lines_comes_page_by_page() {
    let Some(coder) = coder(Generation::Tasks) else { return };
    coder.many_logs(BUSY, 1_000_000);
    let mut host = coder.setup().modern();
    let mut page = |more: Value| {
        let mut arguments = json!({"user": "ann", "agent_id": BUSY, "limit": 2});
        more.as_object()
            .into_iter()
            .flatten()
            .for_each(|(name, value)| arguments[name] = value.clone());
        let page = host.call("get_agent_execution_logs", arguments)["structuredContent"].clone();
        assert_eq!(page["success"], true, "{page}");
        let ids = page["data"].as_array().unwrap().iter().map(|it| it["metadata"]["id"].clone());
        (ids.collect::<Vec<_>>(), page["next_before"].clone())
    };
    let (newest, next) = page(json!({}));
    assert_eq!((&newest, &next), (&vec![json!(999_998), json!(999_999)], &json!(999_998)));
    let (older, _) = page(json!({"before": next}));
    assert_eq!(older, [json!(999_996), json!(999_997)]);
}
