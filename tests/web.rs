//! Where plugins may send requests to, and what becomes of the secrets they send along.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use crate::support::{
    Host, Setup,
    site::{Site, ok, redirect},
    until,
};

/// A value that nobody would write by chance.
const SECRET: &str = "Bearer hunter2-of-the-deep-sea";

/// A host with `greedy`, which may use the web as these lines of its table say.
fn greedy(http: &str) -> Setup {
    let config = format!(
        "[plugins.greedy.grants]\nstore = true\nhttp = [{http}]\n[plugins.greedy.secrets]\nkey = \"${{KEY}}\""
    );
    Setup::new().plugins(&["greedy"]).config(&config).environment("KEY", SECRET)
}

/// A line of a grant for a site on this machine.
fn private(site: &Site) -> String {
    format!("{{ to = \"{}\", private = true, secrets = [\"key\"] }}", site.origin())
}

/// The code of a refusal, and its sentence.
#[track_caller]
fn refused(host: &mut Host, tool: &str, arguments: Value) -> (String, String) {
    let result = host.call(tool, arguments);
    assert_eq!(result["isError"], true, "{result}");
    let failure = &result["structuredContent"];
    (
        failure["error_code"].as_str().unwrap().to_owned(),
        failure["error"].as_str().unwrap().to_owned(),
    )
}

#[track_caller]
fn check(host: &mut Host, arguments: Value, code: &str, sentence: &str) {
    let (given, text) = refused(host, "fetch", arguments);
    assert_eq!(given, code, "{text}");
    assert!(text.contains(sentence), "`{text}` does not say `{sentence}`");
}

#[test]
fn a_granted_place_is_reached() {
    let site = Site::saying("hello");
    let mut host = greedy(&private(&site)).modern();
    let result = host.call("fetch", json!({"url": site.origin()}));
    assert_eq!(result["structuredContent"], json!({"status": 200, "body": "hello"}));
    let result = host.call("post", json!({"url": format!("{}/x", site.origin())}));
    assert_eq!(result["structuredContent"]["status"], 200);
    let lines: Vec<_> =
        site.requests().iter().map(|it| it.lines().next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["GET / HTTP/1.1", "POST /x HTTP/1.1"]);
}

#[test]
fn another_place_is_not_reached_and_the_refusal_names_the_grant() {
    let (site, other) = (Site::saying("hello"), Site::saying("never"));
    let mut host = greedy(&private(&site)).modern();
    let line = "`plugins.greedy.grants.http` has no";
    check(&mut host, json!({"url": other.origin()}), "DENIED", line);
    check(
        &mut host,
        json!({"url": "https://example.com/"}),
        "DENIED",
        "has no `https://example.com`",
    );
    check(&mut host, json!({"url": "file:///etc/passwd"}), "INVALID", "`http://` or `https://`");
    check(
        &mut host,
        json!({"url": format!("http://user@127.0.0.1:{}", site.port())}),
        "INVALID",
        "names a user",
    );
    check(&mut host, json!({"url": "nonsense"}), "INVALID", "cannot be read");
    assert!(other.requests().is_empty());
}

#[test]
fn a_private_address_needs_its_own_word() {
    let site = Site::saying("never");
    let mut host = greedy("\"http://*:*\"").modern();
    let port = site.port();
    for name in [
        "127.0.0.1",
        "[::1]",
        "0.0.0.0",
        "169.254.169.254",
        "10.0.0.1",
        "[fc00::1]",
        "0x7f.1",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "localhost",
        "LOCALHOST",
        "127.1",
        "0",
        "[::]",
        "192.168.0.1",
        "172.16.0.1",
    ] {
        check(
            &mut host,
            json!({"url": format!("http://{name}:{port}/")}),
            "DENIED",
            "`private = true` in its",
        );
    }
    assert!(site.requests().is_empty());
}

