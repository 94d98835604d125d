//! `reconcile` and `garbage_collect`.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Error, Hints, Result, Tool, containers};

use crate::{
    Settings, attach,
    error::{self, About},
};

/// What an attachment's time is where nobody says otherwise.
const DAYS: u64 = 7;

/// Compares the records of containers with what the engine has, and mends both. The host does so at its start anyway.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Reconcile {}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Reconciled {
    /// Containers that the engine has.
    discovered: u32,
    /// Taken over though there was no record.
    adopted: u32,
    /// Recorded and gone from the engine: marked as stopped.
    cleaned_up: u32,
    /// Removed, since they were half made or half removed.
    orphaned: u32,
    /// How many things could not be done.
    errors: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    error_messages: Vec<String>,
}

/// Removes what has outlived its time: containers, results of programs, attachments. The host does so every hour anyway.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GarbageCollect {}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Collected {
    containers_removed: u32,
    execs_cleaned: u32,
    attachments_cleaned: u64,
    workspaces_removed: u32,
}

impl Tool for Reconcile {
    const NAME: &'static str = "reconcile";
    const TITLE: Option<&'static str> = Some("Reconcile with the engine");
    const HINTS: Hints = Hints::IDEMPOTENT;
    type Output = Reconciled;

    fn run(self, _: &Call) -> Result<Reconciled> {
        let found = containers::reconcile().map_err(|error| About::Container.of(error))?;
        Ok(Reconciled {
            discovered: found.discovered,
            adopted: found.adopted,
            cleaned_up: found.missing,
            orphaned: found.orphaned,
            errors: found.errors.len(),
            error_messages: found.errors,
        })
    }
}

impl Tool for GarbageCollect {
    const NAME: &'static str = "garbage_collect";
    const TITLE: Option<&'static str> = Some("Remove what is over");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT);
    type Output = Collected;

    fn run(self, call: &Call) -> Result<Collected> {
        let days = days(&call.config()?)?;
        let collected = containers::collect().map_err(|error| About::Container.of(error))?;
        let attachments = collect_attachments(days).map_err(|error| About::Host.of(error))?;
        Ok(Collected {
            containers_removed: collected.containers,
            execs_cleaned: collected.processes,
            attachments_cleaned: attachments,
            workspaces_removed: collected.workspaces,
        })
    }
}

fn collect_attachments(days: u64) -> Result<u64, Error> {
    let ids: HashSet<String> = containers::list()?.into_iter().map(|info| info.id).collect();
    attach::collect(&ids, days)
}

fn days(settings: &Settings) -> Result<u64, Error> {
    match settings.transient_gc_days.as_deref().map(str::trim) {
        None | Some("") => Ok(DAYS),
        Some(days) => days.parse().map_err(|_| {
            error::validation(format!(
                "`transient_gc_days` is a number of days, and `{days}` is none"
            ))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_a_number_or_seven() {
        let days = |text: Option<&str>| {
            days(&Settings { transient_gc_days: text.map(str::to_owned) }).ok()
        };
        assert_eq!(days(None), Some(7));
        assert_eq!(days(Some("")), Some(7));
        assert_eq!(days(Some(" 30 ")), Some(30));
        assert_eq!(days(Some("soon")), None);
    }
}
