//! Tokens of an issuer: which are good, what they are good for, and what becomes of keys.

use std::time::Instant;

use serde_json::{Value, json};

use super::{NOTER, call, tools};
use crate::support::{
    Setup,
    http::{ACCEPT, Answer, HttpHost},
    openid::{AUDIENCE, Provider, encode, message, seconds},
    site::Site,
    until,
};

fn host(provider: &Provider) -> HttpHost {
    let config = format!("{}{NOTER}", provider.config());
    Setup::new().plugins(&["echo", "noter"]).config(&config).http()
}

fn list_as(host: &mut HttpHost, token: &str) -> Answer {
    host.speak_as(token);
    host.request("tools/list", json!({}))
}

#[test]
fn a_token_of_the_issuer_lets_in_with_the_roles_of_its_scopes() {
    let provider = Provider::start();
    let mut host = host(&provider);
    host.speak_as(&provider.token("ann", "mcp:read"));
    assert!(!tools(&host).contains(&"note_write".to_owned()));
    host.speak_as(&provider.token("ann", "openid+mcp:all"));
    assert!(tools(&host).contains(&"note_write".to_owned()));
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let claims = provider.claims("ann", "mcp:read");
        let answer = list_as(&mut host, &provider.key(algorithm).sign(&claims));
        assert_eq!(answer.status, 200, "{algorithm}: {answer:?}");
    }
    let mut grouped = provider.claims("ann", "");
    (grouped["groups"], grouped["aud"]) = (json!(["reader", "x"]), json!(["other", AUDIENCE]));
    assert_eq!(list_as(&mut host, &provider.key("ES256").sign(&grouped)).status, 200);
    assert_eq!(provider.hits("/keys"), 1);
}

#[test]
fn what_each_of_them_makes_is_there_for_that_one_alone() {
    let provider = Provider::start();
    let mut host = host(&provider);
    super::key(&host.setup, "ann", &["admin"]);
    host.speak_as(&provider.token("ann", "mcp:all"));
    call(&host, "note_write", &json!({"id": "plan", "text": "hers"}));
    let read = |host: &HttpHost| {
        host.request("resources/read", json!({"uri": "note://plan"})).message()["result"].clone()
    };
    assert_eq!(read(&host)["contents"][0]["text"], "hers");
    host.speak_as(&provider.token("bob", "mcp:all"));
    assert_eq!(read(&host), Value::Null);
    let mut host = host.end().0.http();
    let ann = super::key(&host.setup, "ann2", &["admin"]);
    host.speak_as(&ann);
    assert_eq!(read(&host), Value::Null);
}

/// Tokens that are each wrong in one thing.
fn wrong(provider: &Provider) -> Vec<(&'static str, String)> {
    let (rsa, point) = (provider.key("RS256"), provider.key("ES256"));
    let good = provider.claims("ann", "mcp:all");
    let but = |key: &str, value: Value| {
        let mut claims = good.clone();
        claims[key] = value;
        point.sign(&claims)
    };
    let without = |key: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(key);
        point.sign(&claims)
    };
    let header = |algorithm: &str, id: &str| json!({"alg": algorithm, "kid": id});
    let token = point.sign(&good);
    let (signed, _) = token.rsplit_once('.').unwrap();
    let mut forged = good.clone();
    forged["sub"] = "bob".into();
    let changed = message(&header("ES256", &point.id), &forged);
    let (_, signature) = token.rsplit_once('.').unwrap();
    // What everybody can read of a key, as if it were shared: where somebody mixes up the two, this is good.
    let public = rsa.public()["n"].as_str().unwrap().to_owned();
    let mixed = message(&header("HS256", &rsa.id), &good);
    let mac = ring::hmac::sign(
        &ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public.as_bytes()),
        mixed.as_bytes(),
    );
    vec![
        ("another audience", but("aud", "https://other.example/mcp".into())),
        ("no audience", without("aud")),
        ("another issuer", but("iss", "https://id.example".into())),
        ("no issuer", without("iss")),
        ("expired", but("exp", (seconds() - 120).into())),
        ("no end", without("exp")),
        ("an end that is no number", but("exp", "soon".into())),
        ("not yet", but("nbf", (seconds() + 120).into())),
        ("nobody", without("sub")),
        ("no signature", format!("{}.", message(&json!({"alg": "none"}), &good))),
        ("none", format!("{}.{signature}", message(&header("none", &point.id), &good))),
        ("a mix of kinds", format!("{mixed}.{}", encode(mac.as_ref()))),
        ("another key", point.sign_with(&header("ES256", &rsa.id), &good)),
        ("no key", point.sign_with(&json!({"alg": "ES256"}), &good)),
        ("changed", format!("{changed}.{signature}")),
        ("cut", format!("{signed}.{}", &signature[..signature.len() - 2])),
        (
            "critical",
            point
                .sign_with(&json!({"alg": "ES256", "kid": point.id, "crit": ["x"], "x": 1}), &good),
        ),
        ("two parts", signed.to_owned()),
    ]
}

