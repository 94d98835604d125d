//! Where an engine may be: what the environment names, and the usual sockets.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Docker's own, and the variable that goes before it.
const VARIABLES: [&str; 2] = ["MCP_DOCKER_HOST", "DOCKER_HOST"];

/// A way to an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Socket(PathBuf),
    /// `host:port`, without encryption.
    Tcp(String),
}

/// The places to try, in this order, or why the one that was named cannot be one.
#[derive(Clone, Debug)]
pub struct Places(pub(super) Vec<Result<Place, Unfit>>);

/// A place that was named and that nobody can go to.
#[derive(Clone, Debug)]
pub(super) struct Unfit {
    pub(super) place: String,
    pub(super) why: String,
}

/// What came of trying one place.
#[derive(Clone, Debug)]
pub struct Tried {
    pub place: String,
    pub outcome: String,
}

impl Places {
    pub fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// A place that is named is the only one: who names an engine wants no other.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let encrypted = set("DOCKER_TLS_VERIFY").is_some() || set("DOCKER_TLS").is_some();
        for name in VARIABLES {
            let Some(value) = set(name) else { continue };
            let place = Place::read(value.trim(), encrypted)
                .map_err(|why| Unfit { place: format!("{name}={}", shown(&value)), why });
            return Self(vec![place]);
        }
        let runtime = set("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|it| it.is_absolute());
        let mut sockets = vec![PathBuf::from("/var/run/docker.sock")];
        if let Some(runtime) = runtime {
            sockets.extend(["docker.sock", "podman/podman.sock"].map(|it| runtime.join(it)));
        }
        sockets.push(PathBuf::from("/run/podman/podman.sock"));
        Self(sockets.into_iter().map(|socket| Ok(Place::Socket(socket))).collect())
    }

    /// The sockets among them.
    pub fn sockets(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().filter_map(|place| match place {
            Ok(Place::Socket(path)) => Some(path.as_path()),
            _ => None,
        })
    }

    pub fn socket(path: PathBuf) -> Self {
        Self(vec![Ok(Place::Socket(path))])
    }
}

impl Place {
    fn read(value: &str, encrypted: bool) -> Result<Self, String> {
        let (scheme, rest) = value
            .split_once("://")
            .ok_or("it starts with `unix://`, `tcp://` or `http://`".to_owned())?;
        let rest = if scheme == "unix" { rest } else { rest.trim_end_matches('/') };
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Socket(PathBuf::from(rest))),
            "unix" => Err("behind `unix://` comes an absolute path".to_owned()),
            "tcp" | "http" if encrypted => Err(TLS.to_owned()),
            "tcp" | "http" if is_address(rest) => Ok(Self::Tcp(rest.to_owned())),
            "tcp" | "http" => Err(format!("behind `{scheme}://` comes `host:port`")),
            "https" => Err(TLS.to_owned()),
            "ssh" => Err("ssh is not spoken here; forward the socket with `ssh -L /path/of/a.sock:/var/run/docker.sock …` and name it with `unix://`".to_owned()),
            _ => Err(format!("`{scheme}` is not spoken here; take `unix://`, `tcp://` or `http://`")),
        }
    }

    /// Whether its containers see this machine's files.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Socket(_))
    }
}

const TLS: &str =
    "TLS to an engine is not spoken here; forward its socket over ssh, and name it with `unix://`";

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(formatter, "unix://{}", path.display()),
            Self::Tcp(address) => write!(formatter, "tcp://{address}"),
        }
    }
}

fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    !host.is_empty()
        && !host.contains(['/', '@', ' '])
        && port.parse::<u16>().is_ok_and(|it| it > 0)
}

/// Somebody may have put a password before an `@`.
fn shown(value: &str) -> String {
    match (value.split_once("://"), value.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)]) -> String {
        let places = Places::from_variables(|name| {
            variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned())
        });
        let texts = places.0.iter().map(|place| match place {
            Ok(place) => place.to_string(),
            Err(unfit) => format!("{}: {}", unfit.place, unfit.why),
        });
        texts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_usual_sockets_in_order() {
        assert_eq!(
            check(&[("XDG_RUNTIME_DIR", "/run/user/1")]),
            "unix:///var/run/docker.sock unix:///run/user/1/docker.sock unix:///run/user/1/podman/podman.sock unix:///run/podman/podman.sock"
        );
        assert_eq!(
            check(&[("DOCKER_HOST", " "), ("XDG_RUNTIME_DIR", "elsewhere")]),
            "unix:///var/run/docker.sock unix:///run/podman/podman.sock"
        );
    }

    #[test]
    fn a_named_engine_is_the_only_one() {
        let both = [("DOCKER_HOST", "unix:///a"), ("MCP_DOCKER_HOST", "tcp://h:1/")];
        assert_eq!(check(&both), "tcp://h:1");
        assert_eq!(check(&both[..1]), "unix:///a");
        assert_eq!(check(&[("DOCKER_HOST", "http://[::1]:2375")]), "tcp://[::1]:2375");
    }

    #[test]
    fn what_cannot_be_reached_says_why() {
        for (value, why) in [
            ("ssh://me:secret@host", "ssh is not spoken here"),
            ("https://h:1", "TLS to an engine"),
            ("tcp://h", "`host:port`"),
            ("tcp://h:0", "`host:port`"),
            ("tcp://u:secret@h:1", "`host:port`"),
            ("unix://a", "an absolute path"),
            ("/var/run/docker.sock", "it starts with `unix://`"),
            ("npipe:////x", "`npipe` is not spoken here"),
        ] {
            let text = check(&[("DOCKER_HOST", value)]);
            assert!(text.contains(why) && !text.contains("secret"), "{text}");
        }
        let text = check(&[("DOCKER_HOST", "tcp://h:1"), ("DOCKER_TLS_VERIFY", "1")]);
        assert!(text.contains("TLS to an engine"), "{text}");
    }
}
