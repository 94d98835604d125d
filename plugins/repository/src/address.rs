//! Where a repository may be: an HTTP server, or a folder of this machine that the operator granted. Pure.

use std::fmt;

use windlass_sdk::Error;

use crate::failure::validation;

/// Longer addresses are a mistake.
const LONGEST: usize = 2048;
/// What is in every container, and never a folder that was granted.
const INSIDE: &[&str] = &["/workspace", "/proc", "/sys", "/dev", "/tmp/git", "/etc", "/.windlass"];

/// The address of a repository that git may be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A server that speaks git over HTTP.
    Web { secure: bool, host: String, url: String },
    /// A folder. In a container there are only those that `grants.containers.mounts` names.
    Local(String),
}

impl Address {
    /// Reads an address, and refuses what git could be led astray with.
    pub fn new(text: &str) -> Result<Self, Error> {
        if text.is_empty() || text.len() > LONGEST || text.contains(char::is_control) {
            return Err(validation(format!(
                "a repository's address is 1 to {LONGEST} bytes without control characters"
            )));
        }
        if text.starts_with('/') {
            return local(text);
        }
        match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => web(true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => web(false, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => {
                let path = rest.strip_prefix("localhost").unwrap_or(rest);
                if path.starts_with('/') { local(&decoded(path)) } else { Err(foreign(text)) }
            }
            _ => Err(foreign(text)),
        }
    }

    /// As git is given it.
    pub fn as_given(&self) -> &str {
        match self {
            Self::Web { url, .. } => url,
            Self::Local(path) => path,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_given())
    }
}

/// Stricter than git and its HTTP library are, so that all three see the same host.
fn web(secure: bool, rest: &str) -> Result<Address, Error> {
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err(validation(
            "the address holds a user or a password: leave them out, and let the operator name a secret in `credentials` for this host",
        ));
    }
    let host = authority.to_ascii_lowercase();
    let usual = if secure { ":443" } else { ":80" };
    let host = host.strip_suffix(usual).unwrap_or(&host).to_owned();
    if !is_host(&host) || !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err(validation(
            "the address names no host, or holds what belongs into no address: write `https://host[:port]/path`",
        ));
    }
    let scheme = if secure { "https" } else { "http" };
    Ok(Address::Web { secure, url: format!("{scheme}://{host}{path}"), host })
}

/// `name`, `name:port`, `[IPv6]` or `[IPv6]:port`.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let number = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let bracketed = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let fits = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            name.starts_with(|letter: char| letter.is_ascii_alphanumeric())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        }
    };
    fits && port.is_none_or(number)
}

fn local(path: &str) -> Result<Address, Error> {
    let parts: Vec<_> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err(validation(format!("`{path}` leads upwards: write it without `..`")));
    }
    let path = format!("/{}", parts.join("/"));
    let below = |folder: &str| {
        path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if parts.is_empty() || INSIDE.iter().any(|folder| below(folder)) {
        return Err(validation(format!(
            "`{path}` is no folder that repositories are in: `grants.containers.mounts` names those"
        )));
    }
    Ok(Address::Local(path))
}

fn foreign(text: &str) -> Error {
    let shown: String = text.chars().take(80).collect();
    validation(format!(
        "`{shown}` is no address for git: write `https://host/path`, `http://host/path`, or the path of a folder that `grants.containers.mounts` names"
    ))
}

/// A path with its `%20`s and such decoded.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digits = (byte == b'%').then(|| (ahead.next(), ahead.next()));
        match digits {
            Some((Some(high), Some(low))) if let Some(value) = hex(high, low) => {
                bytes.push(value);
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? * 16 + digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Address::new(text).ok().as_ref().map(Address::as_given), expected, "{text}");
    }

    #[test]
    fn only_http_and_granted_folders_are_addresses() {
        check("https://example.com/a.git", Some("https://example.com/a.git"));
        check("http://127.0.0.1:8080/a.git#x", Some("http://127.0.0.1:8080/a.git"));
        check("HTTPS://Example.com/a", Some("https://example.com/a"));
        check("https://[::1]:8/a?b=c", Some("https://[::1]:8/a?b=c"));
        check("/srv/repositories//a.git", Some("/srv/repositories/a.git"));
        check("file:///srv/a%20b.git", Some("/srv/a b.git"));
        check("file://localhost/srv/a", Some("/srv/a"));
        for refused in [
            "ext::sh -c touch% /tmp/x",
            "fd::17/foo",
            "ssh://git@example.com/a",
            "git@example.com:a/b.git",
            "example.com:a",
            "git://example.com/a",
            "ftp://example.com/a",
            "http::https://example.com/a",
            "--upload-pack=x",
            "-x",
            "a",
            "../a",
            "",
            "/",
            "/workspace/x",
            "/workspace",
            "/srv/../etc/x",
            "file:///srv/%2e%2e/etc/x",
            "file://example.com/srv/a",
            "/proc/self/cwd",
            "/etc/passwd",
            "https://user@example.com/a",
            "https://user:password@example.com/a",
            "https://:password@example.com/a",
            "https:///a",
            "https://example.com\\@evil.example/a",
            "https://example.com:0/a",
            "https://example.com:x/a",
            "https://exa mple.com/a",
            "https://-example.com/a",
            "https://example.com/a\nb",
        ] {
            check(refused, None);
        }
        check("/workspaces/x", Some("/workspaces/x"));
        check(&format!("https://example.com/{}", "a".repeat(2048)), None);
    }

    #[test]
    fn a_host_stands_with_its_port_if_it_is_not_the_usual_one() {
        let host = |text: &str| match Address::new(text).unwrap() {
            Address::Web { host, secure, .. } => (host, secure),
            Address::Local(_) => panic!(),
        };
        assert_eq!(host("https://example.com:443/a"), ("example.com".to_owned(), true));
        assert_eq!(host("http://example.com:443/a"), ("example.com:443".to_owned(), false));
        assert_eq!(host("https://[::1]:8/a"), ("[::1]:8".to_owned(), true));
    }
}
