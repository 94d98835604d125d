//! Where this machine may listen for a container.

use std::net::{IpAddr, Ipv4Addr};

use super::super::Policy;
use crate::{
    capability::engine::Published,
    config::{EngineGrant, PortGrant},
    error::{Result, invalid},
};

impl Policy {
    /// The same with the address where it is granted.
    pub(super) fn publish(&self, grant: &EngineGrant, port: Published) -> Result<Published> {
        if !matches!(port.protocol.as_str(), "tcp" | "udp" | "sctp") {
            let protocol = port.protocol.escape_debug();
            return Err(invalid(format!("`{protocol}` is no protocol: it is tcp, udp or sctp")));
        }
        if port.target == 0 || port.port == Some(0) {
            return Err(invalid("a port is 1 to 65535"));
        }
        let wanted = match &port.address {
            Some(text) => Some(text.parse::<IpAddr>().map_err(|_| {
                invalid(format!("`{}` is no address to publish a port at", text.escape_debug()))
            })?),
            None => None,
        };
        let fits = grant.ports.iter().filter(|it| covers(it, &port));
        // Who names no address gets all where all are granted, else the first that is.
        let chosen = match wanted {
            Some(address) => fits.clone().find(|it| holds(it, address)).map(|_| address),
            None => fits
                .clone()
                .find(|it| it.address.is_none())
                .map(|_| IpAddr::V4(Ipv4Addr::UNSPECIFIED))
                .or_else(|| fits.clone().find_map(|it| it.address)),
        };
        match chosen {
            Some(address) => {
                let all = wanted.is_none() && address.is_unspecified();
                Ok(Published { address: (!all).then(|| address.to_string()), ..port })
            }
            None => Err(self.lacks("ports", &written(wanted, &port))),
        }
    }
}

/// A free port is taken by the engine from anywhere, so a grant has to allow the whole of what is not reserved.
fn covers(grant: &PortGrant, port: &Published) -> bool {
    let ports = match port.port {
        Some(port) => grant.first <= port && port <= grant.last,
        None => grant.first <= 1024 && grant.last == u16::MAX,
    };
    ports && grant.protocol.as_ref().is_none_or(|it| *it == port.protocol)
}

fn holds(grant: &PortGrant, address: IpAddr) -> bool {
    grant.address.is_none_or(|granted| granted == address)
}

fn written(address: Option<IpAddr>, port: &Published) -> String {
    let address = match address {
        Some(IpAddr::V6(address)) => format!("[{address}]:"),
        Some(address) => format!("{address}:"),
        None => String::new(),
    };
    let port_text = port.port.map_or("1024-65535".to_owned(), |it| it.to_string());
    let protocol =
        if port.protocol == "tcp" { String::new() } else { format!("/{}", port.protocol) };
    format!("{address}{port_text}{protocol}")
}
