//! Which places programs in a plugin's containers may reach.
//!
//! Which addresses a name leads to is not known here: the door looks when it dials, and asks [`super::is_private`].

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use url::Host;

use super::{Approved, Policy, is_private, network::Hosts};
use crate::{
    config::{ContainersGrant, EgressGrant},
    error::{Result, denied, invalid},
};

/// Where the proxy listens in a container.
pub const PROXY_PORT: u16 = 3128;

/// What a place without a port stands for: the web's.
const WEB_PORTS: [u16; 2] = [80, 443];
/// This machine's loopback, as containers have come to call it.
const THIS_MACHINE: &str = "host.docker.internal";

/// Where a program in a container may connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub host: Host,
    pub port: u16,
    /// Whether the name may lead to a private address.
    pub private: bool,
}

/// A plugin's `grants.containers.egress` and `forwards`, read.
#[derive(Debug, Default)]
pub(super) struct Egress {
    lines: Vec<Line>,
    forwards: Vec<(u16, Peer)>,
}

#[derive(Debug)]
pub(super) struct Line {
    hosts: Hosts,
    ports: Ports,
    private: bool,
}

#[derive(Debug, PartialEq)]
enum Ports {
    Every,
    Web,
    One(u16),
}

impl Policy {
    /// A yes to one connection from a container to a host as the program inside spells it.
    pub fn approve_egress(&self, host: &str, port: u16) -> Result<Approved<Peer>> {
        let Ok(host) = Host::parse(host) else {
            return Err(invalid(format!("`{}` is no host", host.escape_debug())));
        };
        let mut peer = Peer { host, port, private: false };
        self.reach.check(&peer)?;
        let line = format!("`plugins.{}.grants.containers.egress`", self.plugin);
        let lines = self.egress.lines.iter().filter(|line| line.contains(&peer));
        match lines.max_by_key(|line| line.private) {
            None => Err(denied(format!("not allowed: {line} has no `{peer}`"))),
            Some(granted) if granted.private || !peer.is_private() => {
                peer.private = granted.private;
                Ok(self.approved(peer))
            }
            Some(_) => Err(denied(format!(
                "not allowed: `{peer}` is a private address; `private = true` in its line of {line} would allow it"
            ))),
        }
    }

    /// A yes to one connection that comes in on this port of loopback inside.
    pub fn approve_forward(&self, port: u16) -> Result<Approved<Peer>> {
        let line = format!("`plugins.{}.grants.containers.forwards`", self.plugin);
        let Some((_, peer)) = self.egress.forwards.iter().find(|(from, _)| *from == port) else {
            return Err(denied(format!("not allowed: {line} has no `{port}`")));
        };
        self.reach.check(peer)?;
        if peer.private || !peer.is_private() {
            return Ok(self.approved(peer.clone()));
        }
        Err(denied(format!(
            "not allowed: `{peer}` is a private address; `private = true` in `{port}` of {line} would allow it"
        )))
    }

    /// The ports of loopback inside that lead out: the proxy's, where any place is granted, and those of forwards.
    pub fn egress_ports(&self) -> Vec<u16> {
        let Egress { lines, forwards } = &*self.egress;
        let proxy = (!lines.is_empty() && self.reach.leads_out()).then_some(PROXY_PORT);
        let within = forwards.iter().filter(|(_, peer)| self.reach.contains(peer));
        proxy.into_iter().chain(within.map(|(port, _)| *port)).collect()
    }
}

impl Egress {
    pub(super) fn new(grant: Option<&ContainersGrant>) -> Result<Self, String> {
        let Some(grant) = grant else { return Ok(Self::default()) };
        let lines = grant.egress.iter().map(Line::new).collect::<Result<_, _>>()?;
        let forwards = grant.forwards.iter().map(|(from, to)| forward(from, to));
        Ok(Self { lines, forwards: forwards.collect::<Result<_, _>>()? })
    }
}

impl Line {
    fn new(grant: &EgressGrant) -> Result<Self, String> {
        Self::read(&grant.to, grant.private)
            .map_err(|why| format!("`{}` in `grants.containers.egress` {why}", grant.to))
    }

