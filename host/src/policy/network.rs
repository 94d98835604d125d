//! Which places a plugin may send requests to.
//!
//! Which addresses a name leads to is not known here: the door looks when it dials, and asks [`is_private`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::{Approved, Policy};
use crate::{
    capability::bindings::windlass::plugin::http::Method,
    config::HttpGrant,
    error::{Result, denied, invalid},
};

/// A longer one is a mistake.
const LONGEST_URL: usize = 16 << 10;

/// One line of a plugin's `grants.http`, read.
#[derive(Clone, Debug)]
pub struct Place {
    scheme: String,
    hosts: Hosts,
    /// `None` stands for every port.
    port: Option<u16>,
    private: bool,
    secrets: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Hosts {
    Every,
    Below(String),
    One(Host),
}

/// A request that is about to be sent.
#[derive(Debug)]
pub struct Target {
    pub method: Method,
    pub url: Url,
    /// Whether the name may lead to a private address.
    pub private: bool,
    /// The secrets that may travel with it.
    pub secrets: Vec<String>,
}

impl Policy {
    /// A yes to one request that carries these secrets. Each redirect is a request of its own.
    pub fn approve_request(
        &self,
        method: Method,
        url: &str,
        secrets: &[&str],
    ) -> Result<Approved<Target>> {
        self.may_leave("http.send")?;
        if !matches!(method, Method::Get | Method::Head) {
            self.may_write("http.send")?;
        }
        let url = read(url)?;
        let private = self.place(&url, secrets)?.private;
        let secrets = secrets.iter().map(|&secret| secret.to_owned()).collect();
        Ok(self.approved(Target { method, url, private, secrets }))
    }

    /// The granted place that allows the most: every secret, and a private address if any line does.
    fn place(&self, url: &Url, secrets: &[&str]) -> Result<&Place> {
        let line = format!("`plugins.{}.grants.http`", self.plugin);
        let to = url.origin().ascii_serialization();
        let mut places: Vec<_> = self.places.iter().filter(|place| place.contains(url)).collect();
        if places.is_empty() {
            return Err(denied(format!("not allowed: {line} has no `{to}`")));
        }
        for &secret in secrets {
            places.retain(|place| place.secrets.iter().any(|granted| granted == secret));
            if places.is_empty() {
                return Err(denied(format!(
                    "not allowed: {line} does not let the secret `{secret}` go to `{to}`"
                )));
            }
        }
        match places.into_iter().max_by_key(|place| place.private) {
            Some(place) if place.private || !address(url).is_some_and(is_private) => Ok(place),
            _ => Err(denied(format!(
                "not allowed: `{to}` is a private address; `private = true` in its line of {line} would allow it"
            ))),
        }
    }
}

impl Place {
    pub(super) fn new(grant: &HttpGrant) -> Result<Self, String> {
        let to = &grant.to;
        let wrong = |why: &str| format!("`{to}` in `grants.http` {why}");
        let Some((scheme, rest)) = to.split_once("://") else {
            return Err(wrong(&format!("has no scheme: write `https://{to}`")));
        };
        if !matches!(scheme, "http" | "https") {
            return Err(wrong("must start with `http://` or `https://`"));
        }
        if rest.contains(['/', '\\', '?', '#']) {
            return Err(wrong("names a path: write `scheme://host[:port]`"));
        }
        if rest.contains('@') {
            return Err(wrong("names a user: secrets go into `secrets`"));
        }
        let (rest, every_port) = match rest.strip_suffix(":*") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (hosts, port) = Hosts::read(scheme, rest).map_err(|why| wrong(&why))?;
        Ok(Self {
            scheme: scheme.to_owned(),
            hosts,
            port: port.filter(|_| !every_port),
            private: grant.private,
            secrets: grant.secrets.clone(),
        })
    }

