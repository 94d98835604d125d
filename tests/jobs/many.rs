//! Many at once.

use serde_json::json;

use super::desk::Desk;

#[test]
fn a_thousand_are_submitted_at_once_and_all_are_done() {
    let mut desk = Desk::new();
    let arguments = json!({"plan": {"steps": [{"report": 1.0}]}});
    let calls: Vec<_> = (0..1000).map(|_| desk.begin("work_submit", arguments.clone())).collect();
    let mut refused = 0;
    let mut ids = Vec::new();
    for call in calls {
        let answer = desk.host().answer(call);
        if answer["result"]["isError"] == true {
            refused += 1;
        } else {
            ids.push(crate::support::text_of(&answer["result"]));
        }
    }
    assert!(
        ids.len() + refused == 1000 && !ids.is_empty(),
        "{} taken, {refused} refused",
        ids.len()
    );
    ids.iter().for_each(|id| assert_eq!(desk.ended(id)["state"], "State::Completed"));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len() + refused, 1000, "two jobs have one id");
}
