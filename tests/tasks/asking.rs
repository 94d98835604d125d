//! What a task asks: each question once, under a key of its own, answered in any order.

use serde_json::{Value, json};

use super::{begin, get, task_with, with_tasks, worker};
use crate::support::Host;

/// The keys of what a task asks.
fn keys(task: &Value) -> Vec<String> {
    task["inputRequests"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

/// Answers some of what a task asks, and says how it is then.
fn answer(host: &mut Host, id: &str, responses: &Value) -> Value {
    let parameters = json!({"taskId": id, "inputResponses": responses});
    let ack = host.request("tasks/update", parameters);
    assert_eq!(ack["result"]["resultType"], "complete", "{ack}");
    get(host, id)
}

fn given(value: &str) -> Value {
    json!({"action": "accept", "content": {"value": value}})
}

#[test]
fn questions_are_answered_one_by_one() {
    let mut host = with_tasks(worker());
    let id = begin(&mut host, &json!([{"ask": ["name", "place"]}]));
    let asking = task_with(&mut host, &id, "input_required");
    let request = &asking["inputRequests"]["1-name"];
    assert_eq!(request["method"], "elicitation/create", "{asking}");
    assert_eq!(request["params"]["message"], "name?", "{asking}");
    assert_eq!(keys(&asking), ["1-name", "1-place"]);

    let half = answer(&mut host, &id, &json!({"1-place": given("here")}));
    assert_eq!(
        (&half["status"], keys(&half)),
        (&json!("input_required"), vec!["1-name".to_owned()])
    );
    answer(&mut host, &id, &json!({"1-place": given("there"), "1-name": given("Ann")}));
    let done = task_with(&mut host, &id, "completed")["result"]["structuredContent"].clone();
    assert_eq!(done["place"], json!({"value": "here"}), "an answer counts once");
    assert_eq!(done["name"], json!({"value": "Ann"}));
}

#[test]
fn what_is_not_asked_or_does_not_fit_changes_nothing() {
    let mut host = with_tasks(worker());
    let id = begin(&mut host, &json!([{"ask": ["name"]}]));
    task_with(&mut host, &id, "input_required");
    let unfit = [
        json!({}),
        json!({"name": given("x"), "2-name": given("x"), "1-place": given("x")}),
        json!({"1-name": {"action": "accept", "content": {"value": 7}}}),
        json!({"1-name": {"action": "perhaps"}}),
        json!({"1-name": "x"}),
    ];
    for responses in unfit {
        let task = answer(&mut host, &id, &responses);
        assert_eq!(
            (&task["status"], keys(&task)),
            (&json!("input_required"), vec!["1-name".to_owned()])
        );
    }
}

#[test]
fn a_no_is_an_answer() {
    let mut host = with_tasks(worker());
    let id = begin(&mut host, &json!([{"ask": ["name"]}]));
    task_with(&mut host, &id, "input_required");
    answer(&mut host, &id, &json!({"1-name": {"action": "decline"}}));
    let done = task_with(&mut host, &id, "completed");
    assert_eq!(done["result"]["structuredContent"]["error"], "no answer to `name`", "{done}");
}

#[test]
fn a_later_round_has_other_keys_and_takes_no_earlier_answers() {
    let mut host = with_tasks(worker());
    // The fixture asks what it has no answer to, so each step is a round.
    let id = begin(&mut host, &json!([{"ask": ["name"]}, {"ask": ["place"]}]));
    task_with(&mut host, &id, "input_required");
    answer(&mut host, &id, &json!({"1-name": given("Ann")}));
    let mut second = get(&mut host, &id);
    while keys(&second).is_empty() {
        second = get(&mut host, &id);
    }
    assert_eq!(keys(&second), ["2-place"], "{second}");
    let task = answer(&mut host, &id, &json!({"1-place": given("x"), "1-name": given("x")}));
    assert_eq!(keys(&task), ["2-place"]);
    assert_eq!(
        host.request("tasks/cancel", json!({"taskId": id}))["result"]["resultType"],
        "complete"
    );
    let task = answer(&mut host, &id, &json!({"2-place": given("x")}));
    assert_eq!(task["status"], "cancelled", "{task}");
}
