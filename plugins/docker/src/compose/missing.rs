//! A project that is not there, and those that are.

use windlass_sdk::Error;

use super::found;
use crate::error::coded;

/// The error of who wants something of a project that has no containers.
pub(crate) fn missing(project: &str) -> Result<Error, Error> {
    let there: Vec<_> = found::projects()?.into_keys().map(|it| format!("`{it}`")).collect();
    let there = if there.is_empty() {
        "there is none: `deploy-compose` makes one".to_owned()
    } else {
        format!("there are {}", there.join(", "))
    };
    let message = format!("there is no Compose project `{project}` within reach: {there}");
    Ok(coded("PROJECT_NOT_FOUND", Error::not_found(message)))
}