#[test]
fn a_token_that_is_wrong_in_one_thing_lets_nobody_in() {
    let provider = Provider::start();
    let mut host = host(&provider);
    let mut told = None;
    for (what, token) in wrong(&provider) {
        let answer = list_as(&mut host, &token);
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        let challenge = answer.header("WWW-Authenticate").unwrap();
        assert!(challenge.contains("error=\"invalid_token\""), "{what}: {challenge}");
        let told = told.get_or_insert_with(|| (answer.body.clone(), challenge.to_owned()));
        assert_eq!(*told, (answer.body.clone(), challenge.to_owned()), "{what}");
    }
    let good = provider.key("ES256").sign(&provider.claims("ann", "mcp:all"));
    assert_eq!(list_as(&mut host, &good).status, 200);
}

#[test]
fn clients_are_told_whom_to_ask_and_for_which_scopes() {
    let provider = Provider::start();
    let mut host = host(&provider);
    for path in ["", "/mcp"] {
        let path = format!("/.well-known/oauth-protected-resource{path}");
        let answer = host.send("GET", &path, &[], "");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(
            answer.message(),
            json!({
                "resource": AUDIENCE,
                "authorization_servers": [provider.issuer()],
                "scopes_supported": ["mcp:all", "mcp:read"],
                "bearer_methods_supported": ["header"],
                "resource_name": "Windlass",
            })
        );
        assert_eq!(host.send("POST", &path, &[], "").status, 405);
    }
    assert_eq!(host.send("GET", "/.well-known/oauth-protected-resource/x", &[], "").status, 404);
    let headers = ["Content-Type: application/json", ACCEPT];
    let nothing = host.send("POST", "/mcp", &headers, "{}");
    assert_eq!(nothing.status, 401);
    assert_eq!(
        nothing.header("WWW-Authenticate").unwrap(),
        "Bearer realm=\"windlass\", resource_metadata=\"https://windlass.example/.well-known/oauth-protected-resource/mcp\", scope=\"mcp:all mcp:read\""
    );
    let idle = list_as(&mut host, &provider.token("ann", "openid"));
    assert_eq!(idle.status, 403, "{idle:?}");
    let challenge = idle.header("WWW-Authenticate").unwrap();
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    assert!(challenge.contains("scope=\"mcp:all mcp:read\""), "{challenge}");
}

