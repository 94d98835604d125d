//! What can be set, and which deployment of Coder a call means.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use windlass_sdk::{Call, Error, settings::Number};

use crate::error;

/// The name of the secret that says who is asking, where nothing else is named.
const TOKEN: &str = "session-token";
/// More tries make nothing better.
const MOST_RETRIES: f64 = 10.0;

/// Where the fleet is, and how patiently it is asked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Where Coder answers, such as `https://coder.example.com`.
    url: String,
    /// How many seconds Coder may take to begin an answer.
    timeout: Number,
    /// How often something that changes nothing is asked again.
    max_retries: Number,
    /// How often a task that is followed is looked at, in seconds.
    poll_interval: Number,
    /// More deployments, by the names that calls give as `deployment`.
    deployments: BTreeMap<String, Deployment>,
}

/// One more Coder.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Deployment {
    /// Where it answers.
    url: String,
    /// The secret with the session token for it.
    token: String,
}

/// The Coder that a call means.
pub(crate) struct Target {
    /// With a scheme, and without a slash at its end.
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) timeout_ms: u32,
    pub(crate) retries: u32,
    pub(crate) poll_ms: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: String::new(),
            timeout: Number::Number(30.0),
            max_retries: Number::Number(3.0),
            poll_interval: Number::Number(2.0),
            deployments: BTreeMap::new(),
        }
    }
}

impl Target {
    /// The one of this name, or the one that needs none.
    pub(crate) fn of(call: &Call, deployment: Option<&str>) -> Result<Self, Error> {
        call.config::<Settings>()?.target(deployment)
    }
}

impl Settings {
    fn target(&self, deployment: Option<&str>) -> Result<Target, Error> {
        let (url, token) = match deployment {
            None => (&self.url, TOKEN),
            Some(name) => {
                let known = self.deployments.get(name).ok_or_else(|| self.unknown(name))?;
                (&known.url, known.token.as_str())
            }
        };
        if url.trim().is_empty() {
            return Err(match deployment {
                None => error::of_setting("url", "CODER_URL", "it is empty"),
                Some(name) => {
                    error::of_field("deployment", format!("deployment `{name}` has no `url`"))
                }
            });
        }
        let ms = |seconds: &Number, key, variable| {
            let ms = seconds.as_ms().map(|ms| u32::try_from(ms).unwrap_or(u32::MAX));
            let why = || format!("`{}` is no number of seconds", seconds.text());
            ms.ok_or_else(|| error::of_setting(key, variable, &why()))
        };
        Ok(Target {
            url: address(url),
            token: token.to_owned(),
            timeout_ms: ms(&self.timeout, "timeout", "CODER_TIMEOUT")?,
            retries: self.retries()?,
            poll_ms: ms(&self.poll_interval, "poll_interval", "CODER_POLL_INTERVAL")?,
        })
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is positive and small"
    )]
    fn retries(&self) -> Result<u32, Error> {
        let retries = self.max_retries.between(0.0, MOST_RETRIES).map(|number| number as u32);
        let why = || format!("`{}` is not from 0 to {MOST_RETRIES}", self.max_retries.text());
        retries.ok_or_else(|| error::of_setting("max_retries", "CODER_MAX_RETRIES", &why()))
    }

    fn unknown(&self, name: &str) -> Error {
        let known: Vec<_> = self.deployments.keys().map(|known| format!("`{known}`")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let message = format!(
            "there is no deployment `{name}` in the configuration: known by name are {known}, and without a name the usual one is asked"
        );
        error::of_field("deployment", message)
    }
}

/// The URL as people write it, with a scheme and without a slash at its end.
fn address(url: &str) -> String {
    let url = url.trim().trim_end_matches('/');
    if url.contains("://") { url.to_owned() } else { format!("https://{url}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_no_slash_at_its_end() {
        assert_eq!(address("coder.example.com"), "https://coder.example.com");
        assert_eq!(address("coder.example.com:8443/"), "https://coder.example.com:8443");
        assert_eq!(address(" http://127.0.0.1:3000// "), "http://127.0.0.1:3000");
    }

    fn read(text: &str) -> Settings {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn without_a_word_it_is_as_patient_as_its_predecessor() {
        let target = read(r#"{"url": "coder.example.com"}"#).target(None).unwrap();
        assert_eq!((target.timeout_ms, target.retries, target.poll_ms), (30_000, 3, 2_000));
        assert_eq!(target.token, TOKEN);
    }

    #[test]
    fn a_deployment_has_a_name_a_place_and_a_token() {
        let settings = read(
            r#"{"url": "a.example", "timeout": "5", "max_retries": "0",
                "deployments": {"lab": {"url": "http://lab.example/", "token": "lab-token"}}}"#,
        );
        let lab = settings.target(Some("lab")).unwrap();
        assert_eq!((lab.url.as_str(), lab.token.as_str()), ("http://lab.example", "lab-token"));
        assert_eq!((lab.timeout_ms, lab.retries), (5_000, 0));
        let told = settings.target(Some("moon")).err().unwrap();
        assert!(told.message.contains("known by name are `lab`"), "{told:?}");
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        let wrong = |text: &str| read(text).target(None).err().unwrap().message;
        assert!(wrong(r#"{"url": " "}"#).contains("CODER_URL"));
        assert!(wrong(r#"{"url": "a", "timeout": "soon"}"#).contains("CODER_TIMEOUT"));
        assert!(wrong(r#"{"url": "a", "max_retries": 99}"#).contains("CODER_MAX_RETRIES"));
    }
}
