//! Sessions: the documents that say which workspaces are one, and which tasks have a place in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Error, clock,
    store::{self, delete, get, list, swap},
    types::Code,
    workspaces::Workspace,
};

use crate::{error, settings::Settings, tree};

const SESSIONS: &str = "sessions";
/// How many documents are read at once.
const PAGE: u32 = 1000;
/// Whoever loses so often against others has met a fault, and no race.
const ATTEMPTS: u32 = 100;
/// How long a call that starts a session may be at it: a little more than a call may take.
const STARTING_MS: u64 = 330_000;
/// How long it is known how a session ended, for a client that did not hear it: a week.
const REMEMBERED_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// What is known of a session. Its id is that of its workspace.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub(crate) struct Session {
    pub(crate) repo_url: String,
    pub(crate) branch: String,
    /// Milliseconds since 1970.
    pub(crate) created: u64,
    /// Set while it is being cloned. Where it stays so, the host was killed meanwhile.
    pub(crate) starting: bool,
    /// The tasks that may still run. Whoever wants to start one needs a place here first.
    pub(crate) claims: Vec<Claim>,
    /// Set before anything is taken away.
    pub(crate) closing: Option<Closing>,
    /// How it ended.
    pub(crate) closed: Option<Closed>,
}

/// The place of a task.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Claim {
    pub(crate) task: String,
    /// Milliseconds since 1970.
    pub(crate) since: u64,
}

/// How far a teardown has come.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub(crate) struct Closing {
    /// Where its changes are kept. What there was to keep is in it: nothing is archived twice.
    pub(crate) archive: Option<String>,
    /// Whether somebody else has worked on the files since then.
    pub(crate) stale: bool,
}

/// How a session ended.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Closed {
    pub(crate) archive: Option<String>,
    /// Milliseconds since 1970.
    pub(crate) at: u64,
}

/// A session, as it is told.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Told {
    pub(crate) session_id: String,
    pub(crate) repo_url: String,
    pub(crate) branch: String,
    pub(crate) workspace_path: String,
    pub(crate) created_at: String,
}

impl Session {
    /// The open session of this id. A workspace that another plugin made a repository of becomes one.
    pub(crate) fn open(id: &str, settings: &Settings) -> Result<Self, Error> {
        let session = Self::find(id)?.map_or_else(|| adopt(id, settings), Ok)?;
        if session.closed.is_some() || session.starting {
            return Err(error::no_session(id));
        }
        Ok(session)
    }

    /// The same, if nobody is taking it away.
    pub(crate) fn open_to_work(id: &str, settings: &Settings) -> Result<Self, Error> {
        let session = Self::open(id, settings)?;
        if session.closing.is_some() { Err(error::closing(id)) } else { Ok(session) }
    }

    /// What is known of it, if anything is, closed or not.
    pub(crate) fn find(id: &str) -> Result<Option<Self>, Error> {
        // A name that the store refuses is no session's.
        if !is_id(id) {
            return Ok(None);
        }
        store::get_as(SESSIONS, id)
    }

    /// Writes down a session that is not there yet.
    pub(crate) fn begin(&self, id: &str) -> Result<(), Error> {
        swap(SESSIONS, id, None, &serde_json::to_string(self)?)
    }

    /// Changes what is known of it, whoever else does at the same time; gives what the change gave.
    pub(crate) fn change<T>(
        id: &str,
        change: impl Fn(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        for _ in 0..ATTEMPTS {
            let Some(before) = get(SESSIONS, id)? else { return Err(error::no_session(id)) };
            let mut session: Self = serde_json::from_str(&before)?;
            let changed = change(&mut session)?;
            match swap(SESSIONS, id, Some(&before), &serde_json::to_string(&session)?) {
                Ok(()) => return Ok(changed),
                Err(error) if error.code == Code::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::unavailable(format!("too much happens to session {id} at once: try again")))
    }

    /// Gives up the place of a task.
    pub(crate) fn release(id: &str, task: &str) -> Result<(), Error> {
        Self::change(id, |session| {
            session.claims.retain(|claim| claim.task != task);
            Ok(())
        })
    }

    /// All sessions that are open, oldest first.
    pub(crate) fn all() -> Result<Vec<(String, Self)>, Error> {
        let mut open = Self::known()?;
        open.retain(|(_, session)| session.closed.is_none() && !session.starting);
        open.sort_by_key(|(_, session)| session.created);
        Ok(open)
    }

    /// Forgets how sessions ended long ago, and removes what is left of those that never began.
    pub(crate) fn sweep() -> Result<(), Error> {
        let now = clock::now();
        for (id, session) in Self::known()? {
            let over = session.closed.is_some_and(|closed| now >= closed.at + REMEMBERED_MS);
            let dead = session.starting && now >= session.created + STARTING_MS;
            if dead {
                abandon(&id)?;
            } else if over {
                delete(SESSIONS, &id)?;
            }
        }
        Ok(())
    }

    /// All that anything is known of.
    fn known() -> Result<Vec<(String, Self)>, Error> {
        let (mut known, mut after) = (Vec::new(), String::new());
        loop {
            let page = list(SESSIONS, &after, PAGE)?;
            let last = page.len() < PAGE as usize;
            for entry in page {
                known.push((entry.key.clone(), serde_json::from_str(&entry.document)?));
                after = entry.key;
            }
            if last {
                return Ok(known);
            }
        }
    }

    pub(crate) fn told(&self, id: &str) -> Told {
        Told {
            session_id: id.to_owned(),
            repo_url: self.repo_url.clone(),
            branch: self.branch.clone(),
            workspace_path: workspace_path(id),
            created_at: clock::iso(self.created),
        }
    }
}

/// Where its files are, for the tools of every plugin.
pub(crate) fn workspace_path(id: &str) -> String {
    format!("workspace://{id}")
}

/// The workspace of an open session.
pub(crate) fn workspace(id: &str) -> Result<Workspace, Error> {
    Workspace::open(id).map_err(|error| match error.code {
        Code::NotFound => error::no_session(id),
        _ => error,
    })
}

/// Removes a session that could not begin, with what there is of it.
pub(crate) fn abandon(id: &str) -> Result<(), Error> {
    match Workspace::open(id).and_then(|workspace| workspace.destroy()) {
        Err(error) if error.code != Code::NotFound => Err(error),
        _ => delete(SESSIONS, id),
    }
}

/// Makes a session of a workspace that holds a repository.
fn adopt(id: &str, settings: &Settings) -> Result<Session, Error> {
    if !is_id(id) {
        return Err(error::no_session(id));
    }
    workspace(id)?;
    let origin = tree::origin(id, settings).ok_or_else(|| error::no_session(id))?;
    let session = Session {
        repo_url: origin.url,
        branch: origin.branch,
        created: clock::now(),
        ..Session::default()
    };
    match session.begin(id) {
        // Somebody else was quicker.
        Err(error) if error.code == Code::Conflict => {
            Session::find(id)?.ok_or_else(|| error::no_session(id))
        }
        begun => begun.map(|()| session),
    }
}

/// Whether it looks like the id of a workspace.
fn is_id(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    id.strip_prefix("w_").is_some_and(|rest| rest.len() <= 64 && rest.bytes().all(fits))
}

#[cfg(test)]
mod tests {
    use super::is_id;

    #[test]
    fn only_an_id_is_looked_up() {
        assert!(is_id("w_00000000-0000-4000-8000-000000000000"));
        let long = format!("w_{}", "a".repeat(65));
        for bad in ["", "w", "x_1", "w_../x", "w_a b", "w_\0", &long] {
            assert!(!is_id(bad), "{bad:?}");
        }
    }
}
