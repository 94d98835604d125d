//! `ports` and `expose`.

use std::net::IpAddr;

use windlass_sdk::Error;

use super::{plan::Port, read::Node};

/// A range of more ports than this is a mistake.
const MOST: u16 = 2_000;

pub(crate) fn published(service: &Node<'_>) -> Result<Vec<Port>, Error> {
    let mut ports = Vec::new();
    for item in service.items_at("ports")? {
        if item.value.is_object() {
            ports.push(long(&item)?);
        } else {
            ports.extend(short(&item.text()?).map_err(|why| item.wrong(why))?);
        }
    }
    Ok(ports)
}

/// `8080-8081:80-81/tcp` and what stands around it.
fn short(text: &str) -> Result<Vec<Port>, String> {
    let (rest, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = known_protocol(protocol)?;
    let (rest, target) = rest.rsplit_once(':').unwrap_or(("", rest));
    let (first, last) = range(target)?;
    let (address, published) = match rest.rsplit_once(':') {
        Some((address, published)) => (Some(address), published),
        None if rest.parse::<IpAddr>().is_ok() || rest.starts_with('[') => (Some(rest), ""),
        None => (None, rest),
    };
    let address = address.filter(|it| !it.is_empty()).map(known_address).transpose()?;
    // 0 is a free one, as nothing is.
    let published = match published {
        "" | "0" => None,
        text => Some(range(text)?),
    };
    let port = |target: u16, published: Option<(u16, u16)>| Port {
        address: address.clone(),
        published,
        target,
        protocol: protocol.clone(),
    };
    match published {
        Some(of) if first == last => Ok(vec![port(first, Some(of))]),
        Some((from, to)) if to - from != last - first => {
            Err(format!("`{text}` has ranges of different lengths"))
        }
        of => Ok((first..=last)
            .map(|target| {
                port(target, of.map(|(from, _)| (from + (target - first), from + (target - first))))
            })
            .collect()),
    }
}

fn long(port: &Node<'_>) -> Result<Port, Error> {
    let target = port.need("target")?.number()?;
    let published = match port.get("published") {
        Some(node) if node.text()? != "0" => {
            Some(range(&node.text()?).map_err(|why| node.wrong(why))?)
        }
        _ => None,
    };
    let address = match port.get("host_ip") {
        Some(node) => Some(known_address(&node.text()?).map_err(|why| node.wrong(why))?),
        None => None,
    };
    let protocol = port.text_at("protocol")?.unwrap_or_else(|| "tcp".to_owned());
    let protocol = known_protocol(&protocol).map_err(|why| port.wrong(why))?;
    Ok(Port { address, published, target, protocol })
}

/// `80/tcp` for each port that is exposed and not published.
pub(crate) fn exposed(service: &Node<'_>) -> Result<Vec<String>, Error> {
    let mut exposed = Vec::new();
    for item in service.items_at("expose")? {
        let text = item.text()?;
        let (ports, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
        let protocol = known_protocol(protocol).map_err(|why| item.wrong(why))?;
        let (first, last) = range(ports).map_err(|why| item.wrong(why))?;
        exposed.extend((first..=last).map(|port| format!("{port}/{protocol}")));
    }
    Ok(exposed)
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("`{text}` is no port and no range of ports");
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first: u16 = first.trim().parse().map_err(|_| wrong())?;
    let last: u16 = last.trim().parse().map_err(|_| wrong())?;
    if first == 0 && last == 0 {
        return Err(wrong());
    }
    match last.checked_sub(first) {
        None => Err(format!("the range `{text}` ends before it begins")),
        Some(length) if length >= MOST => {
            Err(format!("the range `{text}` has more than {MOST} ports"))
        }
        Some(_) => Ok((first, last)),
    }
}

fn known_protocol(text: &str) -> Result<String, String> {
    let protocol = text.to_ascii_lowercase();
    match protocol.as_str() {
        "tcp" | "udp" | "sctp" => Ok(protocol),
        _ => Err(format!("`{text}` is no protocol: `tcp`, `udp` or `sctp`")),
    }
}

fn known_address(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
    let address: IpAddr =
        bare.parse().map_err(|_| format!("`{text}` is no address of a network"))?;
    Ok(address.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(port: serde_json::Value, expected: &str) {
        let service = json!({"ports": [port]});
        let said = match published(&Node::new(&service, "web")) {
            Ok(ports) => ports.iter().map(told).collect::<Vec<_>>().join(" "),
            Err(error) => error.message,
        };
        assert_eq!(said, expected, "{service}");
    }

    fn told(port: &Port) -> String {
        let address = port.address.clone().map(|it| it + "@").unwrap_or_default();
        let published = port.published.map(|(first, last)| format!("{first}-{last}"));
        format!("{address}{}>{}/{}", published.unwrap_or_default(), port.target, port.protocol)
    }

    #[test]
    fn each_form_of_a_port_is_known() {
        check(json!(80), ">80/tcp");
        check(json!("8080:80"), "8080-8080>80/tcp");
        check(json!("3000-3002"), ">3000/tcp >3001/tcp >3002/tcp");
        check(json!("9090-9091:80-81"), "9090-9090>80/tcp 9091-9091>81/tcp");
        check(json!("8000-8009:80/udp"), "8000-8009>80/udp");
        check(json!("127.0.0.1:8001:80"), "127.0.0.1@8001-8001>80/tcp");
        check(json!("127.0.0.1::80"), "127.0.0.1@>80/tcp");
        check(json!("127.0.0.1:80"), "127.0.0.1@>80/tcp");
        check(json!("[::1]:8001:80"), "::1@8001-8001>80/tcp");
        check(json!("::1:8001:80"), "::1@8001-8001>80/tcp");
        check(
            json!({"target": 80, "published": "8080", "host_ip": "::1", "protocol": "UDP"}),
            "::1@8080-8080>80/udp",
        );
        check(json!({"target": "80"}), ">80/tcp");
    }

    #[test]
    fn what_is_no_port_is_named() {
        check(json!("x:80"), "`web.ports[0]`: `x` is no port and no range of ports");
        check(json!("70000:80"), "`web.ports[0]`: `70000` is no port and no range of ports");
        check(json!("1-3:80-81"), "`web.ports[0]`: `1-3:80-81` has ranges of different lengths");
        check(json!("9-3:80"), "`web.ports[0]`: the range `9-3` ends before it begins");
        check(json!("1-9000"), "`web.ports[0]`: the range `1-9000` has more than 2000 ports");
        check(json!("80/icmp"), "`web.ports[0]`: `icmp` is no protocol: `tcp`, `udp` or `sctp`");
        check(json!("host:80:80"), "`web.ports[0]`: `host` is no address of a network");
        check(json!({"published": 1}), "`web.ports[0]`: `target` is missing");
    }

    #[test]
    fn ports_are_exposed_one_by_one() {
        let service = json!({"expose": [80, "90-91/udp"]});
        assert_eq!(exposed(&Node::new(&service, "web")).unwrap(), ["80/tcp", "90/udp", "91/udp"]);
    }

    #[test]
    fn each_container_has_a_port_of_its_own() {
        let port = Port {
            address: None,
            published: Some((8000, 8001)),
            target: 80,
            protocol: "tcp".to_owned(),
        };
        let of = |number| port.of_number(number).map(|it| it.port);
        assert_eq!([of(1), of(2), of(3)], [Some(Some(8000)), Some(Some(8001)), None]);
    }
}
