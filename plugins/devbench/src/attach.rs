//! `attach`, and the records of who is attached.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Error, Hints, Result, Tool, clock, containers, store};

use crate::{WRAPPED, counters, error, error::About, place::Place};

const ATTACHMENTS: &str = "attachments";
/// Longer names are a mistake.
const LONGEST_NAME: usize = 128;
/// More than most containers have.
const PAGE: u32 = 200;
const DAY_MS: u64 = 86_400_000;

/// Says that a client works with a container, and where its files are.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Attach {
    /// The container's id or alias.
    target: String,
    /// Who attaches.
    #[schemars(length(min = 1))]
    client_name: String,
    /// The client's session. Attaching it twice is attaching it once.
    #[schemars(length(min = 1))]
    session_id: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Attached {
    container_id: String,
    alias: Option<String>,
    roots: Vec<String>,
    workspace_id: String,
    /// Its files are resources below it.
    workspace_uri: String,
}

/// One client at one container.
#[derive(Deserialize, Serialize)]
struct Attachment {
    container: String,
    /// Milliseconds since 1970.
    attached: u64,
}

impl Tool for Attach {
    const NAME: &'static str = "attach";
    const TITLE: Option<&'static str> = Some("Attach to a container");
    const HINTS: Hints = Hints::IDEMPOTENT;
    const WRAPPED_UNDER: Option<&'static str> = WRAPPED;
    type Output = Attached;

    fn run(self, _: &Call) -> Result<Attached> {
        for (field, name) in [("client_name", &self.client_name), ("session_id", &self.session_id)]
        {
            check_name(field, name)?;
        }
        let info = Place::of(&self.target)?.info;
        let key = key(&info.id, &self.client_name, &self.session_id);
        let attachment = Attachment { container: info.id.clone(), attached: clock::now() };
        store::put_as(ATTACHMENTS, &key, &attachment).map_err(|error| About::Host.of(error))?;
        count_active();
        Ok(Attached {
            roots: vec![format!("workspace:{}", info.id)],
            workspace_uri: format!("workspace://{}/", info.workspace),
            container_id: info.id,
            alias: info.alias,
            workspace_id: info.workspace,
        })
    }
}

/// Forgets all who are attached to a container.
pub(crate) fn detach_all(container: &str) -> Result<u64, Error> {
    let gone = forget(&format!("{container}/"), |it| it.container == container)?;
    count_active();
    Ok(gone)
}

/// Forgets those whose container is gone, or who came too long ago.
pub(crate) fn collect(ids: &HashSet<String>, days: u64) -> Result<u64, Error> {
    let oldest = clock::now().saturating_sub(days.saturating_mul(DAY_MS));
    let gone = forget("", |it| it.attached < oldest || !ids.contains(&it.container))?;
    count_active();
    Ok(gone)
}

/// Tells how many are attached. It is only looked at, so what cannot be counted fails nothing.
fn count_active() {
    let Ok(all) = containers::list() else { return };
    let ids = all.into_iter().map(|info| info.id).collect();
    if let Ok(clients) = active(&ids) {
        counters::attached(clients);
    }
}

/// How many are attached to these containers.
pub(crate) fn active(ids: &HashSet<String>) -> Result<u64, Error> {
    let mut count = 0;
    each("", |_, it| {
        count += u64::from(ids.contains(&it.container));
        Ok(true)
    })?;
    Ok(count)
}

/// Forgets those that the condition fits, from the first key after `start` to the first that it does not fit, or to the end where `start` is empty.
fn forget(start: &str, goes: impl Fn(&Attachment) -> bool) -> Result<u64, Error> {
    let mut gone = 0;
    each(start, |key, attachment| {
        if goes(&attachment) {
            store::delete(ATTACHMENTS, key)?;
            gone += 1;
            return Ok(true);
        }
        Ok(start.is_empty())
    })?;
    Ok(gone)
}

/// Looks at all after a key, until told to stop.
fn each(
    start: &str,
    mut look: impl FnMut(&str, Attachment) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut after = start.to_owned();
    loop {
        let page = store::list(ATTACHMENTS, &after, PAGE)?;
        let Some(last) = page.last().map(|entry| entry.key.clone()) else { return Ok(()) };
        for entry in page {
            if !look(&entry.key, serde_json::from_str(&entry.document)?)? {
                return Ok(());
            }
        }
        after = last;
    }
}

/// Those of one container stand together.
fn key(container: &str, client: &str, session: &str) -> String {
    format!("{container}/{}:{client}/{session}", client.len())
}

fn check_name(field: &str, name: &str) -> Result<(), Error> {
    if (1..=LONGEST_NAME).contains(&name.len()) && !name.contains('\0') {
        return Ok(());
    }
    Err(error::validation(format!("`{field}` is 1 to {LONGEST_NAME} bytes without NUL")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_clients_share_a_key() {
        assert_ne!(key("c_1", "a/b", "c"), key("c_1", "a", "b/c"));
        assert!(key("c_1", "a", "b").starts_with("c_1/"));
        assert!(key("c_1", "a", "b") < key("c_2", "a", "b"));
    }

    #[test]
    fn a_name_is_short_and_not_empty() {
        assert!(check_name("session_id", "s1").is_ok());
        assert!(check_name("session_id", "").is_err());
        assert!(check_name("session_id", "a\0").is_err());
        assert!(check_name("session_id", &"x".repeat(129)).is_err());
    }
}
