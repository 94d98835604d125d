//! The protocol itself: versions, eras, bad input, the end.

use serde_json::json;

use crate::support::{LEGACY, Setup};

#[test]
fn each_version_of_the_first_era_is_spoken() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", LEGACY] {
        let mut host = Setup::new().plugins(&["echo"]).start();
        let answer = host.initialize(version, &json!({}));
        assert_eq!(answer["result"]["protocolVersion"], version);
        assert_eq!(host.text("echo", json!({"message": "hi"})), r#"{"message":"hi"}"#);
    }
}

#[test]
fn the_second_era_needs_no_hello() {
    let mut host = Setup::new().plugins(&["echo"]).modern();
    let answer = host.request("server/discover", json!({}));
    assert!(answer["result"]["supportedVersions"].as_array().unwrap().contains(&"2026-07-28".into()));
    assert_eq!(host.call("echo", json!({"message": "hi"}))["resultType"], "complete");
}
