//! TLS: who is spoken to, who speaks, and certificates that change while the host runs.

use std::{fs, io::Write as _, net::TcpStream, os::unix::fs::PermissionsExt as _, sync::Arc};

use rustls::ClientConfig;
use serde_json::{Value, json};

use super::{ROLES, key};
use crate::support::{
    Setup,
    http::{ACCEPT, Answer, HttpHost, modern},
    tls::{Authority, Certificate, client_config, send, shown},
    until,
};

/// A host with a certificate, and who vouches for it.
fn host(more: &str, authority: &Authority) -> HttpHost {
    setup(more, &authority.server()).http()
}

fn setup(more: &str, certificate: &Certificate) -> Setup {
    let setup = Setup::new().plugins(&["echo", "noter"]);
    let (chain, key) = (setup.path("host.pem"), setup.path("host.key"));
    certificate.write(&chain, &key);
    // Both are found beside the configuration.
    let tls = "[http.tls]\ncertificate = 'host.pem'\nkey = 'host.key'\n";
    setup.config(&format!("{tls}{more}"))
}

/// The same, that takes only clients with a certificate of this authority.
fn mutual(authority: &Authority) -> HttpHost {
    let more = format!(
        "client_authority = 'clients.pem'\n{ROLES}[access.certificates]\nann = ['reader']\n'spiffe://example/bob' = ['admin']\n"
    );
    let setup = setup(&more, &authority.server());
    fs::write(setup.path("clients.pem"), authority.pem()).unwrap();
    setup.http()
}

fn call_as(
    host: &HttpHost,
    config: &Arc<ClientConfig>,
    method: &str,
    parameters: Value,
    headers: &[&str],
) -> Option<Answer> {
    let (message, own) = modern(method, parameters, &json!({}));
    let (address, body) = (&host.address, message.to_string());
    let mut request = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{ACCEPT}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let own = own.iter().map(String::as_str);
    for header in own.chain(headers.iter().copied()) {
        request += &format!("{header}\r\n");
    }
    send(address, config, &format!("{request}\r\n{body}"))
}

fn tools(host: &HttpHost, config: &Arc<ClientConfig>) -> String {
    let answer = call_as(host, config, "tools/list", json!({}), &[]).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.message()["result"]["tools"].to_string()
}

#[test]
fn a_client_speaks_tls_to_the_host_that_its_authority_vouches_for() {
    let authority = Authority::new("ours");
    let host = host("", &authority);
    assert!(host.errors().contains("listening on https://127.0.0.1:"), "{}", host.errors());
    let ours = client_config(&authority, None);
    let bearer = format!("Authorization: Bearer {}", host.token());
    let list = |headers: &[&str]| call_as(&host, &ours, "tools/list", json!({}), headers).unwrap();
    assert_eq!(list(&[&bearer]).status, 200);
    assert_eq!(list(&[]).status, 401);
    let own = format!("Origin: https://{}", host.address);
    assert_eq!(list(&[&bearer, &own]).status, 200);
    let plain = format!("Origin: http://{}", host.address);
    assert_eq!(list(&[&bearer, &plain]).status, 403);
    let theirs = client_config(&Authority::new("theirs"), None);
    assert!(call_as(&host, &theirs, "tools/list", json!({}), &[&bearer]).is_none());
}

#[test]
fn who_speaks_plain_http_to_it_gets_nothing() {
    let authority = Authority::new("ours");
    let host = host("", &authority);
    let answer = host.request("tools/list", json!({}));
    assert_eq!(answer.status, 0, "{answer:?}");
    let ours = client_config(&authority, None);
    assert!(shown(&host.address, &ours).is_some());
}

#[test]
fn who_says_nothing_holds_up_nobody_and_is_sent_away() {
    let authority = Authority::new("ours");
    let host = host("", &authority);
    let mut silent: Vec<_> = (0..8).map(|_| host.connect()).collect();
    // The beginning of a hello that does not go on.
    for stream in &mut silent {
        stream.write_all(&[0x16, 3, 1, 0, 200, 1]).unwrap();
    }
    assert!(shown(&host.address, &client_config(&authority, None)).is_some());
    for stream in &mut silent {
        assert_eq!(Answer::read(stream).status, 0);
    }
}