    fn contains(&self, url: &Url) -> bool {
        self.scheme == url.scheme()
            && (self.port.is_none() || self.port == url.port_or_known_default())
            && url.host().is_some_and(|host| self.hosts.contain(&host))
    }
}

impl Hosts {
    /// Reads `host[:port]`, and names the port that counts.
    pub(super) fn read(scheme: &str, text: &str) -> Result<(Self, Option<u16>), String> {
        const WILDCARD: &str = "has a `*` in the wrong place: `*` is every host, `*.example.com` every name below `example.com`";
        let below = text.strip_prefix("*.");
        let every = text.strip_prefix('*').filter(|port| port.is_empty() || port.starts_with(':'));
        let plain = match (below, every) {
            (Some(name), _) => name.to_owned(),
            (None, Some(port)) => format!("every{port}"),
            (None, None) => text.to_owned(),
        };
        let url = Url::parse(&format!("{scheme}://{plain}"))
            .map_err(|error| format!("has no host that can be read: {error}"))?;
        let hosts = match (url.host(), below, every) {
            _ if plain.contains('*') => return Err(WILDCARD.to_owned()),
            (_, _, Some(_)) => Self::Every,
            (Some(Host::Domain(name)), Some(_), _) => Self::Below(name.to_owned()),
            (Some(host), None, _) => Self::One(host.to_owned()),
            _ => return Err(WILDCARD.to_owned()),
        };
        Ok((hosts, url.port_or_known_default()))
    }

    pub(super) fn contain(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Every, _) => true,
            (Self::Below(name), Host::Domain(host)) => host
                .strip_suffix(name.as_str())
                .is_some_and(|front| front.len() > 1 && front.ends_with('.')),
            (Self::Below(_), _) => false,
            (Self::One(granted), host) => granted == host,
        }
    }
}

/// A URL as it may be sent: of the web, without a user, without a fragment.
fn read(text: &str) -> Result<Url> {
    if text.len() > LONGEST_URL {
        return Err(invalid(format!("the URL is longer than {LONGEST_URL} bytes")));
    }
    let mut url =
        Url::parse(text).map_err(|error| invalid(format!("the URL cannot be read: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        let scheme = url.scheme();
        return Err(invalid(format!(
            "the URL must start with `http://` or `https://`, not `{scheme}:`"
        )));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("the URL names a user: use an `authorization` header"));
    }
    url.set_fragment(None);
    Ok(url)
}

fn address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
    }
}

/// Whether an address is anything but a place on the public internet.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    match address.octets() {
        // This network, this host, multicast, reserved, broadcast.
        [0 | 127 | 224..=255, ..] => true,
        // Private networks, those of carriers, and link-local ones.
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => true,
        [100, 64..=127, ..] | [169, 254, ..] => true,
        // Protocol assignments, benchmarks, documentation, 6to4 relays.
        [192, 0, 0 | 2, _] | [198, 18 | 19, ..] => true,
        [198, 51, 100, _] | [203, 0, 113, _] | [192, 88, 99, _] => true,
        // Looks public, and is what Azure's machines ask for their settings.
        [168, 63, 129, 16] => true,
        _ => false,
    }
}

