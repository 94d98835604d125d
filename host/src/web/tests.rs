//! The door against a server that answers with whatever bytes the test wants.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

use super::{body::LARGEST_ANSWER, *};
use crate::{
    config::{Grants, HttpGrant},
    policy::Policy,
    secrets::Reference,
};

const DONE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// Takes one request, sends the answer, and gives the request's head.
async fn serve(answer: Vec<u8>) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            assert_ne!(connection.read_buf(&mut request).await.unwrap(), 0, "{request:?}");
        }
        // Who has read enough hangs up.
        let _ = connection.write_all(&answer).await;
        String::from_utf8(request).unwrap()
    });
    (address, served)
}

/// A plugin with the secret `token`, `Bearer hunter2-hunter2`.
fn web() -> Web {
    let file = tempfile();
    std::fs::write(&file, "Bearer hunter2-hunter2\n").unwrap();
    let references = BTreeMap::from([("token".to_owned(), Reference::File(file.clone()))]);
    let secrets = Secrets::fetch("coder", &references).unwrap();
    std::fs::remove_file(file).unwrap();
    Web::new(secrets)
}

fn tempfile() -> std::path::PathBuf {
    let thread = std::thread::current().id();
    std::env::temp_dir().join(format!("windlass-web-{}-{thread:?}", std::process::id()))
}

fn target(to: &str, private: bool, method: Method, secrets: &[&str]) -> Approved<Target> {
    let granted = ["token", "missing"].map(str::to_owned).to_vec();
    let http = vec![HttpGrant { to: "http://*:*".to_owned(), private, secrets: granted }];
    let policy = Policy::new("coder", Grants { http, ..Grants::default() }).unwrap();
    policy.approve_request(method, to, secrets).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn plain(name: &str, value: &str) -> (String, Value) {
    (name.to_owned(), Value::Plain(value.to_owned()))
}

fn secret(name: &str, secret: &str) -> (String, Value) {
    (name.to_owned(), Value::Secret(secret.to_owned()))
}

fn error(failure: Failure) -> (Code, String) {
    match failure {
        Failure::Answer(error) => (error.code, error.message),
        Failure::Trap(error) => panic!("{error}"),
    }
}

/// What the plugin sees of an answer: its head, its chunks of at most eight bytes, and how it ends.
async fn seen(answer: impl Into<Vec<u8>>) -> String {
    let (address, _served) = serve(answer.into()).await;
    let target = target(&format!("http://{address}/x?q"), true, Method::Get, &["token"]);
    let headers = [secret("authorization", "token")];
    let sent = web().send(&target, &headers, Bytes::new(), soon()).await;
    let Answer { status, headers, mut body } = match sent {
        Ok(answer) => answer,
        Err(failure) => return error(failure).1.replace(&address.to_string(), "HERE"),
    };
    let mut seen = format!("{status}");
    for (name, value) in headers {
        seen += &format!(" {name}={value}");
    }
    loop {
        match body.read(8).await {
            Ok(Some(chunk)) => seen += &format!(" [{}]", str::from_utf8(&chunk).unwrap()),
            Ok(None) => return seen,
            Err(failure) => {
                return seen + " " + &error(failure).1.replace(&address.to_string(), "HERE");
            }
        }
    }
}

#[tokio::test]
async fn what_comes_back_is_shown_without_secrets() {
    assert_eq!(seen(DONE).await, "204");
    let whole = "HTTP/1.1 200 OK\r\nX: a\r\nContent-Length: 10\r\n\r\n0123456789";
    assert_eq!(seen(whole).await, "200 x=a content-length=10 [01234567] [89]");
    let echo = "HTTP/1.1 418 X\r\nLocation: /?hunter2-hunter2\r\nX: Bearer hunter2-hunter2\r\n\r\n";
    assert_eq!(seen(echo).await, "418 location=/?*** x=***");
    let parts = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                 9\r\na hunter2\r\n8\r\n-hunter2\r\n2\r\n b\r\n0\r\n\r\n";
    assert_eq!(seen(parts).await, "200 transfer-encoding=chunked [a ] [***] [ b]");
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na hunter2";
    assert_eq!(seen(begun).await, "200 content-length=9 [a ] [hunter2]");
    let odd = b"HTTP/1.1 200 OK\r\nX: \xff\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(seen(odd).await, "200 content-length=0");
}

#[tokio::test]
async fn a_secret_that_is_replaced_while_an_answer_comes_in_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "hunter2-hunter2").unwrap();
    let references = BTreeMap::from([("token".to_owned(), Reference::File(file.clone()))]);
    let secrets = Secrets::fetch("coder", &references).unwrap();
    let web = Web::new(secrets.clone());
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\nhunter2-hunter2 => hunter3-hunter3";
    let (address, _served) = serve(answer.into()).await;
    let target = target(&format!("http://{address}"), true, Method::Get, &[]);
    let mut body = web.send(&target, &[], Bytes::new(), soon()).await.unwrap().body;
    std::fs::write(&file, "hunter3-hunter3").unwrap();
    secrets.look();
    let mut seen = Vec::new();
    while let Some(chunk) = body.read(8).await.unwrap() {
        seen.extend(chunk);
    }
    assert_eq!(String::from_utf8(seen).unwrap(), "*** => ***");
}