#[test]
fn a_redirect_is_a_question_of_its_own() {
    let other = Site::saying("never");
    let (granted, ungranted) = (Site::saying("there"), other.origin());
    let to = granted.origin();
    let site = Site::answering(move |request| {
        redirect(if request.starts_with("GET /away") { &ungranted } else { &to })
    });
    let mut host = greedy(&format!("{}, {}", private(&site), private(&granted))).modern();
    let followed = host.call("fetch", json!({"url": site.origin()}));
    assert_eq!(followed["structuredContent"]["body"], "there");
    let away = json!({"url": format!("{}/away", site.origin())});
    check(&mut host, away.clone(), "DENIED", &format!("redirects to `{}`", other.origin()));
    // A wide grant does not make the redirect's address public.
    let mut host = greedy(&format!("{}, \"http://*:*\"", private(&site))).modern();
    check(&mut host, away, "DENIED", "is a private address");
    assert!(other.requests().is_empty());
}

#[test]
fn a_redirect_leads_nowhere_but_to_the_web() {
    for to in
        ["file:///etc/passwd", "ftp://127.0.0.1/", "http://user:password@127.0.0.1/", "data:,x"]
    {
        let site = Site::answering(move |_| redirect(to));
        let mut host = greedy(&private(&site)).modern();
        check(&mut host, json!({"url": site.origin()}), "DENIED", "redirects to");
    }
}

#[test]
fn a_redirect_in_a_circle_ends() {
    let site = Site::answering(|_| redirect("/again"));
    let mut host = greedy(&private(&site)).modern();
    check(&mut host, json!({"url": site.origin()}), "LIMIT", "redirects once more after 5");
    assert_eq!(site.requests().len(), 6);
}

#[test]
fn a_secret_arrives_and_is_seen_by_nobody_on_the_way() {
    let site = Site::answering(ok);
    let config = format!(
        "[plugins.greedy.grants]\nstore = true\nhttp = [{{ to = \"{}\", private = true, secrets = [\"key\", \"filed\"] }}]\n\
         [plugins.greedy.secrets]\nkey = \"${{KEY}}\"\nfiled = \"file:{}\"",
        site.origin(),
        "SECRET_FILE"
    );
    let setup = Setup::new().plugins(&["greedy"]).environment("KEY", SECRET);
    let setup =
        setup.environment("WINDLASS_LOG", "trace,reqwest::connect=trace,hyper::proto=trace");
    let file = setup.path("secret");
    fs::write(&file, "filed-under-s\n").unwrap();
    let mut host = setup.config(&config.replace("SECRET_FILE", file.to_str().unwrap())).modern();
    for (name, value) in [("key", SECRET), ("filed", "filed-under-s")] {
        let result = host.call("fetch", json!({"url": site.origin(), "secret": name}));
        let sent = site.requests().pop().unwrap();
        assert!(sent.contains(&format!("authorization: {value}\r\n")), "{sent}");
        let body = result["structuredContent"]["body"].as_str().unwrap();
        assert!(body.contains("authorization: ***"), "{body}");
        assert!(!result.to_string().contains(value), "{result}");
    }
    host.call("chatter", json!({"lines": 1}));
    let said = host.said();
    assert!(said.contains("1xxx"), "nothing is logged: {said}");
    for secret in [SECRET, "hunter2", "filed-under-s"] {
        assert!(!said.contains(secret), "stderr holds a secret");
    }
}

/// A host whose plugin may send the secret `filed`, which lies in a file, and the path of that.
fn filing(site: &Site, value: &str) -> (Host, PathBuf) {
    let setup = Setup::new().plugins(&["greedy"]);
    let setup =
        setup.environment("WINDLASS_LOG", "trace,reqwest::connect=trace,hyper::proto=trace");
    let file = setup.path("secret");
    fs::write(&file, value).unwrap();
    let config = format!(
        "[plugins.greedy.grants]\nstore = true\nhttp = [{{ to = \"{}\", private = true, secrets = [\"filed\"] }}]\n\
         [plugins.greedy.secrets]\nfiled = \"file:{}\"",
        site.origin(),
        file.display()
    );
    let mut host = setup.config(&config).modern();
    // From here on the file can be another one: it was read.
    assert!(host.tools().iter().any(|name| name == "fetch"));
    (host, file)
}

