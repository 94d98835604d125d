//! What registries want to hear before they give out images.

use std::{collections::HashMap, fmt};

use anyhow::{Context as _, anyhow, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bollard::{BollardRequest, auth::DockerCredentials};
use http::HeaderValue;
use serde::Deserialize;

/// Where S3 has it: the text of a `config.json`.
const VARIABLE: &str = "MCP_DOCKER_CONFIG_JSON";
const HEADER: &str = "x-registry-auth";
/// Under this the Docker tools keep what is for `docker.io`.
const DOCKER_IO: [&str; 3] = ["index.docker.io", "registry-1.docker.io", "docker.io"];

/// User and password, or a token, by registry. Never shown.
#[derive(Clone, Default)]
pub struct Credentials(HashMap<String, DockerCredentials>);

#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    auths: HashMap<String, Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl Credentials {
    pub fn from_environment() -> anyhow::Result<Self> {
        match std::env::var(VARIABLE) {
            Ok(text) if !text.trim().is_empty() => Self::read(&text).context(VARIABLE),
            _ => Ok(Self::default()),
        }
    }

    /// Reads the text of a `config.json`. No error quotes it.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let written: Written = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            anyhow!("line {line}, column {column}: this is no `{{\"auths\": {{…}}}}`")
        })?;
        let mut entries: Vec<_> = written.auths.into_iter().collect();
        // Two keys may name one registry; the same one shall win in every run.
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        let mut all = HashMap::new();
        for (key, entry) in entries {
            let registry = registry(&key);
            let read = entry.read(&key).with_context(|| format!("auths.{registry}"))?;
            if let Some(read) = read {
                all.insert(registry, read);
            }
        }
        Ok(Self(all))
    }

    pub(super) fn of(&self, registry: &str) -> Option<DockerCredentials> {
        self.0.get(registry).cloned()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Entry {
    /// None where somebody has logged out, or keeps the password elsewhere.
    fn read(self, key: &str) -> anyhow::Result<Option<DockerCredentials>> {
        let (mut username, mut password) = (self.username, self.password);
        if let Some(auth) = self.auth.filter(|it| !it.is_empty()) {
            let plain = STANDARD.decode(auth.trim()).ok().and_then(|it| String::from_utf8(it).ok());
            let Some((user, word)) = plain.as_deref().and_then(|it| it.split_once(':')) else {
                bail!("`auth` is no base64 of `user:password`");
            };
            username = Some(user.to_owned());
            password = Some(word.trim_end_matches('\0').to_owned());
        }
        let token = self.identitytoken.filter(|it| !it.is_empty());
        let registrytoken = self.registrytoken.filter(|it| !it.is_empty());
        if token.is_none() && registrytoken.is_none() && (username.is_none() || password.is_none())
        {
            return Ok(None);
        }
        Ok(Some(DockerCredentials {
            username,
            password: password.filter(|_| token.is_none()),
            identitytoken: token,
            registrytoken,
            serveraddress: Some(key.to_owned()),
            ..DockerCredentials::default()
        }))
    }
}

/// `https://index.docker.io/v1/` and `ghcr.io` alike, as images name it.
fn registry(key: &str) -> String {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest);
    let host = key.split('/').next().unwrap_or(key).to_lowercase();
    if DOCKER_IO.contains(&host.as_str()) { "docker.io".to_owned() } else { host }
}

/// bollard writes this header in plain base64, and Docker reads it in the alphabet for URLs: where the two differ it takes
/// the credentials for none, without a word. Podman reads both. Also marks it as secret, for whoever prints requests.
pub(super) fn mend_header(mut request: BollardRequest) -> BollardRequest {
    let Some(value) = request.headers().get(HEADER).and_then(|it| it.to_str().ok()) else {
        return request;
    };
    let mended = value.replace('+', "-").replace('/', "_");
    if let Ok(mut value) = HeaderValue::from_str(&mended) {
        value.set_sensitive(true);
        request.headers_mut().insert(HEADER, value);
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_them_is_read() {
        let auth = STANDARD.encode("me:pass:word");
        let text = format!(
            r#"{{"auths": {{
                "https://index.docker.io/v1/": {{"auth": "{auth}"}},
                "GHCR.io": {{"username": "you", "password": "word"}},
                "host:5000/v2/": {{"auth": "{auth}", "identitytoken": "token"}},
                "empty": {{}}
            }}, "credsStore": "desktop"}}"#
        );
        let all = Credentials::read(&text).unwrap();
        let docker = all.of("docker.io").unwrap();
        assert_eq!(docker.username.as_deref(), Some("me"));
        assert_eq!(docker.password.as_deref(), Some("pass:word"));
        assert_eq!(docker.serveraddress.as_deref(), Some("https://index.docker.io/v1/"));
        assert_eq!(all.of("ghcr.io").unwrap().password.as_deref(), Some("word"));
        let token = all.of("host:5000").unwrap();
        assert_eq!((token.password, token.identitytoken.as_deref()), (None, Some("token")));
        assert!(all.of("empty").is_none() && all.of("other").is_none());
        let shown = format!("{all:?}");
        assert!(!shown.contains("word") && shown.contains("ghcr.io"), "{shown}");
    }

    #[test]
    fn no_error_quotes_them() {
        for text in [
            r#"{"auths": {"a": {"auth": "c2VjcmV0"}}}"#,
            r#"{"auths": {"a": "c2VjcmV0"}}"#,
            r#"{"auths": {"a": {"password": ["c2VjcmV0"]}}}"#,
            "c2VjcmV0",
        ] {
            let error = format!("{:#}", Credentials::read(text).unwrap_err());
            assert!(!error.contains("c2VjcmV0") && !error.contains("secret"), "{error}");
        }
    }
}