#[tokio::test]
async fn a_broken_answer_says_what_is_wrong() {
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab";
    let broken = seen(short).await;
    assert!(broken.starts_with("200 content-length=9 [ab] `http://HERE` broke off: "), "{broken}");
    let broken = seen("SSH-2.0-hunter2-hunter2\r\n\r\n").await;
    assert!(broken.starts_with("`http://HERE` broke off: "), "{broken}");
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(LARGEST_HEADERS));
    assert_eq!(
        seen(long).await,
        "`http://HERE` answers with 65537 bytes of headers, and 65536 are the most"
    );
}

#[tokio::test]
async fn an_endless_answer_ends() {
    let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    answer.resize(answer.len() + LARGEST_ANSWER + 1, b'x');
    let (address, _served) = serve(answer).await;
    let target = target(&format!("http://{address}"), true, Method::Get, &[]);
    let mut body = web().send(&target, &[], Bytes::new(), soon()).await.unwrap().body;
    let mut size = 0;
    let failure = loop {
        match body.read(u32::MAX).await {
            Ok(chunk) => size += chunk.unwrap().len(),
            Err(failure) => break failure,
        }
    };
    assert!(size <= LARGEST_ANSWER);
    assert_eq!(error(failure).0, Code::Limit);
    assert!(body.read(1).await.is_err());
}

/// What the server reads of a request.
async fn sent(method: Method, headers: &[(String, Value)], body: &'static str) -> String {
    let (address, served) = serve(DONE.into()).await;
    let target = target(&format!("http://{address}/x?q#f"), true, method, &["token"]);
    web().send(&target, headers, Bytes::from_static(body.as_bytes()), soon()).await.unwrap();
    served.await.unwrap().replace(&address.to_string(), "HERE").replace("\r\n", "\n")
}

#[tokio::test]
async fn what_is_sent() {
    let agent = concat!("user-agent: windlass/", env!("CARGO_PKG_VERSION"));
    let common = format!("{agent}\naccept-encoding: identity\naccept: */*\n");
    let got = sent(Method::Get, &[secret("Authorization", "token")], "").await;
    let line = "authorization: Bearer hunter2-hunter2\n";
    let mut lines: Vec<_> = got.lines().collect();
    lines.sort_unstable();
    let want = format!("GET /x?q HTTP/1.1\n{line}{common}host: HERE\n\n");
    let mut want: Vec<_> = want.lines().collect();
    want.sort_unstable();
    assert_eq!(lines, want);
    assert!(sent(Method::Post, &[], "").await.contains("\ncontent-length: 0\n"));
    assert!(sent(Method::Patch, &[], "ab").await.contains("\ncontent-length: 2\n"));
    assert!(
        sent(Method::Get, &[plain("user-agent", "me")], "").await.contains("\nuser-agent: me\n")
    );
}

