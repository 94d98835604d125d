//! Sessions: the documents that say which workspaces are one, and what belongs to it.

use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Error, clock,
    store::{self, Entry, get, list, swap},
    types::Code,
};

use crate::{error, id};

const SESSIONS: &str = "sessions";
/// Which session answers to a key.
const KEYS: &str = "keys";
/// How many documents are read at once.
const PAGE: u32 = 500;
/// Whoever loses so often against others has met a fault, and no race.
const ATTEMPTS: u32 = 100;

/// What is known of a session. Its id is that of its workspace.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub(crate) struct Session {
    pub(crate) name: Option<String>,
    pub(crate) reuse_key: Option<String>,
    pub(crate) image: String,
    /// The workspace at `/session-meta`.
    pub(crate) meta: String,
    /// Whether its workspace was made for it.
    pub(crate) own_workspace: bool,
    /// What its server asks for. It opens nothing but this one.
    pub(crate) password: String,
    /// How often the server was started.
    pub(crate) generation: u64,
    /// The process that is the server, once it was started.
    pub(crate) process: Option<String>,
    /// The session as opencode calls it, once there is one.
    pub(crate) conversation: Option<String>,
    /// Milliseconds since 1970.
    pub(crate) created: u64,
    /// When it was last asked for, or a run of it began. Milliseconds since 1970.
    pub(crate) used: u64,
    /// Milliseconds since 1970.
    pub(crate) terminated: Option<u64>,
}

impl Session {
    /// What is known of it, terminated or not.
    pub(crate) fn find(id: &str) -> Result<Self, Error> {
        // A name that the store refuses is no session's.
        let found = if id::is_session(id) { store::get_as(SESSIONS, id)? } else { None };
        found.ok_or_else(|| error::no_session(id))
    }

    /// The same, if it was not terminated.
    pub(crate) fn live(id: &str) -> Result<Self, Error> {
        let session = Self::find(id)?;
        if session.terminated.is_some() { Err(error::no_session(id)) } else { Ok(session) }
    }

    /// Writes down a session that is not there, or that was terminated.
    pub(crate) fn begin(&self, id: &str) -> Result<(), Error> {
        let before = get(SESSIONS, id)?;
        if let Some(before) = &before
            && serde_json::from_str::<Self>(before)?.terminated.is_none()
        {
            return Err(Error::new(
                Code::Conflict,
                format!("workspace `{id}` is a session already"),
            ));
        }
        swap(SESSIONS, id, before.as_deref(), &serde_json::to_string(self)?)
    }

    /// Changes what is known of it, whoever else does at the same time; gives what is known then.
    pub(crate) fn change(id: &str, change: impl Fn(&mut Self)) -> Result<Self, Error> {
        for _ in 0..ATTEMPTS {
            let Some(before) = get(SESSIONS, id)? else { return Err(error::no_session(id)) };
            let mut session: Self = serde_json::from_str(&before)?;
            change(&mut session);
            match swap(SESSIONS, id, Some(&before), &serde_json::to_string(&session)?) {
                Ok(()) => return Ok(session),
                Err(error) if error.code == Code::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::unavailable(format!("too much happens to session {id} at once: try again")))
    }

    /// Notes that somebody wants it.
    pub(crate) fn touch(id: &str) -> Result<Self, Error> {
        let now = clock::now();
        Self::change(id, |session| session.used = session.used.max(now))
    }

    /// All that anything is known of, the latest first.
    pub(crate) fn all() -> Result<Vec<(String, Self)>, Error> {
        let (mut known, mut after) = (Vec::new(), String::new());
        loop {
            let page = Self::page(&after, PAGE)?;
            let last = page.len() < PAGE as usize;
            after = page.last().map(|(id, _)| id.clone()).unwrap_or_default();
            known.extend(page);
            if last {
                break;
            }
        }
        known.sort_by_key(|(_, session): &(String, Self)| std::cmp::Reverse(session.created));
        Ok(known)
    }

    /// Some of them, in the order of their ids.
    pub(crate) fn page(after: &str, limit: u32) -> Result<Vec<(String, Self)>, Error> {
        let read = |entry: Entry| Ok((entry.key, serde_json::from_str(&entry.document)?));
        list(SESSIONS, after, limit)?.into_iter().map(read).collect()
    }
}

/// What answers to a key.
pub(crate) struct Keyed {
    /// A session that is not terminated.
    pub(crate) live: Option<String>,
    /// What is written there, for [`take_key`].
    pub(crate) written: Option<String>,
}

pub(crate) fn by_key(key: &str) -> Result<Keyed, Error> {
    let written = get(KEYS, key)?;
    let live = match written.as_deref().map(Session::live) {
        Some(Ok(_)) => written.clone(),
        Some(Err(error)) if error.code != Code::NotFound => return Err(error),
        _ => None,
    };
    Ok(Keyed { live, written })
}

/// Lets a session answer to a key, if nobody else has taken it meanwhile.
pub(crate) fn take_key(key: &str, before: Option<&str>, id: &str) -> Result<(), Error> {
    swap(KEYS, key, before, id)
}

/// The name of its container, which nobody else can have.
pub(crate) fn alias(id: &str) -> String {
    format!("opencode-{id}")
}
