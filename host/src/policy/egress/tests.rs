//! Which connections out of a container are allowed, line by line.

use std::collections::BTreeMap;

use super::*;
use crate::{config::Grants, error::Failure};

fn grant(to: &str, private: bool) -> EgressGrant {
    EgressGrant { to: to.to_owned(), private }
}

fn policy(egress: Vec<EgressGrant>, forwards: &[(&str, EgressGrant)]) -> Result<Policy, String> {
    let forwards = forwards.iter().map(|(from, to)| ((*from).to_owned(), to.clone()));
    let forwards: BTreeMap<_, _> = forwards.collect();
    let containers = Some(ContainersGrant { egress, forwards, ..ContainersGrant::default() });
    Policy::new("coder", Grants { containers, ..Grants::default() })
}

fn answer(result: Result<Approved<Peer>>) -> String {
    match result {
        Ok(peer) => format!("{}", peer.request()),
        Err(Failure::Answer(error)) => error.message,
        Err(Failure::Trap(error)) => panic!("{error}"),
    }
}

#[track_caller]
fn check(to: &str, host: &str, port: u16, allowed: bool) {
    let policy = policy(vec![grant(to, false)], &[]).unwrap();
    match policy.approve_egress(host, port) {
        Ok(_) => assert!(allowed, "{to} allows {host}:{port}"),
        refused => {
            let why = answer(refused);
            assert!(!allowed, "{to} refuses {host}:{port}: {why}");
            let line = "not allowed: `plugins.coder.grants.containers.egress` has no `";
            assert!(why.starts_with(line), "{why}");
        }
    }
}

#[test]
fn a_line_covers_its_hosts_and_ports_and_no_other() {
    check("a.example", "a.example", 443, true);
    check("a.example", "A.Example", 80, true);
    check("a.example", "a.example", 8080, false);
    check("a.example", "a.example.", 443, false);
    check("a.example", "b.a.example", 443, false);
    check("a.example", "evila.example", 443, false);
    check("a.example:80", "a.example", 80, true);
    check("a.example:80", "a.example", 443, false);
    check("a.example:443", "a.example", 80, false);
    check("a.example:*", "a.example", 1, true);
    check("*.a.example", "b.a.example", 443, true);
    check("*.a.example", "a.example", 443, false);
    check("*.a.example", ".a.example", 443, false);
    check("*.a.example:22", "b.a.example", 22, true);
    check("*", "anything.example", 443, true);
    check("*", "anything.example", 22, false);
    check("*:*", "anything.example", 22, true);
    check("*:22", "[2606:4700::1111]", 22, true);
    check("bücher.example", "xn--bcher-kva.example", 443, true);
    check("xn--bcher-kva.example", "BÜCHER.example", 443, true);
    check("[2606:4700::1111]", "[2606:4700:0::1111]", 443, true);
    check("[2606:4700::1111]:5", "[2606:4700::1111]", 443, false);
    check("8.8.8.8:53", "0x8.8.2056", 53, true);
    check("8.8.8.8:53", "8.8.8.9", 53, false);
}

#[test]
fn a_private_address_needs_its_own_word_however_it_is_spelled() {
    let spellings = "127.0.0.1 127.1 0x7f.1 2130706433 0177.0.0.1 127.0.0.1. %31%32%37.0.0.1 １２７.0.0.1 0.0.0.0 0
        169.254.169.254 10.0.0.5 172.16.0.1 192.168.1.1 100.64.0.1 168.63.129.16 [::] [::1] [::ffff:127.0.0.1]
        [::ffff:a00:5] [64:ff9b::10.0.0.5] [2002:7f00:1::] [fc00::1] [fe80::1] localhost LOCALHOST localhost. a.localhost";
    for host in spellings.split_whitespace() {
        let given = answer(policy(vec![grant("*:*", false)], &[]).unwrap().approve_egress(host, 9));
        assert!(given.contains("is a private address; `private = true`"), "{host}: {given}");
        let allowed = policy(vec![grant("*:*", false), grant("*:*", true)], &[]).unwrap();
        assert!(allowed.approve_egress(host, 9).unwrap().request().private, "{host}");
    }
}