/// What the next request carries.
#[track_caller]
fn carried(host: &mut Host, site: &Site) -> String {
    let result = host.call("fetch", json!({"url": site.origin(), "secret": "filed"}));
    assert_eq!(result["structuredContent"]["status"], 200, "{result}");
    let sent = site.requests().pop().unwrap();
    let carried = sent.lines().find_map(|line| line.strip_prefix("authorization: "));
    carried.unwrap_or_else(|| panic!("no secret in {sent}")).to_owned()
}

#[test]
fn a_request_carries_what_the_file_holds_at_that_moment() {
    let site = Site::answering(ok);
    let (mut host, file) = filing(&site, "the-first-of-them\n");
    assert_eq!(carried(&mut host, &site), "the-first-of-them");
    let beside = file.with_extension("next");
    fs::write(&beside, "the-next-one\n").unwrap();
    fs::rename(&beside, &file).unwrap();
    assert_eq!(carried(&mut host, &site), "the-next-one");
    // In its place and of the same length, sooner than the clock of files ticks.
    for value in ["the-best-one", "the-last-one"] {
        fs::write(&file, value).unwrap();
        assert_eq!(carried(&mut host, &site), value);
    }
    let said = host.said();
    assert!(said.contains("plugins.greedy.secrets.filed"), "no word of the change: {said}");
    for secret in ["the-first-of-them", "the-next-one", "the-best-one", "the-last-one"] {
        assert!(!said.contains(secret), "stderr holds a secret");
    }
}

#[test]
fn a_value_that_was_replaced_stays_masked() {
    let site = Site::answering(|request| match request.starts_with("GET /gossip ") {
        true => ok("the-first-of-them and the-next-one and the-last-one"),
        false => ok(""),
    });
    let gossip = format!("{}/gossip", site.origin());
    let (mut host, file) = filing(&site, "the-first-of-them");
    for value in ["the-next-one", "the-last-one"] {
        fs::write(&file, value).unwrap();
        // It is known from the moment that a request goes out, whatever that carries.
        host.call("fetch", json!({"url": site.origin()}));
    }
    let seen = host.call("fetch", json!({"url": gossip}));
    assert_eq!(seen["structuredContent"]["body"], "*** and *** and ***");
    let config = host.setup.path("windlass.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n[plugins.greedy]\nprefix = \"my_\"\n")).unwrap();
    until("the plugin is loaded again", || host.tools().iter().any(|name| name == "my_fetch"));
    let seen = host.call("my_fetch", json!({"url": gossip}));
    assert_eq!(seen["structuredContent"]["body"], "*** and *** and ***");
}

#[test]
fn a_secret_stays_as_it_was_while_its_file_is_not_to_be_read() {
    let site = Site::answering(ok);
    let (mut host, file) = filing(&site, "the-first-of-them");
    let broken: [&dyn Fn(); 4] = [
        &|| fs::remove_file(&file).unwrap(),
        &|| fs::write(&file, " \n").unwrap(),
        &|| fs::write(&file, b"\xff\xfe").unwrap(),
        &|| {
            fs::remove_file(&file).unwrap();
            fs::create_dir(&file).unwrap();
        },
    ];
    for breaking in broken {
        breaking();
        for _ in 0..2 {
            assert_eq!(carried(&mut host, &site), "the-first-of-them");
        }
    }
    fs::remove_dir(&file).unwrap();
    fs::write(&file, "the-next-one").unwrap();
    assert_eq!(carried(&mut host, &site), "the-next-one");
    fs::remove_file(&file).unwrap();
    assert_eq!(carried(&mut host, &site), "the-next-one");
    let said = host.said();
    let told = said.lines().filter(|line| line.contains("plugins.greedy.secrets.filed"));
    let levels = told.map(|line| ["WARN", "INFO"].into_iter().find(|level| line.contains(level)));
    assert_eq!(levels.collect::<Vec<_>>(), [Some("WARN"), Some("INFO"), Some("WARN")], "{said}");
    assert!(!said.contains("the-first") && !said.contains("the-next"), "stderr holds a secret");
}

