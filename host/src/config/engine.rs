//! What one plugin may do with what the user has in the engine, as the operator writes it.

use std::{fmt, net::IpAddr, path::Path};

use serde::{Deserialize, Serialize};

/// Which of the user's containers, volumes, networks and images a plugin reaches, and what those that it makes may be.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineGrant {
    /// Containers and volumes by name, `*` for any part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Besides, those with one of these labels: `name=value`, `*` for any part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Networks by name, to make, join and remove.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// Where images may come from.
    pub registries: Vec<String>,
    /// Which of them: names with registry, `*` for any part, `@sha256:…` for just one. Empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// Whether an image has to be named by its digest.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// Folders and files of this machine that containers may have, with all that is in them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub binds: Vec<BindGrant>,
    /// Where this machine may listen for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortGrant>,
    /// What may break their walls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub powers: Vec<EnginePower>,
    /// Secrets that may be in their environment and files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// The most memory of one, in MiB. Also what it gets if nobody asks for less. None: without bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
    /// The same for processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f32>,
    /// The same for processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<u32>,
}

impl Default for EngineGrant {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            labels: Vec::new(),
            networks: Vec::new(),
            registries: vec!["docker.io".to_owned(), "ghcr.io".to_owned()],
            images: Vec::new(),
            pinned: false,
            binds: Vec::new(),
            ports: Vec::new(),
            powers: Vec::new(),
            secrets: Vec::new(),
            memory_mib: None,
            cpus: None,
            pids: None,
        }
    }
}

/// Something that breaks the walls of a container.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnginePower {
    Privileged,
    HostNetwork,
    HostProcesses,
    Capabilities,
    Devices,
    Unconfined,
    EngineSocket,
}

impl EnginePower {
    /// As it is written in a grant.
    pub fn name(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::HostNetwork => "host-network",
            Self::HostProcesses => "host-processes",
            Self::Capabilities => "capabilities",
            Self::Devices => "devices",
            Self::Unconfined => "unconfined",
            Self::EngineSocket => "engine-socket",
        }
    }
}

/// A folder of this machine: `/srv/data`, or `/srv/data:ro` to read it alone.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct BindGrant {
    pub path: String,
    pub read_only: bool,
}

impl TryFrom<String> for BindGrant {
    type Error = String;

    fn try_from(written: String) -> Result<Self, Self::Error> {
        let (path, read_only) = match written.strip_suffix(":ro") {
            Some(path) => (path, true),
            None => (written.strip_suffix(":rw").unwrap_or(&written), false),
        };
        check_folder(path)?;
        Ok(Self { path: path.to_owned(), read_only })
    }
}

impl From<BindGrant> for String {
    fn from(bind: BindGrant) -> Self {
        bind.to_string()
    }
}

impl fmt::Display for BindGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.path, if self.read_only { ":ro" } else { "" })
    }
}

/// A folder whose files a plugin may read.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "String")]
pub struct Folder(String);

impl Folder {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Folder {
    type Error = String;

    fn try_from(path: String) -> Result<Self, Self::Error> {
        check_folder(&path)?;
        Ok(Self(path))
    }
}

fn check_folder(path: &str) -> Result<(), String> {
    if !Path::new(path).is_absolute() {
        return Err(format!("`{path}` is no absolute path"));
    }
    let parts = path.trim_start_matches('/').split('/');
    if path != "/" && parts.into_iter().any(|part| matches!(part, "" | "." | "..")) {
        return Err(format!("`{path}` has a `.`, a `..`, or a slash too many; write it without"));
    }
    if path.contains(|it: char| it.is_control()) {
        return Err(format!("`{}` has a letter that is none", path.escape_debug()));
    }
    Ok(())
}

/// Ports of this machine: `8080`, `8000-8999`, `127.0.0.1:1024-65535`, `[::1]:80/udp`. Without an address: all of them, and
/// `*` is every port; without a protocol: any.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "PortWritten", into = "String")]
pub struct PortGrant {
    pub address: Option<IpAddr>,
    pub first: u16,
    pub last: u16,
    pub protocol: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PortWritten {
    Number(u16),
    Text(String),
}

impl TryFrom<PortWritten> for PortGrant {
    type Error = String;

