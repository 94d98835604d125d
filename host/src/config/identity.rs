//! Who callers are, as others vouch for it: an issuer of tokens, and authorities of certificates.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use url::{Host, Url};

use super::AccessConfig;

/// An issuer whose tokens let callers in.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct OAuthConfig {
    /// Its URL, as it stands in its own tokens and documents.
    pub issuer: String,
    /// The URL of this host, as it stands in tokens that are meant for it.
    pub audience: String,
    /// How tokens may be signed.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<Signing>,
    /// The roles that come with each scope.
    #[serde(default)]
    pub scopes: BTreeMap<String, Vec<String>>,
    /// Where a token names roles itself: a claim, with a dot before each one inside another. Absent: nowhere.
    pub roles_claim: Option<String>,
    /// The claim that says who the caller is.
    #[serde(default = "subject")]
    pub principal: String,
}

/// An algorithm by which only who has the private key can sign.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum Signing {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// The certificate of this host, and whose it takes.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM: this host's certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// PEM: the private key of it, which nobody else may read.
    pub key: PathBuf,
    /// PEM: who vouches for clients. Where it is there, every client needs a certificate.
    pub client_authority: Option<PathBuf>,
}

fn algorithms() -> Vec<Signing> {
    vec![Signing::RS256, Signing::ES256, Signing::EdDSA]
}

fn subject() -> String {
    "sub".to_owned()
}

impl AccessConfig {
    /// Whether what names roles names those that there are.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if let Some(oauth) = &self.oauth {
            oauth.check().context("oauth")?;
            for (scope, roles) in &oauth.scopes {
                self.check_roles(roles).with_context(|| format!("oauth.scopes.{scope}"))?;
            }
        }
        for (name, roles) in &self.certificates {
            self.check_roles(roles).with_context(|| format!("certificates.{name}"))?;
        }
        ensure!(
            self.authenticate || self.authenticate_secret.is_none(),
            "authenticate_secret: nothing is signed with it; `authenticate = true` is missing"
        );
        Ok(())
    }

    fn check_roles(&self, roles: &[String]) -> anyhow::Result<()> {
        for role in roles {
            ensure!(
                self.role(role).is_some(),
                "there is no role `{role}`: write `[access.roles.{role}]`, or take `admin` or `user`"
            );
        }
        Ok(())
    }
}

impl OAuthConfig {
    fn check(&self) -> anyhow::Result<()> {
        check_url(&self.issuer).context("issuer")?;
        let audience = Url::parse(&self.audience).ok().filter(|it| it.host().is_some());
        let audience = audience
            .with_context(|| format!("`{}` is no URL such as https://host/mcp", self.audience))
            .context("audience")?;
        ensure!(
            matches!(audience.scheme(), "http" | "https") && audience.fragment().is_none(),
            "audience: `{}` is no URL such as https://host/mcp",
            self.audience
        );
        ensure!(!self.algorithms.is_empty(), "algorithms: none lets nobody in");
        let fits = |it: char| it.is_ascii_graphic() && it != '"' && it != '\\';
        for scope in self.scopes.keys() {
            ensure!(
                !scope.is_empty() && scope.chars().all(fits),
                "scopes: `{}` is no scope that a token can have",
                scope.escape_debug()
            );
        }
        Ok(())
    }
}

/// Keys that somebody on the way could change prove nothing.
fn check_url(written: &str) -> anyhow::Result<()> {
    let url = Url::parse(written).with_context(|| format!("`{written}` is no URL"))?;
    ensure!(
        url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url),
        "`{written}` is not reached by https, and is not on this machine"
    );
    ensure!(
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty(),
        "`{written}` has more than a host and a path"
    );
    Ok(())
}

/// Whether a URL leads to this machine, whatever names mean.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let told = parse::<AccessConfig>(text).and_then(|it| it.check());
        let told = told.map_or_else(|error| format!("{error:#}"), |()| "good".to_owned());
        assert!(told.contains(expected), "{text}: {told}");
    }

    fn oauth(more: &str) -> String {
        let needed = "[oauth]\nissuer = 'https://id.example/x'\naudience = 'https://w.example/mcp'";
        format!("{needed}\n{more}")
    }

    #[test]
    fn what_an_operator_writes_is_held_to_what_can_be_meant() {
        check(&oauth(""), "good");
        check(&oauth("scopes = { 'mcp:read' = ['user'] }"), "good");
        check(&oauth("scopes = { x = ['emperor'] }"), "oauth.scopes.x: there is no role `emperor`");
        check(&oauth("scopes = { 'a b' = ['user'] }"), "no scope");
        check(&oauth("algorithms = []"), "none lets nobody in");
        check(&oauth("algorithms = ['HS256']"), "unknown variant `HS256`");
        check(&oauth("algorithms = ['none']"), "unknown variant `none`");
        check("[oauth]\nissuer = 'http://id.example'\naudience = 'https://w'", "by https");
        check("[oauth]\nissuer = 'http://127.0.0.1:1'\naudience = 'https://w'", "good");
        check("[oauth]\nissuer = 'https://a@id'\naudience = 'https://w'", "more than a host");
        check("[oauth]\nissuer = 'https://id'\naudience = 'windlass'", "audience");
        check("certificates = { ann = ['emperor'] }", "certificates.ann: there is no role");
        check("authenticate_secret = '${A}'", "`authenticate = true` is missing");
    }
}