#[test]
fn keys_are_followed_and_nobody_makes_the_issuer_be_asked_without_end() {
    let provider = Provider::start();
    let mut host = host(&provider);
    let (first, began) = (provider.key("EdDSA"), Instant::now());
    let claims = provider.claims("ann", "mcp:read");
    assert_eq!(list_as(&mut host, &first.sign(&claims)).status, 200);
    assert_eq!(provider.hits("/keys"), 1);
    let second = provider.add_key("EdDSA");
    provider.remove_key(&first.id);
    assert_eq!(list_as(&mut host, &second.sign(&claims)).status, 200);
    assert_eq!(provider.hits("/keys"), 2);
    // Another token of the key that was taken back; the one from before is remembered for a minute.
    let mut later = claims.clone();
    later["jti"] = "2".into();
    assert_eq!(list_as(&mut host, &first.sign(&later)).status, 401);
    for number in 0..15 {
        let header = json!({"alg": "EdDSA", "kid": format!("made-up-{number}")});
        assert_eq!(list_as(&mut host, &second.sign_with(&header, &claims)).status, 401);
    }
    let (asked, most) = (provider.hits("/keys"), 6 + began.elapsed().as_secs() / 12);
    assert!(asked as u64 <= most, "the issuer was asked {asked} times");
    assert_eq!(list_as(&mut host, &second.sign(&claims)).status, 200);
}

#[test]
fn where_the_issuer_is_gone_its_known_keys_go_on_to_count() {
    let provider = Provider::start();
    let mut host = host(&provider);
    let known = provider.key("ES256");
    assert_eq!(list_as(&mut host, &known.sign(&provider.claims("ann", "mcp:read"))).status, 200);
    provider.go_down(true);
    assert_eq!(list_as(&mut host, &known.sign(&provider.claims("bob", "mcp:read"))).status, 200);
    let unknown = provider.add_key("ES256");
    let token = unknown.sign(&provider.claims("ann", "mcp:read"));
    let answer = list_as(&mut host, &token);
    assert_eq!(answer.status, 503, "{answer:?}");
    until("it is told", || host.errors().contains("cannot be fetched"));
    provider.go_down(false);
    assert_eq!(list_as(&mut host, &token).status, 200);
}

#[test]
fn an_issuer_whose_documents_speak_of_another_is_not_believed() {
    let provider = Provider::start();
    provider.lie("https://id.example");
    let mut host = host(&provider);
    assert_eq!(list_as(&mut host, &provider.token("ann", "mcp:all")).status, 503);
    until("it is told", || host.errors().contains("speaks of `https://id.example`"));
    assert_eq!(provider.hits("/keys"), 0);
}

#[test]
fn a_token_goes_nowhere_but_to_the_host() {
    let (provider, site) = (Provider::start(), Site::saying("hello"));
    let origin = site.origin();
    let grant = format!(
        "{}[plugins.greedy.grants]\nstore = true\nhttp = [{{ to = \"{origin}\", private = true }}]",
        provider.config()
    );
    let trace = "trace,rmcp::transport=trace,hyper::proto=trace";
    let setup = Setup::new().plugins(&["greedy"]).config(&grant);
    let mut host = setup.environment("WINDLASS_LOG", trace).http();
    let token = provider.token("ann", "mcp:all");
    host.speak_as(&token);
    let answer = call(&host, "fetch", &json!({"url": origin}));
    assert_eq!(answer["result"]["structuredContent"]["body"], "hello", "{answer}");
    let [request] = &site.requests()[..] else { panic!("one request was made") };
    assert!(!request.contains(&token) && !request.to_lowercase().contains("authorization"));
    let (setup, said) = host.end();
    let signature = token.rsplit('.').next().unwrap();
    assert!(!said.contains(signature), "stderr holds the token");
    for entry in std::fs::read_dir(setup.state()).unwrap().flatten() {
        let Ok(bytes) = std::fs::read(entry.path()) else { continue };
        let held = bytes.windows(signature.len()).any(|it| it == signature.as_bytes());
        assert!(!held, "{}", entry.path().display());
    }
}

/// It is a resource server: nobody is sent on from here, so nobody's consent can be borrowed.
#[test]
fn the_host_authorizes_nobody_for_others() {
    let provider = Provider::start();
    let host = host(&provider);
    for path in [
        "/authorize",
        "/token",
        "/register",
        "/callback",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ] {
        for method in ["GET", "POST"] {
            assert_eq!(host.send(method, path, &[], "").status, 404, "{method} {path}");
        }
    }
}
