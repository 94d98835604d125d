//! How a container is asked whether it is well, and when it is started again: as `create-container` is told. Pure.

use schemars::JsonSchema;
use serde::Deserialize;
use windlass_sdk::{
    Error,
    engine::{Health, HealthCheck, Restart},
};

use crate::{
    amount::{self, Scalar},
    error::validation,
    words::Words,
};

/// A command that says whether a container is well.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    /// A line for the container's shell, or the words of a command. `["NONE"]`: the image's own check is left out.
    cmd: Option<Words>,
    /// Such as `30s` or `1m30s`; a number is seconds.
    interval: Option<Scalar>,
    /// How often it may fail in a row.
    retries: Option<u32>,
    /// Such as `5s`.
    timeout: Option<Scalar>,
    /// How long it may fail at first, such as `10s`.
    start_period: Option<Scalar>,
}

impl Check {
    pub(crate) fn health(&self) -> Result<Health, Error> {
        let test = match &self.cmd {
            None => Vec::new(),
            Some(Words::Line(line)) if line == "NONE" => return Ok(Health::None),
            Some(Words::Line(line)) => vec!["CMD-SHELL".to_owned(), line.clone()],
            Some(Words::Each(words)) => match words.first().map(String::as_str) {
                Some("NONE") => return Ok(Health::None),
                Some("CMD" | "CMD-SHELL") => words.clone(),
                Some(_) => ["CMD".to_owned()].into_iter().chain(words.iter().cloned()).collect(),
                None => return Err(validation("health_check", "`health_check.cmd` is empty")),
            },
        };
        let time = |field: &str, value: &Option<Scalar>| {
            let read = |it: &Scalar| {
                amount::duration_ms(&format!("health_check.{field}"), &it.to_string())
            };
            value.as_ref().map(read).transpose()
        };
        Ok(Health::Check(HealthCheck {
            test,
            interval_ms: time("interval", &self.interval)?,
            timeout_ms: time("timeout", &self.timeout)?,
            start_period_ms: time("start_period", &self.start_period)?,
            retries: self.retries,
        }))
    }
}

/// `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`.
pub(crate) fn restart(policy: &str) -> Result<Restart, Error> {
    let wrong = || {
        let message = format!(
            "`restart_policy` is `{policy}`, and none of `no`, `always`, `unless-stopped`, `on-failure` and `on-failure:3`"
        );
        validation("restart_policy", message)
    };
    match policy.split_once(':') {
        None => match policy {
            "no" | "" => Ok(Restart::Never),
            "always" => Ok(Restart::Always),
            "unless-stopped" => Ok(Restart::UnlessStopped),
            "on-failure" => Ok(Restart::OnFailure(0)),
            _ => Err(wrong()),
        },
        Some(("on-failure", times)) => times.parse().map(Restart::OnFailure).map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let check: Check = serde_json::from_str(json).unwrap();
        let shown = match check.health() {
            Ok(Health::Check(it)) => format!(
                "{:?} {:?} {:?} {:?} {:?}",
                it.test, it.interval_ms, it.timeout_ms, it.start_period_ms, it.retries
            ),
            Ok(other) => format!("{other:?}"),
            Err(error) => error.message,
        };
        assert_eq!(shown, expected, "{json}");
    }

    #[test]
    fn a_check_is_a_line_or_words() {
        check(r#"{"cmd": "test -f /ok"}"#, r#"["CMD-SHELL", "test -f /ok"] None None None None"#);
        check(
            r#"{"cmd": ["true"], "interval": "1m30s", "timeout": 5, "start_period": "500ms", "retries": 3}"#,
            r#"["CMD", "true"] Some(90000) Some(5000) Some(500) Some(3)"#,
        );
        check(r#"{"cmd": ["CMD-SHELL", "x"]}"#, r#"["CMD-SHELL", "x"] None None None None"#);
        check(r#"{"interval": "2s"}"#, "[] Some(2000) None None None");
        check(r#"{"cmd": ["NONE"]}"#, "Health::None");
        check(r#"{"cmd": []}"#, "`health_check.cmd` is empty");
        check(
            r#"{"interval": "soon"}"#,
            "`health_check.interval` is `soon`: give a time such as `30s`, `1m30s` or `500ms`",
        );
        assert!(serde_json::from_str::<Check>(r#"{"command": "x"}"#).is_err());
    }

    #[test]
    fn a_restart_policy_is_one_of_four() {
        let check = |policy: &str, expected: &str| {
            let shown = restart(policy).map_or_else(|error| error.message, |it| format!("{it:?}"));
            assert!(shown.contains(expected), "{policy} is {shown}");
        };
        check("no", "Never");
        check("always", "Always");
        check("unless-stopped", "UnlessStopped");
        check("on-failure", "OnFailure(0)");
        check("on-failure:3", "OnFailure(3)");
        for wrong in ["never", "on-failure:x", "always:1", "on-failure:-1"] {
            check(wrong, "and none of `no`, `always`");
        }
    }
}