#[test]
fn this_machine_is_reached_by_its_own_name_alone() {
    for (to, host) in [
        ("*", "host.docker.internal"),
        ("*:*", "host.docker.internal."),
        ("*.docker.internal:*", "host.docker.internal"),
        ("*.internal:*", "HOST.docker.internal"),
    ] {
        let policy = policy(vec![grant(to, true)], &[]).unwrap();
        let given = answer(policy.approve_egress(host, 80));
        assert!(given.contains("has no `host.docker.internal"), "{to}: {given}");
    }
    let policy = policy(vec![grant("host.docker.internal:11434", false)], &[]).unwrap();
    let peer = policy.approve_egress("Host.Docker.Internal", 11434).unwrap();
    assert!(peer.request().is_this_machine());
    let known: Vec<_> = peer.request().addresses().unwrap().iter().map(IpAddr::to_string).collect();
    assert_eq!(known, ["127.0.0.1", "::1"]);
    check("host.docker.internal:11434", "host.docker.internal", 80, false);
    check("host.docker.internal:11434", "127.0.0.1", 11434, false);
}

#[test]
fn what_is_no_host_is_none() {
    let policy = policy(vec![grant("*:*", true)], &[]).unwrap();
    for host in ["", "a b", "a\0b", "[::1", "::1", "a%00", "999.999.999.999"] {
        assert!(policy.approve_egress(host, 80).is_err(), "{host:?}");
    }
}

#[test]
fn a_forward_leads_where_its_line_says() {
    let forwards = [
        ("11434", grant("host.docker.internal:11434", false)),
        ("5432", grant("10.0.0.5:5432", true)),
        ("5433", grant("10.0.0.5:5432", false)),
    ];
    let policy = policy(vec![grant("a.example", false)], &forwards).unwrap();
    assert_eq!(policy.egress_ports(), [3128, 11434, 5432, 5433]);
    assert_eq!(answer(policy.approve_forward(11434)), "host.docker.internal:11434");
    assert_eq!(answer(policy.approve_forward(5432)), "10.0.0.5:5432");
    assert_eq!(
        answer(policy.approve_forward(5433)),
        "not allowed: `10.0.0.5:5432` is a private address; `private = true` in `5433` of `plugins.coder.grants.containers.forwards` would allow it"
    );
    assert_eq!(
        answer(policy.approve_forward(1)),
        "not allowed: `plugins.coder.grants.containers.forwards` has no `1`"
    );
    let none = Policy::new("coder", Grants::default()).unwrap();
    assert_eq!(none.egress_ports(), [] as [u16; 0]);
    assert_eq!(
        answer(none.approve_egress("a.example", 443)),
        "not allowed: `plugins.coder.grants.containers.egress` has no `a.example:443`"
    );
}

#[track_caller]
fn check_line(to: &str, why: &str) {
    let given = policy(vec![grant(to, false)], &[]).map(drop).unwrap_err();
    let expected = format!("`{to}` in `grants.containers.egress` {why}");
    assert!(given.starts_with(&expected), "{given}");
}

#[track_caller]
fn check_forward(from: &str, to: &str, why: &str) {
    let given = policy(Vec::new(), &[(from, grant(to, false))]).map(drop).unwrap_err();
    let expected = format!("`{from} = {to}` in `grants.containers.forwards` {why}");
    assert!(given.starts_with(&expected), "{given}");
}

#[test]
fn a_line_that_cannot_be_read_is_an_error() {
    check_line("https://a.example", "has a scheme");
    check_line("a.example/", "names a path");
    check_line("me@a.example", "names a user");
    check_line("", "has no host that can be read");
    check_line("a.example:", "has no port that can be read");
    check_line("a.example:0", "has no port that can be read");
    check_line("a.example:99999", "has no port that can be read");
    check_line("a.example:80:80", "has no host that can be read");
    check_line("::1", "has no host that can be read");
    check_line("[::1", "has no host that can be read");
    check_line("a.*.example", "has a `*` in the wrong place");
    check_line("*a.example", "has a `*` in the wrong place");
    check_line("*.*", "has a `*` in the wrong place");
    check_line("*.127.0.0.1", "has a `*` in the wrong place");
    check_forward("x", "a.example:1", "has no port before the `=`");
    check_forward("0", "a.example:1", "has no port before the `=`");
    check_forward("3128", "a.example:1", "is the port of the proxy");
    check_forward("1", "a.example", "does not lead to one place");
    check_forward("1", "a.example:*", "does not lead to one place");
    check_forward("1", "*.a.example:1", "does not lead to one place");
    check_forward("1", "*:1", "does not lead to one place");
}
