//! The record of calls: who did what through which plugin, and what came of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{By, OfferedTool, Registry};
use crate::{
    access::Caller,
    audit::{self, Arguments, Audit, Effects, Event, Kind},
    capability::{
        tools::{Hints, Output},
        types::{Content, Error},
    },
    config::Config,
    plugin::Plugin,
    policy::LOCAL,
    secrets::Values,
    time::now,
};

/// How long after its start a host looks for the first time.
const FIRST: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A call, from its beginning to its row. One that is dropped before its end was cancelled.
pub struct Entry {
    audit: Audit,
    pub effects: Effects,
    began: Instant,
    event: Option<Event>,
    /// How much is answered.
    bytes: AtomicU64,
    /// Whether it is on disk that it begins.
    started: AtomicBool,
}

impl Registry {
    /// Begins the record of a call of a tool.
    pub fn entry(&self, caller: &Caller, client: String, tool: &OfferedTool) -> Entry {
        let event = Event::new(Kind::ToolExecution, &caller.name, &tool.name);
        match &tool.by {
            By::Plugin { plugin, .. } => self.entry_of(event, client, Some(plugin)),
            By::Host(_) => self.entry_of(event, client, None),
        }
    }

    /// The same of a resource that is read, or a prompt that is asked for. They are not found by their names, of which there is no end.
    pub fn entry_of_reading(&self, caller: &Caller, what: &str) -> Entry {
        let event = Event::new(Kind::Reading, &caller.name, "");
        let entry = self.entry_of(event, String::new(), None);
        entry.effects.add(format!("read {}", what.escape_debug()));
        entry
    }

    fn entry_of(&self, event: Event, client: String, plugin: Option<&Arc<Plugin>>) -> Entry {
        let event = Event {
            client,
            plugin: plugin.map(|it| it.name().to_owned()).unwrap_or_default(),
            digest: plugin.map(|it| it.digest.clone()),
            policy: self.revision(),
            ..event
        };
        Entry {
            audit: self.doors.audit.clone(),
            effects: Effects::default(),
            began: Instant::now(),
            event: Some(event),
            bytes: AtomicU64::new(0),
            started: AtomicBool::new(false),
        }
    }

    /// Records a call of what is not there. Its name is whatever somebody made up, so it is not found by that.
    pub fn note_unknown(&self, caller: &Caller, client: String, name: &str) {
        let error = format!("there is no tool `{}`", name.escape_debug());
        let event = Event::new(Kind::ToolExecution, &caller.name, "?").failed(error);
        self.entry_of(event, client, None).end();
    }

    /// Records what the host or its operator did.
    pub fn note_admin(&self, act: &str, effects: Vec<String>, error: Option<String>) {
        let policy = self.revision();
        let event = Event::new(Kind::Admin, LOCAL, act);
        self.doors.audit.note(Event { policy, effects, error, ..event });
    }

    /// Once a day, takes the rows away that are older than the operator wants to keep, as long as the host runs.
    pub async fn archive_daily(self: Arc<Self>) {
        let soon = tokio::time::Instant::now() + FIRST;
        let mut days = tokio::time::interval_at(soon, DAY);
        loop {
            days.tick().await;
            let keep = self.config().audit.keep_days;
            let Some(place) = self.doors.audit.place().cloned().filter(|_| keep > 0) else {
                continue;
            };
            let kept = DAY.as_millis() as u64 * u64::from(keep);
            let before = i64::try_from(now().saturating_sub(kept)).unwrap_or(i64::MAX);
            let archived = tokio::task::spawn_blocking(move || {
                if place.trail.exists() { audit::rotate(&place, before) } else { Ok(None) }
            });
            let (effects, error) = match archived.await {
                Ok(Ok(None)) => continue,
                Ok(Ok(Some((file, rows)))) => {
                    (vec![format!("record archive {rows} rows in {}", file.display())], None)
                }
                Ok(Err(error)) => (Vec::new(), Some(format!("{error:#}"))),
                Err(error) => (Vec::new(), Some(error.to_string())),
            };
            if let Some(error) = &error {
                tracing::error!("old rows of the record are not taken away: {error}");
            }
            self.note_admin("audit rotate", effects, error);
        }
    }

    /// The values that no plugin and nobody else may read.
    pub(super) fn secrets(&self) -> Vec<Arc<Values>> {
        self.catalog().plugins.values().map(|it| it.settings.secrets.known()).collect()
    }

    /// Which configuration it is that counts, in a few characters.
    pub fn revision(&self) -> String {
        let config = self.config();
        let mut known = self.revision.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &*known {
            Some((of, revision)) if Arc::ptr_eq(of, &config) => revision.clone(),
            _ => {
                let revision = revision_of(&config);
                *known = Some((config, revision.clone()));
                revision
            }
        }
    }
}

/// A configuration holds where secrets are to be found, and none itself.
fn revision_of(config: &Config) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(format!("{config:?}").as_bytes());
    crate::plugin::hex(digest.get(..6).unwrap_or_default())
}

impl Entry {
    /// With what it is called.
    pub fn with(&mut self, arguments: &str) {
        if let Some(event) = &mut self.event {
            event.arguments = Arguments::new(arguments.to_owned());
        }
    }

    /// Has it on disk that a destructive tool begins, before it does.
    pub(super) async fn begin(&self, hints: Hints) -> Result<(), Error> {
        let Some(event) = &self.event else { return Ok(()) };
        if !hints.contains(Hints::DESTRUCTIVE) || self.started.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let event = Event { kind: Kind::ToolStart, ..event.clone() };
        self.audit.note_first(event).await.map_err(|failure| match failure {
            crate::error::Failure::Answer(error) => error,
            crate::error::Failure::Trap(error) => {
                Error::new(crate::capability::types::Code::Unavailable, error.to_string())
            }
        })
    }

    /// With how much it is answered.
    pub fn answers(&self, output: &Output) {
        let content: usize = output.content.iter().map(size).sum();
        let bytes = content + output.structured.as_ref().map_or(0, String::len);
        self.bytes.store(bytes as u64, Ordering::Relaxed);
    }

    /// Records why it failed, or was refused.
    pub fn failed(mut self, code: &str, message: &str) {
        if let Some(event) = &mut self.event {
            event.error = Some(format!("{code}: {message}"));
        }
        self.end();
    }

    /// Records it as it is.
    pub fn end(mut self) {
        self.note();
    }

    fn note(&mut self) {
        let Some(mut event) = self.event.take() else { return };
        event.effects = self.effects.take();
        event.bytes = self.bytes.load(Ordering::Relaxed);
        event.duration_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.audit.note(event);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(event) = &mut self.event {
            event.error = Some("CANCELLED: whoever called gave it up".to_owned());
        }
        self.note();
    }
}

fn size(content: &Content) -> usize {
    match content {
        Content::Text(text) => text.len(),
        _ => 0,
    }
}
