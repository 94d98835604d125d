//! The network of a container: none, but for what was granted.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::Stdio,
};

use serde_json::json;

use crate::support::{
    PATIENCE,
    bench::{Bench, Ran},
    site::Site,
    until,
};

const PROXY: &str = "http_proxy=http://127.0.0.1:3128";

/// Asks for a page by way of the proxy.
fn fetch(bench: &mut Bench, id: &str, url: &str) -> Ran {
    bench.run(id, &format!("{PROXY} timeout 20 wget -q -O - '{url}'"))
}

fn granted(port: u16) -> String {
    format!("egress = [\"host.docker.internal:{port}\"]")
}

#[test]
fn no_address_but_loopback_can_be_reached() {
    for mut bench in Bench::everywhere("powers = [\"root\"]") {
        let id = bench.spawn();
        let places =
            ["1.1.1.1 80", "169.254.169.254 80", "172.17.0.1 22", "10.0.0.1 80", "8.8.8.8 53"];
        for place in places {
            let ran = bench.run(&id, &format!("timeout 5 nc -w 3 {place} < /dev/null"));
            assert_ne!(ran.code, 0, "{place}: {ran:?}");
            assert!(ran.stderr.contains("unreachable"), "{place}: {ran:?}");
        }
        let names = bench.run(&id, "timeout 5 nslookup example.com");
        assert_ne!(names.code, 0, "{names:?}");
        let site = Site::saying("the host's own");
        for name in ["127.0.0.1", "host.docker.internal", "localhost"] {
            let ran =
                bench.run(&id, &format!("timeout 5 wget -q -O - http://{name}:{}/", site.port()));
            assert_ne!(ran.code, 0, "{name}: {ran:?}");
        }
        assert_eq!(site.requests(), [""; 0]);
    }
}

#[test]
fn without_a_grant_the_proxy_refuses_and_the_log_names_the_line() {
    for mut bench in Bench::everywhere("egress = [\"example.invalid\"]") {
        let (site, id) = (Site::saying("secret"), bench.spawn());
        let port = site.port();
        let hosts = [
            "host.docker.internal",
            "127.0.0.1",
            "localhost",
            "[::1]",
            "2130706433",
            "0x7f000001",
            "0",
            "127.1",
            "localhost.",
            "[::ffff:127.0.0.1]",
            "169.254.169.254",
            "0.0.0.0",
        ];
        for host in hosts {
            let ran = fetch(&mut bench, &id, &format!("http://{host}:{port}/"));
            assert!(ran.code != 0 && !ran.stdout.contains("secret"), "{host}: {ran:?}");
        }
        let connect = format!("printf 'CONNECT host.docker.internal:{port} HTTP/1.1\\r\\n\\r\\n'");
        let ran = bench.run(&id, &format!("{connect} | timeout 5 nc 127.0.0.1 3128"));
        assert!(!ran.stdout.contains(" 200 "), "{ran:?}");
        assert_eq!(site.requests(), [""; 0]);
        let line = format!("host.docker.internal:{port}");
        let said = bench.host().errors();
        let told =
            said.lines().any(|it| it.contains(&line) && it.contains("grants.containers.egress"));
        assert!(told, "{said}");
    }
}

#[test]
fn a_granted_place_is_reached_by_proxy_and_tunnel_and_no_other() {
    let (site, other) = (Site::saying("granted"), Site::saying("other"));
    for mut bench in Bench::everywhere(&granted(site.port())) {
        let id = bench.spawn();
        let ran =
            fetch(&mut bench, &id, &format!("http://host.docker.internal:{}/a?b", site.port()));
        assert_eq!((ran.stdout.as_str(), ran.code), ("granted", 0), "{ran:?}");
        let requests = site.requests();
        assert!(requests.last().unwrap().starts_with("GET /a?b HTTP/1."), "{requests:?}");
        // The environment says where the proxy is, so that programs find it by themselves.
        let url = format!("http://host.docker.internal:{}/", site.port());
        assert_eq!(bench.run(&id, &format!("wget -q -O - {url}")).stdout, "granted");
        let refused =
            fetch(&mut bench, &id, &format!("http://host.docker.internal:{}/", other.port()));
        assert!(refused.code != 0 && other.requests().is_empty(), "{refused:?}");
        let script = format!(
            "printf 'CONNECT host.docker.internal:{} HTTP/1.1\\r\\n\\r\\nGET / HTTP/1.0\\r\\n\\r\\n' | timeout 20 nc 127.0.0.1 3128",
            site.port()
        );
        let tunnel = bench.run(&id, &script);
        assert!(
            tunnel.stdout.contains(" 200 ") && tunnel.stdout.ends_with("granted"),
            "{tunnel:?}"
        );
    }
}

