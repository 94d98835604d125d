//! What is recorded of who came in, and of who did not.

use serde_json::{Value, json};

use super::{call, key};
use crate::support::{Setup, http::HttpHost, until};

/// What is recorded of this kind, the latest last.
fn rows(host: &HttpHost) -> Vec<Value> {
    let listed = host.setup.run(&["audit", "list", "--type", "authentication", "--json"]);
    // Before anything is recorded there is no record.
    let mut rows: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap_or_default();
    rows.reverse();
    rows
}

#[test]
fn each_failure_is_recorded_until_nothing_more_is_looked_at() {
    let mut host = Setup::new().plugins(&["echo"]).http();
    let wrong = "wl_wrong";
    host.speak_as(wrong);
    for _ in 0..30 {
        host.request("tools/list", json!({}));
    }
    until("all is recorded", || rows(&host).len() >= 20);
    let rows = rows(&host);
    assert_eq!(rows.len(), 20, "{rows:?}");
    for row in &rows {
        assert_eq!((&row["status"], &row["client"]), (&json!("error"), &json!("127.0.0.1")));
        assert!(!row.to_string().contains(wrong), "{row}");
    }
    let last = rows.last().unwrap()["error"].as_str().unwrap();
    assert!(last.contains("the next are not looked at"), "{last}");
}

#[test]
fn who_gets_a_token_of_an_hour_is_recorded_and_neither_secret_nor_token_is() {
    let setup = Setup::new().plugins(&["echo"]).config("[access]\nauthenticate = true\n");
    let mut host = setup.http();
    let secret = key(&host.setup, "ann", &["admin"]);
    host.speak_as(&secret);
    for api_key in [&secret, "wl_wrong"] {
        let arguments = json!({"username": "ann", "api_key": api_key});
        call(&host, "authenticate", &arguments);
    }
    until("both are recorded", || rows(&host).len() >= 2);
    let told: Vec<_> = rows(&host)
        .iter()
        .map(|row| (row["username"].as_str().unwrap_or_default().to_owned(), row["status"].clone()))
        .collect();
    assert_eq!(told, [("ann".to_owned(), json!("success")), (String::new(), json!("error"))]);
    let all = host.setup.run(&["audit", "list", "--json"]);
    let all = String::from_utf8_lossy(&all.stdout).into_owned();
    assert!(!all.contains(&secret) && !all.contains("api_key"), "{all}");
}
