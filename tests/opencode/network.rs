//! Nothing but the model's host can be reached from a session.

use std::fs;

use super::desk::{Desk, Wish};
use crate::support::llm::Llm;

#[test]
fn a_session_reaches_its_model_and_nothing_else() {
    // It is granted, and no model of the session's.
    let other = Llm::start();
    let wish = Wish { places: vec![other.place()], ..Wish::default() };
    let Some(mut desk) = Desk::with(&wish) else { return };
    let session = desk.session();
    let try_it = "import os, sys, urllib.request\n\
        for url in sys.argv[1:]:\n\
        \x20   try:\n\
        \x20       print(urllib.request.urlopen(url + '/models', timeout=100).status)\n\
        \x20   except Exception as error:\n\
        \x20       print(getattr(error, 'code', 'none'))\n";
    fs::write(desk.folder(&session).join("try.py"), try_it).unwrap();
    let urls = [desk.llm.url(), other.url(), "http://192.0.2.1/v1".to_owned()];
    let command = format!("python3 try.py {} > tried.txt", urls.join(" "));
    let task = format!("TOOL:bash:{}", serde_json::json!({"command": command}));
    assert_eq!(desk.ran(&session, &task)["state"], "completed");
    let tried = fs::read_to_string(desk.folder(&session).join("tried.txt")).unwrap();
    assert_eq!(tried, "200\n403\n403\n");
    assert!(other.authorizations().is_empty());
    assert_eq!(desk.containers()[0]["HostConfig"]["NetworkMode"], "none");
}
