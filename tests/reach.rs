//! What a container reaches of all that its plugin is granted: only what it was made to reach.

use serde_json::{Value, json};

use crate::{
    rooms::{OWN, refused, rooms, told},
    support::{bench::Bench, engine::IMAGE, site::Site, until},
};

/// The rooms of a plugin that is granted this in its table `grants.containers`.
fn granted(containers: &str) -> Option<Bench> {
    rooms(&format!("workspaces = 'own'\n[plugins.one.grants.containers]\n{containers}"), OWN)
}

fn place(site: &Site) -> String {
    format!("host.docker.internal:{}", site.port())
}

/// Both sites, granted.
fn both(one: &Site, other: &Site) -> String {
    format!("egress = ['{}', '{}']", place(one), place(other))
}

fn make(bench: &mut Bench, reach: &[&str]) -> String {
    told(bench, "room_do", "make", json!({"image": IMAGE, "reach": reach}))
}

fn run(bench: &mut Bench, container: &str, script: &str) -> String {
    told(bench, "room_do", "run", json!({"name": container, "script": script}))
}

/// What the proxy answers to a request for this place, head and body.
fn ask(bench: &mut Bench, container: &str, place: &str) -> String {
    let request = format!("printf 'GET http://{place}/ HTTP/1.0\\r\\n\\r\\n'");
    run(bench, container, &format!("{request} | timeout 20 nc 127.0.0.1 3128 2>&1"))
}

/// One site is reached, and the other one is not, for this reason.
#[track_caller]
fn check(bench: &mut Bench, container: &str, one: &Site, other: &Site) {
    let (reached, refused) =
        (ask(bench, container, &place(one)), ask(bench, container, &place(other)));
    assert!(reached.ends_with("\r\n\r\none"), "{reached}");
    let why = format!(
        "not allowed: the `reach` that this container was made with has no `{}`: it has `{}`\n",
        place(other),
        place(one)
    );
    assert!(refused.starts_with("HTTP/1.1 403 ") && refused.ends_with(&why), "{refused}");
    assert_eq!(other.requests(), [""; 0]);
    assert!(bench.host().errors().contains(why.trim_end()), "{}", bench.host().errors());
}

#[test]
fn a_container_reaches_of_what_is_granted_only_what_it_was_made_to() {
    let (one, other) = (Site::saying("one"), Site::saying("other"));
    let Some(mut bench) = granted(&both(&one, &other)) else { return };
    let id = make(&mut bench, &[&place(&one)]);
    check(&mut bench, &id, &one, &other);
    // Who says nothing reaches both, as before.
    let wide = told(&mut bench, "room_do", "make", json!({"image": IMAGE}));
    assert!(ask(&mut bench, &wide, &place(&one)).ends_with("one"));
    assert!(ask(&mut bench, &wide, &place(&other)).ends_with("other"));
}

#[test]
fn what_it_reaches_is_found_again_after_a_kill_and_by_its_labels() {
    let (one, other) = (Site::saying("one"), Site::saying("other"));
    let Some(mut bench) = granted(&both(&one, &other)) else { return };
    let id = make(&mut bench, &[&place(&one)]);
    let labels = bench.inspect(&id)["Config"]["Labels"].clone();
    assert_eq!(labels["windlass.reach"], json!([place(&one)]).to_string(), "{labels}");
    bench.killed(|_| ());
    check(&mut bench, &id, &one, &other);
    told(&mut bench, "room_do", "stop", json!({"name": id}));
    check(&mut bench, &id, &one, &other);
    bench.ended(|bench| {
        let connection = rusqlite::Connection::open(bench.state().join("windlass.db")).unwrap();
        connection.execute("DELETE FROM records", []).unwrap();
    });
    bench.host().text("room_do", json!({"act": "reconcile"}));
    check(&mut bench, &id, &one, &other);
}

#[test]
fn it_grants_nothing_and_a_withdrawn_grant_counts() {
    let (one, other) = (Site::saying("one"), Site::saying("other"));
    let Some(mut bench) = granted(&format!("egress = ['{}']", place(&one))) else { return };
    let id = make(&mut bench, &[&place(&one), &place(&other)]);
    assert!(ask(&mut bench, &id, &place(&one)).ends_with("one"));
    let refused = ask(&mut bench, &id, &place(&other));
    let line =
        format!("not allowed: `plugins.one.grants.containers.egress` has no `{}`\n", place(&other));
    assert!(refused.starts_with("HTTP/1.1 403 ") && refused.ends_with(&line), "{refused}");
    assert_eq!(other.requests(), [""; 0]);
    let grant = format!(
        "workspaces = 'own'\n[plugins.one.grants.containers]\negress = ['{}']",
        place(&other)
    );
    bench.configure(&crate::rooms::configuration(&grant, OWN));
    until("the changed grant counts", || ask(&mut bench, &id, &place(&other)).ends_with("other"));
    let refused = ask(&mut bench, &id, &place(&one));
    assert!(refused.contains("egress` has no `"), "{refused}");
}

#[test]
fn an_empty_list_is_no_way_out_at_all() {
    let site = Site::saying("one");
    let forward = format!("forwards = {{ 11434 = '{}' }}", place(&site));
    let Some(mut bench) = granted(&format!("egress = ['{}']\n{forward}", place(&site))) else {
        return;
    };
    let id = make(&mut bench, &[]);
    let script = "env | grep -ic proxy; for port in 3128 11434; do nc -w 5 127.0.0.1 $port < /dev/null 2>&1 | grep -o refused; done";
    assert_eq!(run(&mut bench, &id, script), "0\nrefused\nrefused\n");
    assert_eq!(site.requests(), [""; 0]);
}

#[test]
fn a_forward_is_there_where_it_leads_to_what_is_reached() {
    let (one, other) = (Site::saying("one"), Site::saying("other"));
    let forwards = format!("forwards = {{ 8081 = '{}', 8082 = '{}' }}", place(&one), place(&other));
    let Some(mut bench) = granted(&forwards) else { return };
    let id = make(&mut bench, &[&place(&one)]);
    let get = |port| format!("wget -Y off -q -O - http://127.0.0.1:{port}/ 2>&1");
    assert_eq!(run(&mut bench, &id, &get(8081)), "one");
    assert!(run(&mut bench, &id, &get(8082)).contains("refused"));
    assert_eq!(other.requests(), [""; 0]);
}

#[test]
fn one_that_was_made_ahead_is_not_given_to_who_wants_less() {
    let (one, other) = (Site::saying("one"), Site::saying("other"));
    let warm = format!("{}\nwarm = {{ '{IMAGE}' = 1 }}", both(&one, &other));
    let Some(mut bench) = granted(&warm) else { return };
    bench.host().text("room_do", json!({"act": "containers"}));
    until("one is made ahead", || !bench.containers().is_empty());
    let id = make(&mut bench, &[&place(&one)]);
    check(&mut bench, &id, &one, &other);
}

#[test]
fn a_place_that_cannot_be_read_makes_no_container() {
    let Some(mut bench) = granted("egress = ['a.example']") else { return };
    let spec = |place: &str| -> Value { json!({"image": IMAGE, "reach": [place]}) };
    let why = refused(&mut bench, "room_do", "make", spec("https://a.example/v1"));
    assert_eq!(why, "INVALID: `https://a.example/v1` in `reach` has a scheme: write `host[:port]`");
    assert_eq!(bench.host().text("room_do", json!({"act": "containers"})), "");
}