/// Only 2000::/3 is public. What carries an IPv4 address is as private as that one.
fn is_private_v6(address: Ipv6Addr) -> bool {
    let carries_private = |high: u16, low: u16| {
        let bits = u32::from(high) << 16 | u32::from(low);
        is_private_v4(Ipv4Addr::from_bits(bits))
    };
    match address.segments() {
        // IPv4-mapped, and NAT64.
        [0, 0, 0, 0, 0, 0xffff, high, low] => carries_private(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => carries_private(high, low),
        // 6to4, Teredo (its server, and its client in disguise), ISATAP.
        [0x2002, high, low, ..] => carries_private(high, low),
        [0x2001, 0, high, low, .., client_high, client_low] => {
            carries_private(high, low) || carries_private(!client_high, !client_low)
        }
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] if carries_private(high, low) => true,
        // Protocol assignments and documentation.
        [0x2001, 1..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => true,
        [0x2000..=0x3fff, ..] => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{capability::tools::Hints, config::Grants, error::Failure};

    fn grant(to: &str) -> HttpGrant {
        HttpGrant { to: to.to_owned(), private: false, secrets: Vec::new() }
    }

    fn policy(http: Vec<HttpGrant>) -> Policy {
        Policy::new("coder", Grants { http, ..Grants::default() }).unwrap()
    }

    fn answer(result: Result<Approved<Target>>) -> String {
        match result {
            Ok(_) => "yes".to_owned(),
            Err(Failure::Answer(error)) => error.message,
            Err(Failure::Trap(error)) => panic!("{error}"),
        }
    }

    #[track_caller]
    fn check_place(to: &str, url: &str, allowed: bool) {
        let given = answer(policy(vec![grant(to)]).approve_request(Method::Get, url, &[]));
        assert_eq!(given == "yes", allowed, "{to} {url}: {given}");
        assert!(allowed || given.contains("`plugins.coder.grants.http` has no `"), "{given}");
    }

    #[test]
    fn a_grant_covers_its_hosts_and_ports_and_no_other() {
        check_place("https://a.example", "https://a.example/x?y#z", true);
        check_place("https://a.example", "https://A.EXAMPLE:443/", true);
        check_place("https://a.example", "http://a.example/", false);
        check_place("https://a.example", "https://a.example:8443/", false);
        check_place("https://a.example", "https://b.a.example/", false);
        check_place("https://a.example", "https://a.example.evil.example/", false);
        check_place("https://a.example", "https://evil.example/https://a.example", false);
        check_place("https://a.example", "https://evil.example\\a.example", false);
        check_place("https://a.example", "https://a.example./", false);
        check_place("https://*.a.example", "https://b.a.example", true);
        check_place("https://*.a.example", "https://a.example", false);
        check_place("https://*.a.example", "https://.a.example", false);
        check_place("https://*.a.example", "https://evila.example", false);
        check_place("https://*.a.example:*", "https://b.a.example:9", true);
        check_place("http://a.example:*", "http://a.example:9", true);
        check_place("http://*", "http://anything.example", true);
        check_place("http://*", "http://[2606:4700::1111]", true);
        check_place("http://*", "https://anything.example", false);
        check_place("http://*", "http://anything.example:81", false);
        check_place("http://*:81", "http://anything.example:81", true);
        check_place("http://*:*", "http://anything.example:82", true);
        check_place("https://bücher.example", "https://xn--bcher-kva.example", true);
        check_place("https://xn--bcher-kva.example", "https://BÜCHER.example", true);
        check_place("https://[2606:4700::1111]:*", "https://[2606:4700:0::1111]:5", true);
        check_place("https://8.8.8.8", "https://0x8.8.2056/", true);
        check_place("https://8.8.8.8", "https://8.8.8.9", false);
    }

    #[track_caller]
    fn check_private(url: &str) {
        let to = |private| policy(vec![HttpGrant { private, ..grant("http://*:*") }]);
        let given = answer(to(false).approve_request(Method::Get, url, &[]));
        assert!(given.contains("is a private address; `private = true`"), "{url}: {given}");
        assert_eq!(answer(to(true).approve_request(Method::Get, url, &[])), "yes", "{url}");
    }

    #[test]
    fn a_private_address_needs_its_own_word_however_it_is_spelled() {
        let spellings = "127.0.0.1 127.1 0x7f.1 2130706433 0177.0.0.1 0x7f000001 127.0.0.1. 127.0.0.1:8080 %31%32%37.0.0.1
            １２７.0.0.1 0.0.0.0 0 169.254.169.254 10.0.0.5 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 192.0.0.1
            192.0.2.1 198.18.0.1 198.19.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 168.63.129.16
            [::] [::1] [::127.0.0.1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:0:127.0.0.1] [64:ff9b::10.0.0.5]
            [64:ff9b:1::1] [2002:7f00:1::] [2002:a00:5::1] [2001:0:808:808::f5ff:fffa] [2001:0:a00:5::f7f7:f7f7]
            [2606:4700::5efe:10.0.0.5] [2606:4700::200:5efe:10.0.0.5] [fc00::1] [fdff::1] [fe80::1] [fec0::1]
            [ff02::1] [100::1] [2001:db8::1] [2001:2::1] [3fff:1::1] [5f00::1]";
        for host in spellings.split_whitespace() {
            check_private(&format!("http://{host}/"));
        }
    }

    #[test]
    fn a_public_address_does_not() {
        let public = "1.1.1.1 9.255.255.255 11.0.0.1 100.63.0.1 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1
            192.167.1.1 198.17.0.1 198.20.0.1 223.255.255.255 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1
            2001:0:808:808::f7f7:f7f7 2001:4860:4860::8888 2606:4700::1111 2a00::5efe:8.8.8.8 3fff:1000::1";
        for address in public.split_whitespace() {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }

    #[track_caller]
    fn check(hints: Hints, method: Method, url: &str, secrets: &[&str], expected: &str) {
        let with = |to: &str, secrets: &[&str]| HttpGrant {
            secrets: secrets.iter().map(|&secret| secret.to_owned()).collect(),
            ..grant(to)
        };
        let lines = vec![
            with("https://*.a.example", &[]),
            with("https://x.a.example", &["token", "key"]),
            with("https://y.a.example", &["token"]),
            with("https://y.a.example", &["key"]),
        ];
        let policy = policy(lines).for_tool(&Arc::from("list"), hints);
        assert_eq!(answer(policy.approve_request(method, url, secrets)), expected);
    }

    #[test]
    fn secrets_promises_and_urls() {
        let refused = "not allowed: `plugins.coder.grants.http` does not let the secret";
        let refused = |secret, to| format!("{refused} `{secret}` go to `{to}`");
        let (reads, leaves) = (Hints::READ_ONLY | Hints::OPEN_WORLD, Hints::OPEN_WORLD);
        let (get, post) = (Method::Get, Method::Post);
        check(leaves, get, "https://x.a.example", &["token", "key"], "yes");
        check(leaves, get, "https://y.a.example", &["token"], "yes");
        let place = "https://y.a.example";
        check(leaves, get, place, &["token", "key"], &refused("key", place));
        check(leaves, get, place, &["other"], &refused("other", place));
        let place = "https://z.a.example";
        check(leaves, get, place, &["token"], &refused("token", place));
        check(reads, Method::Head, "https://x.a.example", &[], "yes");
        let read_only = "tool `list` says it is read-only: `http.send` is refused";
        check(reads, post, "https://x.a.example", &[], read_only);
        let closed = "tool `list` does not say it is open-world: `http.send` is refused";
        check(Hints::empty(), get, "https://x.a.example", &[], closed);
        let user = "the URL names a user: use an `authorization` header";
        check(leaves, get, "https://me@x.a.example", &[], user);
        check(leaves, get, "https://:word@x.a.example", &[], user);
        let scheme = "the URL must start with `http://` or `https://`, not `file:`";
        check(leaves, get, "file:///etc/passwd", &[], scheme);
        let relative = "the URL cannot be read: relative URL without a base";
        check(leaves, get, "/etc/passwd", &[], relative);
        let long = format!("https://x.a.example/{}", "x".repeat(LONGEST_URL));
        check(leaves, get, &long, &[], "the URL is longer than 16384 bytes");
    }

    #[track_caller]
    fn check_grant(to: &str, why: &str) {
        let given = Place::new(&grant(to)).map(|_| ()).unwrap_err();
        assert!(given.starts_with(&format!("`{to}` in `grants.http` {why}")), "{given}");
    }

    #[test]
    fn a_grant_that_cannot_be_read_is_an_error() {
        check_grant("a.example", "has no scheme: write `https://a.example`");
        check_grant("a.example:443", "has no scheme");
        check_grant("ftp://a.example", "must start with `http://` or `https://`");
        check_grant("*://a.example", "must start with");
        check_grant("https://a.example/", "names a path");
        check_grant("https://a.example?x", "names a path");
        check_grant("https://me@a.example", "names a user");
        check_grant("https://", "has no host that can be read");
        check_grant("https://a.example:99999", "has no host that can be read");
        check_grant("https://a b.example", "has no host that can be read");
        check_grant("https://[::1", "has no host that can be read");
        check_grant("https://a.*.example", "has a `*` in the wrong place");
        check_grant("https://*a.example", "has a `*` in the wrong place");
        check_grant("https://*.*", "has a `*` in the wrong place");
        check_grant("https://*.127.0.0.1", "has a `*` in the wrong place");
    }
}