    pub(super) fn read(to: &str, private: bool) -> Result<Self, String> {
        let (hosts, ports) = read(to)?;
        Ok(Self { hosts, ports, private })
    }

    /// A wildcard stands for names elsewhere, and so never for this machine.
    pub(super) fn contains(&self, peer: &Peer) -> bool {
        let host = match &peer.host {
            Host::Domain(name) => Host::Domain(name.as_str()),
            Host::Ipv4(address) => Host::Ipv4(*address),
            Host::Ipv6(address) => Host::Ipv6(*address),
        };
        let port = match self.ports {
            Ports::Every => true,
            Ports::Web => WEB_PORTS.contains(&peer.port),
            Ports::One(port) => port == peer.port,
        };
        let names_it = matches!(self.hosts, Hosts::One(_)) || !sounds_like_this_machine(&peer.host);
        port && names_it && self.hosts.contain(&host)
    }
}

impl Peer {
    /// The addresses that are known without asking anybody.
    pub fn addresses(&self) -> Option<Vec<IpAddr>> {
        match &self.host {
            Host::Ipv4(address) => Some(vec![(*address).into()]),
            Host::Ipv6(address) => Some(vec![(*address).into()]),
            Host::Domain(name) if name == THIS_MACHINE => {
                Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
            }
            Host::Domain(_) => None,
        }
    }

    /// Whether it is this machine's loopback, which only a grant of that very name reaches.
    pub fn is_this_machine(&self) -> bool {
        matches!(&self.host, Host::Domain(name) if name == THIS_MACHINE)
    }

    /// Whether it can be seen from how it is spelled that it is no place on the public internet.
    fn is_private(&self) -> bool {
        match &self.host {
            Host::Ipv4(address) => is_private((*address).into()),
            Host::Ipv6(address) => is_private((*address).into()),
            Host::Domain(name) => {
                let name = name.trim_end_matches('.');
                name == "localhost" || name.ends_with(".localhost")
            }
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

fn sounds_like_this_machine(host: &Host) -> bool {
    matches!(host, Host::Domain(name) if name.trim_end_matches('.') == THIS_MACHINE)
}

/// One line of `grants.containers.forwards`: a port inside, and the one place that it leads to.
fn forward(from: &str, grant: &EgressGrant) -> Result<(u16, Peer), String> {
    let wrong =
        |why: &str| format!("`{from} = {}` in `grants.containers.forwards` {why}", grant.to);
    let port = match from.parse() {
        Ok(PROXY_PORT) => return Err(wrong("is the port of the proxy: choose another")),
        Ok(0) | Err(_) => return Err(wrong("has no port before the `=`: write 1 to 65535")),
        Ok(port) => port,
    };
    match read(&grant.to).map_err(|why| wrong(&why))? {
        (Hosts::One(host), Ports::One(to)) => {
            Ok((port, Peer { host, port: to, private: grant.private }))
        }
        _ => Err(wrong("does not lead to one place: write `host:port`")),
    }
}

/// Reads `host`, `host:port` or `host:*`.
fn read(to: &str) -> Result<(Hosts, Ports), String> {
    if to.contains("://") {
        return Err("has a scheme: write `host[:port]`".to_owned());
    }
    if to.contains(['/', '\\', '?', '#']) {
        return Err("names a path: write `host[:port]`".to_owned());
    }
    if to.contains('@') {
        return Err("names a user: write `host[:port]`".to_owned());
    }
    let (host, ports) = match to.rsplit_once(':') {
        Some((host, "*")) => (host, Ports::Every),
        Some((host, port)) if !port.contains(']') => match port.parse() {
            Ok(port) if port > 0 => (host, Ports::One(port)),
            _ => return Err(format!("has no port that can be read: `{port}`")),
        },
        _ => (to, Ports::Web),
    };
    if host.contains(':') && !host.ends_with(']') {
        return Err("has no host that can be read: IPv6 addresses are in brackets".to_owned());
    }
    let (hosts, _) = Hosts::read("http", host)?;
    Ok((hosts, ports))
}

#[cfg(test)]
mod tests;