#[test]
fn a_client_with_a_certificate_that_is_named_needs_no_token() {
    let authority = Authority::new("ours");
    let host = mutual(&authority);
    let ann = client_config(&authority, Some(&authority.client("ann", &[])));
    let shown_to_ann = tools(&host, &ann);
    assert!(!shown_to_ann.contains("note_write"), "{shown_to_ann}");
    let bob = authority.client("x", &["spiffe://example/bob"]);
    let bob = client_config(&authority, Some(&bob));
    assert!(tools(&host, &bob).contains("note_write"));
    let note = json!({"name": "note_write", "arguments": {"id": "plan", "text": "his"}});
    let written = call_as(&host, &bob, "tools/call", note, &[]).unwrap();
    assert!(written.message()["result"]["isError"] == false, "{written:?}");
    let plan = json!({"uri": "note://plan"});
    let read = call_as(&host, &ann, "resources/read", plan, &[]).unwrap();
    assert!(read.message()["error"].is_object(), "ann reads what is bob's: {read:?}");
    // One whom nobody named needs a token, and who sends one is whose that is.
    let eve = client_config(&authority, Some(&authority.client("eve", &[])));
    assert_eq!(call_as(&host, &eve, "tools/list", json!({}), &[]).unwrap().status, 401);
    let token = format!("Authorization: Bearer {}", key(&host.setup, "eve", &["reader"]));
    assert_eq!(call_as(&host, &eve, "tools/list", json!({}), &[&token]).unwrap().status, 200);
    let wrong = "Authorization: Bearer wl_wrong";
    assert_eq!(call_as(&host, &ann, "tools/list", json!({}), &[wrong]).unwrap().status, 401);
}

#[test]
fn where_clients_need_a_certificate_no_other_will_do() {
    let (authority, other) = (Authority::new("ours"), Authority::new("ours"));
    let host = mutual(&authority);
    let token = format!("Authorization: Bearer {}", host.token());
    let expired = authority.expired_client("ann");
    let strange = other.client("ann", &[]);
    let server = authority.server();
    for own in [None, Some(&expired), Some(&strange)] {
        let config = client_config(&authority, own);
        let answer = call_as(&host, &config, "tools/list", json!({}), &[&token]);
        assert!(answer.is_none(), "{answer:?}");
    }
    // That of a server is none of a client, unless it says nothing of what it is for.
    let named = client_config(&authority, Some(&server));
    let answer = call_as(&host, &named, "tools/list", json!({}), &[]);
    assert!(answer.is_none_or(|it| it.status == 401));
}

#[test]
fn a_certificate_is_replaced_while_the_host_runs_and_a_bad_one_is_not_taken() {
    let authority = Authority::new("ours");
    let host = host("", &authority);
    let ours = client_config(&authority, None);
    let first = shown(&host.address, &ours).unwrap();
    let (chain, key) = (host.setup.path("host.pem"), host.setup.path("host.key"));
    fs::write(&chain, "no certificate").unwrap();
    until("the bad one is told", || {
        assert_eq!(shown(&host.address, &ours).unwrap(), first);
        host.errors().contains("holds no certificate as PEM; what was there before stays")
    });
    // One without its key is none either.
    let second = authority.server();
    fs::write(&chain, &second.certificate).unwrap();
    until("the one without its key is told", || {
        assert_eq!(shown(&host.address, &ours).unwrap(), first);
        host.errors().matches("what was there before stays").count() == 2
    });
    second.write(&chain, &key);
    until("the other one counts", || shown(&host.address, &ours).unwrap() != first);
}

#[test]
fn a_key_that_others_can_read_stops_the_start() {
    let setup = setup("", &Authority::new("ours").server());
    let key = setup.path("host.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let ended = setup.ended(&["serve", "--http"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("others can read the private key"), "{ended:?}");
    assert!(ended.stderr.contains("chmod 600"), "{ended:?}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "no key").unwrap();
    let ended = setup.ended(&["serve", "--http"]);
    assert!(ended.stderr.contains("holds no private key as PEM"), "{ended:?}");
    fs::remove_file(&key).unwrap();
    let ended = setup.ended(&["serve", "--http"]);
    assert!(ended.stderr.contains("cannot read"), "{ended:?}");
}

#[test]
fn what_is_no_tls_at_all_ends_a_connection_and_nothing_else() {
    let authority = Authority::new("ours");
    let host = host("", &authority);
    for bytes in [&b"\0\0\0\0"[..], &[0xff; 4096], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(&host.address).unwrap();
        // It may be closed before all is written.
        let _ = stream.write_all(bytes);
        assert_eq!(Answer::read(&mut stream).status, 0);
    }
    assert!(shown(&host.address, &client_config(&authority, None)).is_some());
}
