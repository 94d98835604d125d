//! Environment variables that users of the servers before this one have set.
//!
//! Each counts as if the same were said in `windlass.toml`. What such a server had under another name there is
//! translated; what this host does not have is refused with a sentence, and not passed over.

use std::{env, net::SocketAddr, path::PathBuf, str::FromStr};

use anyhow::{Context as _, bail};

use crate::config::{Auth, Config, LogFormat};

/// How `windlass serve` is reached, if a variable says so.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Stdio,
    Http(SocketAddr),
}

/// Looks a variable up; an empty one is none.
pub(super) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// What the variables say of containers and of HTTP, on top of the configuration.
pub(super) fn apply(
    config: &mut Config,
    lookup: &impl Fn(&str) -> Option<String>,
) -> anyhow::Result<()> {
    let containers = &mut config.containers;
    set(&mut containers.unused_days, "MCP_TRANSIENT_GC_DAYS", lookup)?;
    set(&mut containers.drain_grace_s, "MCP_DRAIN_GRACE_S", lookup)?;
    set(&mut containers.warm_check_s, "MCP_WARM_HEALTH_CHECK_INTERVAL", lookup)?;
    if let Some(path) = lookup("MCP_PATH") {
        config.http.path = path;
    }
    match lookup("MCP_AUTH_MODE").as_deref() {
        None => {}
        Some("none") => config.http.auth = Auth::None,
        Some("bearer") => config.http.auth = Auth::Token,
        Some(other) => bail!("MCP_AUTH_MODE: `{other}` is not one of `none` and `bearer`"),
    }
    Ok(())
}