#[test]
fn an_offline_container_has_no_proxy_at_all() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    assert_eq!(bench.run(&id, "env | grep -i proxy").stdout, "");
}

#[test]
fn a_forward_is_a_port_of_loopback() {
    let site = Site::saying("forwarded");
    let grant = format!("forwards = {{ \"11434\" = \"host.docker.internal:{}\" }}", site.port());
    let Some(mut bench) = Bench::granted(&grant) else { return };
    let id = bench.spawn();
    assert_eq!(bench.run(&id, "wget -Y off -q -O - http://127.0.0.1:11434/").stdout, "forwarded");
}

#[test]
fn a_changed_grant_applies_at_once() {
    let site = Site::saying("granted");
    let Some(mut bench) = Bench::granted("egress = [\"example.invalid\"]") else { return };
    let id = bench.spawn();
    let url = format!("http://host.docker.internal:{}/", site.port());
    assert_ne!(fetch(&mut bench, &id, &url).code, 0);
    bench.grant(&granted(site.port()));
    until("the grant applies", || fetch(&mut bench, &id, &url).stdout == "granted");
    bench.grant("egress = [\"example.invalid\"]");
    until("the refusal applies", || fetch(&mut bench, &id, &url).code != 0);
}

#[test]
fn what_is_no_http_harms_no_proxy() {
    let Some(mut bench) = Bench::granted("egress = [\"example.invalid\"]") else { return };
    let id = bench.spawn();
    let nonsense = [
        "head -c 100000 /dev/urandom",
        "printf 'GET'",
        "printf 'CONNECT a:b:c HTTP/1.1\\r\\n\\r\\n'",
        "printf 'CONNECT x:99999 HTTP/1.1\\r\\n\\r\\n'",
        "printf 'GET http://u:p@h:1:2/ HTTP/1.1\\r\\nA\\r\\n\\r\\n'",
        "yes x: y",
    ];
    for bytes in nonsense {
        bench.run(&id, &format!("{bytes} | timeout 5 nc 127.0.0.1 3128 > /dev/null"));
    }
    assert_eq!(bench.run(&id, "echo alive").stdout, "alive\n");
}

#[test]
fn a_port_inside_gets_an_address_of_loopback() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn_with(json!({"alias": "web"}));
    bench.write(&id, "index.html", "a page from inside");
    let exec = bench.begin(&id, "httpd -p 127.0.0.1:3000 -h /workspace && echo up && sleep 600");
    bench.printed(&exec, "up");
    for name in ["web", id.as_str()] {
        let mut port = bench.command(&["port", name, "3000"]);
        let mut child = port.stdin(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let place =
            line.find("127.0.0.1:").unwrap_or_else(|| panic!("no address of loopback: {line}"));
        let address: String = line[place..]
            .chars()
            .take_while(|it| it.is_ascii_digit() || ".:".contains(*it))
            .collect();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(answer.ends_with("a page from inside"), "{answer}");
    }
}

#[test]
fn a_plugin_whose_grant_is_taken_away_is_gone() {
    let Some(mut bench) = Bench::granted("egress = [\"example.invalid\"]") else { return };
    bench.spawn();
    bench.configure("[plugins.devbench.grants]\nstore = true\n");
    until("its tools are gone", || !bench.host().tools().contains(&"spawn".to_owned()));
}