    fn try_from(written: PortWritten) -> Result<Self, Self::Error> {
        match written {
            PortWritten::Number(port) => Self::read(&port.to_string()),
            PortWritten::Text(text) => Self::read(&text),
        }
    }
}

impl PortGrant {
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no port: write `8080`, `8000-8999` or `127.0.0.1:1024-65535`, with `/udp` at the end where it is meant"
            )
        };
        let (rest, protocol) = match text.split_once('/') {
            Some((rest, protocol)) if matches!(protocol, "tcp" | "udp" | "sctp") => {
                (rest, Some(protocol.to_owned()))
            }
            Some(_) => return Err(wrong()),
            None => (text, None),
        };
        let (address, ports) = match rest.rsplit_once(':') {
            Some((address, ports)) => {
                let bare = address.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
                let address = bare.unwrap_or(address).parse().map_err(|_| wrong())?;
                (Some(address), ports)
            }
            None => (None, rest),
        };
        let (first, last) = match ports.split_once('-') {
            _ if ports == "*" => (1, u16::MAX),
            Some((first, last)) => {
                (first.parse().map_err(|_| wrong())?, last.parse().map_err(|_| wrong())?)
            }
            None => {
                let port = ports.parse().map_err(|_| wrong())?;
                (port, port)
            }
        };
        if first == 0 || first > last {
            return Err(wrong());
        }
        Ok(Self { address, first, last, protocol })
    }
}

impl From<PortGrant> for String {
    fn from(port: PortGrant) -> Self {
        port.to_string()
    }
}

impl fmt::Display for PortGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V6(address)) => write!(formatter, "[{address}]:")?,
            Some(address) => write!(formatter, "{address}:")?,
            None => {}
        }
        match (self.first, self.last) {
            (1, u16::MAX) => formatter.write_str("*")?,
            (first, last) if first == last => write!(formatter, "{first}")?,
            (first, last) => write!(formatter, "{first}-{last}")?,
        }
        self.protocol.as_ref().map_or(Ok(()), |it| write!(formatter, "/{it}"))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::EngineGrant;
    use crate::config::parse;

    #[track_caller]
    fn check(text: &str, expected: &Expect) {
        let told = match parse::<EngineGrant>(text) {
            Ok(grant) => toml::Table::try_from(grant).unwrap().to_string(),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn a_grant_is_read_and_written_as_people_do() {
        check(
            "ports = [80, '8000-8999', '127.0.0.1:*', '[::1]:53/udp']\nbinds = ['/srv/a', '/srv/b:ro', '/c:rw']\npowers = ['host-network']",
            &expect![[r#"
                binds = ["/srv/a", "/srv/b:ro", "/c"]
                ports = ["80", "8000-8999", "127.0.0.1:*", "[::1]:53/udp"]
                powers = ["host-network"]
                registries = ["docker.io", "ghcr.io"]
            "#]],
        );
    }

    #[test]
    fn what_cannot_be_granted_says_so() {
        for (text, why) in [
            ("ports = ['x']", "`x` is no port"),
            ("ports = ['9-8']", "`9-8` is no port"),
            ("ports = [0]", "`0` is no port"),
            ("ports = ['localhost:80']", "is no port"),
            ("ports = ['80/icmp']", "is no port"),
            ("binds = ['srv']", "`srv` is no absolute path"),
            ("binds = ['/srv/../etc']", "a `..`"),
            ("powers = ['all']", "unknown variant `all`"),
            ("name = []", "unknown field `name`"),
        ] {
            let told = parse::<EngineGrant>(text).unwrap_err().to_string();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
