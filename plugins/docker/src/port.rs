//! Published ports, as `create-container` is told of them and as people read them. Pure.

use std::{collections::BTreeMap, net::IpAddr};

use windlass_sdk::{Error, engine::Published};

use crate::{amount::Scalar, error::validation};

/// More at once are a mistake.
const MOST: u16 = 1000;

/// `80`, `8000-8010` or, on this machine, 0 for a free one.
struct Range {
    first: u16,
    last: u16,
}

/// From `{"127.0.0.1:80": "8080/udp"}`: where this machine listens, and the container's port.
pub(crate) fn published(ports: &BTreeMap<String, Scalar>) -> Result<Vec<Published>, Error> {
    let mut all = Vec::new();
    for (host, container) in ports {
        all.extend(one(host, &container.to_string())?);
    }
    Ok(all)
}

fn one(host: &str, container: &str) -> Result<Vec<Published>, Error> {
    let wrong = || {
        validation(
            "ports",
            format!(
                "`ports` has `{host}`: `{container}`: give port or address and port of this machine, and the container's port: \
                 `{{\"8080\": \"80\"}}`, `{{\"127.0.0.1:5353\": \"53/udp\"}}`"
            ),
        )
    };
    let (host_place, host_protocol) = protocol(host).ok_or_else(wrong)?;
    let (target, protocol) = protocol(container).ok_or_else(wrong)?;
    let protocol = match (host_protocol, protocol) {
        (Some(one), Some(other)) if one != other => return Err(wrong()),
        (one, other) => one.or(other).unwrap_or("tcp"),
    };
    let (address, place) = address(host_place).ok_or_else(wrong)?;
    let (from, to) = (range(place).ok_or_else(wrong)?, range(target).ok_or_else(wrong)?);
    let is_free = from.first == 0;
    if to.first == 0 || (from.count() != to.count() && !(is_free && from.last == 0)) {
        return Err(wrong());
    }
    let publish = |offset: u16| Published {
        address: address.clone(),
        port: (!is_free).then(|| from.first.saturating_add(offset)),
        target: to.first.saturating_add(offset),
        protocol: protocol.to_owned(),
    };
    Ok((0..to.count()).map(publish).collect())
}

/// What stands before `/udp`, and that. None: there is no such protocol.
fn protocol(text: &str) -> Option<(&str, Option<&str>)> {
    match text.trim().split_once('/') {
        None => Some((text.trim(), None)),
        Some((place, protocol @ ("tcp" | "udp" | "sctp"))) => Some((place, Some(protocol))),
        Some(_) => None,
    }
}

/// An address of this machine, where there is one, and the port.
fn address(text: &str) -> Option<(Option<String>, &str)> {
    let Some((address, port)) = text.rsplit_once(':') else { return Some((None, text)) };
    let bare = address.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(address);
    let bare = if bare == "localhost" { "127.0.0.1" } else { bare };
    bare.parse::<IpAddr>().ok().map(|it| (Some(it.to_string()), port))
}

fn range(text: &str) -> Option<Range> {
    let port = |text: &str| {
        let digits = !text.is_empty() && text.chars().all(|it| it.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last && last - first < MOST).then_some(Range { first, last })
}

impl Range {
    fn count(&self) -> u16 {
        self.last - self.first + 1
    }
}

/// As the engine's command line says it: `127.0.0.1:8080->80/tcp`.
pub(crate) fn shown(published: &Published) -> String {
    let Published { address, port, target, protocol } = published;
    let Some(port) = port else { return format!("{target}/{protocol}") };
    match address.as_deref() {
        None => format!("{port}->{target}/{protocol}"),
        Some(address) if address.contains(':') => {
            format!("[{address}]:{port}->{target}/{protocol}")
        }
        Some(address) => format!("{address}:{port}->{target}/{protocol}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, container: &str, expected: &[&str]) {
        let ports = BTreeMap::from([(host.to_owned(), Scalar::Text(container.to_owned()))]);
        let all = published(&ports).map(|all| all.iter().map(shown).collect::<Vec<_>>());
        assert_eq!(all.unwrap_or_default(), expected, "{host}: {container}");
    }

    #[test]
    fn ports_are_read_as_people_write_them() {
        check("80", "8080", &["80->8080/tcp"]);
        check("80/udp", "8080", &["80->8080/udp"]);
        check("80", "8080/udp", &["80->8080/udp"]);
        check("80/tcp", "8080/tcp", &["80->8080/tcp"]);
        check("127.0.0.1:80", "8080", &["127.0.0.1:80->8080/tcp"]);
        check("localhost:80", "8080", &["127.0.0.1:80->8080/tcp"]);
        check("[::1]:80/udp", "8080", &["[::1]:80->8080/udp"]);
        check("0", "80", &["80/tcp"]);
        check("127.0.0.1:0", "80", &["80/tcp"]);
        check("8000-8002", "80-82", &["8000->80/tcp", "8001->81/tcp", "8002->82/tcp"]);
        check("0", "80-81", &["80/tcp", "81/tcp"]);
    }

    #[test]
    fn what_is_no_port_is_refused() {
        let wrong =
            ["", "a", "-1", "65536", "80:80:80", "1.2.3:80", "80/icmp", "2-1", "+80", "1-2000"];
        for host in wrong {
            check(host, "80", &[]);
        }
        for container in ["", "0", "x", "80/x", "127.0.0.1:80", "70000", "80-81"] {
            check("80", container, &[]);
        }
        check("80/tcp", "80/udp", &[]);
    }

    #[test]
    fn a_number_is_a_port_too() {
        let ports = BTreeMap::from([("80".to_owned(), Scalar::Whole(8080))]);
        assert_eq!(published(&ports).unwrap()[0].target, 8080);
    }
}