/// A request that does not leave the host.
async fn refused(headers: &[(String, Value)], size: usize) -> (Code, String) {
    let target = target("http://127.0.0.1:9/", true, Method::Post, &["token", "missing"]);
    let answer = web().send(&target, headers, Bytes::from(vec![0; size]), soon()).await;
    error(answer.unwrap_err())
}

#[tokio::test]
async fn headers_that_are_not_the_plugins() {
    for name in
        ["Host", "connection", "Transfer-Encoding", "content-length", "TE", "upgrade", "Proxy-Auth"]
    {
        let (code, message) = refused(&[plain(name, "x")], 0).await;
        let name = name.to_ascii_lowercase();
        assert_eq!(code, Code::Invalid);
        assert_eq!(message, format!("the host sets the header `{name}` itself: leave it out"));
    }
    assert_eq!(refused(&[plain("a b", "x")], 0).await.1, "`a b` is no name of a header");
    assert_eq!(refused(&[plain("", "x")], 0).await.1, "`` is no name of a header");
    assert_eq!(refused(&[plain("a\r\nb", "x")], 0).await.1, "`a\\r\\nb` is no name of a header");
    assert_eq!(
        refused(&[plain("a", "x\r\nhost: y")], 0).await,
        (
            Code::Invalid,
            "the header `a` has a line break or another control character in it".to_owned()
        )
    );
    assert_eq!(
        refused(&[secret("a", "missing")], 0).await,
        (
            Code::Invalid,
            "there is no secret `missing`: `plugins.coder.secrets.missing` would set it".to_owned()
        )
    );
    assert_eq!(refused(&vec![plain("a", "x"); MOST_HEADERS + 1], 0).await.0, Code::Limit);
    assert_eq!(refused(&[plain("a", &"x".repeat(LARGEST_HEADERS))], 0).await.0, Code::Limit);
    assert_eq!(refused(&[], LARGEST_REQUEST + 1).await.0, Code::Limit);
}

#[tokio::test]
async fn a_secret_that_was_not_approved_does_not_travel() {
    let target = target("http://127.0.0.1:9/", true, Method::Get, &[]);
    let answer = web().send(&target, &[secret("a", "token")], Bytes::new(), soon()).await;
    assert!(matches!(answer, Err(Failure::Trap(_))));
}

async fn unanswered(to: &str, private: bool, deadline: Instant) -> (Code, String) {
    let target = target(to, private, Method::Get, &[]);
    error(web().send(&target, &[], Bytes::new(), deadline).await.unwrap_err())
}

#[tokio::test]
async fn what_does_not_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let deadline = Instant::now() + Duration::from_millis(50);
    assert_eq!(
        unanswered(&format!("http://{here}/?q"), true, deadline).await,
        (Code::Timeout, format!("`http://{here}` did not answer in time"))
    );
    let localhost = format!("http://localhost:{}/?q", here.port());
    let (code, message) = unanswered(&localhost, false, soon()).await;
    assert_eq!(code, Code::Denied);
    assert!(
        message.starts_with("not allowed: `localhost` leads to the private address "),
        "{message}"
    );
    assert!(message.ends_with("; `private = true` in its grant would allow it"), "{message}");
    drop(listener);
    let (code, message) = unanswered(&localhost, true, soon()).await;
    assert_eq!(code, Code::Unavailable);
    let reached = format!("`http://localhost:{}` cannot be reached: ", here.port());
    assert!(message.starts_with(&reached), "{message}");
    let (code, message) = unanswered("http://nowhere.invalid/?q", true, soon()).await;
    assert_eq!(code, Code::Unavailable);
    assert!(message.starts_with("`http://nowhere.invalid` cannot be found: "), "{message}");
}