/// How the variables want it to be served.
pub(super) fn transport(
    lookup: &impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<Transport>> {
    Ok(match lookup("MCP_TRANSPORT_MODE").as_deref() {
        // The OpenHands server had HTTP only, and two variables for where.
        None if lookup("MCP_HTTP_HOST").or_else(|| lookup("MCP_HTTP_PORT")).is_some() => {
            Some(Transport::Http(address("MCP_HTTP_HOST", "MCP_HTTP_PORT", "6363", lookup)?))
        }
        None => None,
        Some("stdio") => Some(Transport::Stdio),
        Some("streamable-http" | "sse") => {
            Some(Transport::Http(address("MCP_HOST", "MCP_PORT", "8000", lookup)?))
        }
        Some(other) => bail!(
            "MCP_TRANSPORT_MODE: `{other}` is not one of `stdio`, `streamable-http` and `sse`"
        ),
    })
}

/// The address in two variables. The host is loopback if nobody says otherwise.
fn address(
    host: &str,
    port: &str,
    usual_port: &str,
    lookup: &impl Fn(&str) -> Option<String>,
) -> anyhow::Result<SocketAddr> {
    let (host_name, port_name) = (host, port);
    let host = lookup(host).filter(|host| host != "localhost");
    let host = host.unwrap_or_else(|| "127.0.0.1".to_owned());
    let port = lookup(port).unwrap_or_else(|| usual_port.to_owned());
    let written = format!("{host}:{port}");
    written.parse().with_context(|| {
        format!(
            "{host_name} and {port_name}: `{written}` is no address such as 127.0.0.1:{usual_port}"
        )
    })
}

/// Where the host keeps its things, if a variable says so.
pub(super) fn state_directory(lookup: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    lookup("MCP_STATE_DIR").map(|written| PathBuf::from(written.trim()))
}

/// Where the database lies, if a variable says so.
pub(super) fn database(lookup: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let written = lookup("MCP_STATE_DB")?;
    let path =
        written.strip_prefix("sqlite:///").map(|rest| format!("/{}", rest.trim_start_matches('/')));
    let path = path.or_else(|| written.strip_prefix("sqlite://").map(str::to_owned));
    Some(PathBuf::from(path.unwrap_or(written)))
}

/// What goes to the log if nobody says what.
pub(super) fn log_level(lookup: &impl Fn(&str) -> Option<String>) -> String {
    let level = lookup("MCP_LOG_LEVEL").map(|level| level.trim().to_lowercase());
    match level.as_deref() {
        Some("critical") => "error".to_owned(),
        Some("warning") | None => "warn".to_owned(),
        Some(level) => level.to_owned(),
    }
}

/// None: nobody has said.
pub(super) fn log_format(lookup: &impl Fn(&str) -> Option<String>) -> Option<LogFormat> {
    lookup("MCP_LOG_FORMAT").map(|format| match format.as_str() {
        "json" => LogFormat::Json,
        _ => LogFormat::Text,
    })
}

fn set<T: FromStr>(
    value: &mut T,
    name: &str,
    lookup: &impl Fn(&str) -> Option<String>,
) -> anyhow::Result<()> {
    if let Some(written) = lookup(name) {
        *value = written
            .trim()
            .parse()
            .map_err(|_| anyhow::anyhow!("{name}: `{written}` is no number that fits"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn numbers_and_modes_are_taken_over() {
        let mut config = Config::default();
        let lookup = of(&[
            ("MCP_TRANSIENT_GC_DAYS", "3"),
            ("MCP_DRAIN_GRACE_S", "5"),
            ("MCP_WARM_HEALTH_CHECK_INTERVAL", "7"),
            ("MCP_PATH", "/tools"),
            ("MCP_AUTH_MODE", "none"),
        ]);
        apply(&mut config, &lookup).unwrap();
        let containers = &config.containers;
        assert_eq!((containers.unused_days, containers.drain_grace_s), (3, 5));
        assert_eq!((containers.warm_check_s, config.http.path.as_str()), (7, "/tools"));
        assert!(config.http.auth == Auth::None);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let refused = |pairs| apply(&mut Config::default(), &of(pairs)).unwrap_err().to_string();
        assert_eq!(
            refused(&[("MCP_DRAIN_GRACE_S", "soon")]),
            "MCP_DRAIN_GRACE_S: `soon` is no number that fits"
        );
        assert!(refused(&[("MCP_AUTH_MODE", "magic")]).contains("`magic` is not one of"));
    }

    #[test]
    fn the_transport_is_chosen_as_before() {
        let chosen = |pairs| transport(&of(pairs)).unwrap();
        assert_eq!(chosen(&[]), None);
        assert_eq!(chosen(&[("MCP_TRANSPORT_MODE", "stdio")]), Some(Transport::Stdio));
        let http =
            chosen(&[("MCP_TRANSPORT_MODE", "sse"), ("MCP_HOST", "0.0.0.0"), ("MCP_PORT", "9")]);
        assert_eq!(http, Some(Transport::Http("0.0.0.0:9".parse().unwrap())));
        assert!(transport(&of(&[("MCP_TRANSPORT_MODE", "carrier pigeon")])).is_err());
        let address = |text: &str| Some(Transport::Http(text.parse().unwrap()));
        assert_eq!(chosen(&[("MCP_HTTP_HOST", "localhost")]), address("127.0.0.1:6363"));
        assert_eq!(chosen(&[("MCP_HTTP_PORT", "7000")]), address("127.0.0.1:7000"));
        assert_eq!(
            chosen(&[("MCP_HTTP_PORT", "7000"), ("MCP_TRANSPORT_MODE", "stdio")]),
            Some(Transport::Stdio)
        );
        assert!(transport(&of(&[("MCP_HTTP_PORT", "seven")])).is_err());
    }

    #[test]
    fn the_state_may_lie_elsewhere() {
        assert_eq!(state_directory(&of(&[("MCP_STATE_DIR", " /srv/x ")])), Some("/srv/x".into()));
        assert_eq!(state_directory(&of(&[])), None);
    }

    #[test]
    fn the_database_may_lie_elsewhere() {
        let path = |pairs| database(&of(pairs)).unwrap().display().to_string();
        assert_eq!(path(&[("MCP_STATE_DB", "./state.db")]), "./state.db");
        assert_eq!(path(&[("MCP_STATE_DB", "sqlite:///var/x.db")]), "/var/x.db");
        assert_eq!(path(&[("MCP_STATE_DB", "sqlite:////var/x.db")]), "/var/x.db");
        assert_eq!(path(&[("MCP_STATE_DB", "sqlite://x.db")]), "x.db");
    }
}