#[test]
fn a_secret_goes_where_its_grant_lets_it_and_nowhere_else() {
    let (site, other) = (Site::saying("hello"), Site::saying("hello"));
    let plain = format!("{{ to = \"{}\", private = true }}", other.origin());
    let mut host = greedy(&format!("{}, {plain}", private(&site))).modern();
    let refusal = "does not let the secret `key` go to";
    check(&mut host, json!({"url": other.origin(), "secret": "key"}), "DENIED", refusal);
    let refusal = "does not let the secret `other` go to";
    check(&mut host, json!({"url": site.origin(), "secret": "other"}), "DENIED", refusal);
    assert!(site.requests().is_empty() && other.requests().is_empty());
}

#[test]
fn a_secret_does_not_follow_a_redirect_to_where_it_may_not_go() {
    let other = Site::saying("never");
    let to = other.origin();
    let site = Site::answering(move |_| redirect(&to));
    let plain = format!("{{ to = \"{}\", private = true }}", other.origin());
    let mut host = greedy(&format!("{}, {plain}", private(&site))).modern();
    let refusal = "does not let the secret `key` go to";
    check(&mut host, json!({"url": site.origin(), "secret": "key"}), "DENIED", refusal);
    assert!(other.requests().is_empty());
}

#[test]
fn a_secret_that_is_granted_and_has_no_value_is_told() {
    let site = Site::saying("hello");
    let grant = private(&site).replace("\"key\"", "\"key\", \"ghost\"");
    let mut host = greedy(&grant).modern();
    let told = "`plugins.greedy.secrets.ghost` would set it";
    check(&mut host, json!({"url": site.origin(), "secret": "ghost"}), "INVALID", told);
    assert!(site.requests().is_empty());
}

#[test]
fn a_secret_whose_source_is_missing_keeps_the_plugin_out() {
    let config = |reference: &str| format!("[plugins.greedy.secrets]\nkey = \"{reference}\"");
    for (reference, told) in [
        ("${NOT_SET}", "plugins.greedy.secrets.key: the environment variable `NOT_SET` is not set"),
        ("file:/not/there", "plugins.greedy.secrets.key: cannot read `/not/there`"),
        ("${EMPTY}", "plugins.greedy.secrets.key: the value is empty"),
    ] {
        let setup = Setup::new().plugins(&["echo", "greedy"]).config(&config(reference));
        let ended = setup.environment("EMPTY", " ").ended(&["tools"]);
        assert!(ended.stderr.contains(told), "{ended:?}");
        assert!(ended.stdout.contains("echo") && !ended.stdout.contains("greedy"), "{ended:?}");
    }
}

#[test]
fn a_tool_that_only_reads_only_gets() {
    let site = Site::answering(|request| {
        let again = request.starts_with("GET /end");
        if again {
            ok("end")
        } else {
            redirect("/end").replace("302 Found", "307 Temporary Redirect")
        }
    });
    let mut host = greedy(&private(&site)).arguments(&["--read-only"]).modern();
    assert!(host.tools().iter().all(|tool| tool != "post"));
    let result = host.call("fetch", json!({"url": site.origin()}));
    assert_eq!(result["structuredContent"]["body"], "end");
    assert!(site.requests().iter().all(|request| request.starts_with("GET ")));
}

#[test]
fn a_tool_that_is_not_open_world_sends_nothing() {
    let site = Site::saying("never");
    let grant = format!(
        "[plugins.twofaced.grants]\nstore = true\nhttp = [{}]",
        private(&site).replace(", secrets = [\"key\"]", "")
    );
    let mut host = Setup::new().plugins(&["twofaced"]).config(&grant).modern();
    let (code, text) = refused(&mut host, "local", json!({"url": site.origin()}));
    assert_eq!(
        (code.as_str(), text.as_str()),
        ("DENIED", "tool `local` does not say it is open-world: `http.send` is refused")
    );
    assert!(site.requests().is_empty());
}

#[test]
fn a_place_that_is_not_there_is_unavailable() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut host = greedy(&format!("{{ to = \"http://{gone}\", private = true }}")).modern();
    check(
        &mut host,
        json!({"url": format!("http://{gone}/path?token=1")}),
        "UNAVAILABLE",
        "cannot be reached",
    );
}
