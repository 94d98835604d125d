//! The ways into a container and out of it.

use std::os::unix::fs::PermissionsExt as _;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use windlass_supervisor::protocol::{Hello, Order};

use super::played::{LONG, State};
use crate::{config::EgressGrant, policy::Reach};

fn grant(to: &str, private: bool) -> EgressGrant {
    EgressGrant { to: to.to_owned(), private }
}

/// A server that answers whatever it is asked with `pong`, and gives what it was asked.
async fn server() -> (u16, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, asked) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 4096];
            let read = stream.read(&mut bytes).await.unwrap();
            let _ = sender.send(String::from_utf8_lossy(&bytes[..read]).into_owned());
            stream.write_all(b"pong").await.unwrap();
        }
    });
    (port, asked)
}

async fn ask(state: &State, port: u16, request: &str) -> String {
    let mut line = state.dial(&Hello::Egress { port }).await;
    let _ = line.0.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(LONG, line.0.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_program_gets_where_the_grants_lead_and_nowhere_else() {
    let state = State::new();
    let (inside, mut control) = state.furnished().await;
    let (port, mut asked) = server().await;
    let get = format!("GET http://127.0.0.1:{port}/x HTTP/1.1\r\nhost: evil\r\n\r\n");
    let refused = ask(&state, 3128, &get).await;
    let sentence = format!(
        "not allowed: `plugins.coder.grants.containers.egress` has no `127.0.0.1:{port}`\n"
    );
    assert!(refused.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{refused}");
    assert!(refused.ends_with(&sentence), "{refused}");

    state.grant.lock().unwrap().egress = vec![
        grant(&format!("127.0.0.1:{port}"), true),
        grant(&format!("localhost:{port}"), false),
        grant(&format!("host.docker.internal:{port}"), false),
    ];
    inside.refresh("coder");
    assert_eq!(control.order().await, Order::Listen { ports: vec![3128] });
    assert_eq!(ask(&state, 3128, &get).await, "pong");
    let passed_on = asked.recv().await.unwrap();
    let expected =
        format!("GET /x HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
    assert_eq!(passed_on, expected);
    let tunnel = format!("CONNECT host.docker.internal:{port} HTTP/1.1\r\n\r\nping");
    let answer = ask(&state, 3128, &tunnel).await;
    assert_eq!(answer, "HTTP/1.1 200 Connection established\r\n\r\npong");
    assert_eq!(asked.recv().await.unwrap(), "ping");
    let refused = ask(&state, 3128, &tunnel.replace("host.docker.internal", "localhost")).await;
    assert!(refused.contains("403") && refused.contains("is a private address"), "{refused}");
    state.grant.lock().unwrap().egress.push(grant(&format!("localhost:{port}"), true));
    let answer = ask(&state, 3128, &tunnel.replace("host.docker.internal", "localhost")).await;
    assert_eq!(answer, "HTTP/1.1 200 Connection established\r\n\r\npong");
    let refused = ask(&state, 3128, "GET / HTTP/1.1\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{refused}");

    state.grant.lock().unwrap().egress.clear();
    assert!(ask(&state, 3128, &tunnel).await.starts_with("HTTP/1.1 403"));
}

#[tokio::test]
async fn what_is_not_there_is_a_bad_gateway() {
    let state = State::new();
    state.grant.lock().unwrap().egress = vec![grant("127.0.0.1:*", true), grant("*:*", false)];
    let (_inside, _control) = state.furnished().await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let answer = ask(&state, 3128, &format!("CONNECT 127.0.0.1:{free} HTTP/1.1\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{answer}");
    let answer = ask(&state, 3128, "CONNECT nowhere.invalid:80 HTTP/1.1\r\n\r\n").await;
    assert!(answer.contains("`nowhere.invalid:80` cannot be found"), "{answer}");
}

#[tokio::test]
async fn a_forward_leads_to_its_place_alone() {
    let state = State::new();
    let (port, mut asked) = server().await;
    let to = grant(&format!("host.docker.internal:{port}"), false);
    state.grant.lock().unwrap().forwards.insert("11434".to_owned(), to);
    let (inside, mut control) = state.furnished().await;
    inside.refresh("coder");
    assert_eq!(control.order().await, Order::Listen { ports: vec![11434] });
    assert_eq!(ask(&state, 11434, "ping").await, "pong");
    assert_eq!(asked.recv().await.unwrap(), "ping");
    assert_eq!(ask(&state, 5, "ping").await, "");
    // The same container, offline.
    inside.prepare("coder", "c_1", Reach::Offline).await.unwrap();
    assert_eq!(control.order().await, Order::Listen { ports: vec![] });
    assert_eq!(ask(&state, 11434, "ping").await, "");
}

#[tokio::test]
async fn the_host_reaches_a_port_inside() {
    let state = State::new();
    let (inside, mut control) = state.furnished().await;
    let host = inside.clone();
    let dialling = tokio::spawn(async move { host.connect("c_1", 3000).await });
    let Order::Dial { ticket, port: 3000 } = control.order().await else { panic!() };
    let mut line = state.dial(&Hello::Ingress { ticket, error: None }).await;
    let mut tunnel = dialling.await.unwrap().unwrap();
    tunnel.write_all(b"ping").await.unwrap();
    tunnel.shutdown().await.unwrap();
    let mut heard = String::new();
    line.0.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "ping");
    line.0.write_all(b"pong").await.unwrap();
    drop(line);
    heard.clear();
    tunnel.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "pong");

    let host = inside.clone();
    let dialling = tokio::spawn(async move { host.connect("c_1", 3001).await });
    let Order::Dial { ticket, .. } = control.order().await else { panic!() };
    let error = Some("connection refused".to_owned());
    state.dial(&Hello::Ingress { ticket: ticket + 9, error: None }).await.closed().await;
    state.dial(&Hello::Ingress { ticket, error }).await.closed().await;
    let refused = format!("{:?}", dialling.await.unwrap().map(drop).unwrap_err());
    assert!(refused.contains("nothing answers on port 3001 of `c_1`"), "{refused}");
}

#[tokio::test]
async fn a_folder_holds_the_supervisor_and_the_socket() {
    let state = State::new();
    let inside = state.inside();
    let folder = inside.prepare("coder", "c_1", Reach::Granted).await.unwrap();
    assert_eq!(inside.prepare("coder", "c_1", Reach::Granted).await.unwrap(), folder);
    inside.prepare("coder", "c_2", Reach::Granted).await.unwrap();
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let parent = state.path("containers");
    let modes = [
        mode(parent),
        mode(folder.clone()),
        mode(folder.join("supervisor")),
        mode(folder.join("host")),
    ];
    assert_eq!(modes, [0o700, 0o755, 0o755, 0o666]);
    assert_eq!(std::fs::read(folder.join("supervisor")).unwrap(), b"a program");
    drop(inside);
    // The next host binds anew, in the same place.
    let inside = state.inside();
    state.greet(&inside, &[]).await;
}
