//! `create_or_reuse_session`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Tool, clock, log, log::Level, store, types::Code,
    workspaces::Workspace,
};

use crate::{
    error, house, id,
    provider::Provider,
    session::{self, Session},
    settings::Settings,
    show::Shown,
};

/// Whoever loses so often against others has met a fault, and no race.
const ATTEMPTS: u32 = 100;
/// A longer key is a mistake.
const LONGEST_KEY: usize = 200;
/// How many sessions are looked at, at each call, for those that nobody uses.
const SWEPT: u32 = 100;
/// Where the last sweep came to.
const CURSOR: (&str, &str) = ("sweep", "cursor");
const DAY_MS: u64 = 86_400_000;

/// Makes a session: a container of its own with opencode in it, and files at `/workspace` that stay from task to task. With a
/// `reuse_key` that a live session has, it gives that one. opencode starts in the background; tasks can be submitted at once.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct CreateOrReuseSession {
    /// What people call it.
    name: Option<String>,
    /// Whoever asks with the same key gets the same session, as long as it is not terminated.
    reuse_key: Option<String>,
    /// An image with opencode in it, for a session that is made.
    image: Option<String>,
    /// The id of a workspace (`w_…`) with files to work on, such as `git_clone` gives; if it is a session, that one is given.
    /// Without it, the session begins empty.
    workspace: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Created {
    success: bool,
    /// Whether it was there already.
    reused: bool,
    #[serde(flatten)]
    session: Shown,
}

impl Tool for CreateOrReuseSession {
    const NAME: &'static str = "create_or_reuse_session";
    const TITLE: Option<&'static str> = Some("Make or reuse a session");
    const HINTS: Hints = Hints::OPEN_WORLD;
    type Output = Created;

    fn run(self, call: &Call) -> Result<Created> {
        let settings = Settings::of(call)?;
        // What is wrong with the model is told before anything is made.
        Provider::of(&settings)?;
        if let Err(error) = sweep(&settings) {
            log::write(Level::Warn, &format!("unused sessions: {}", error.message));
        }
        let (id, reused) = match &self.reuse_key {
            Some(key) => self.by_key(check_key(key)?, &settings)?,
            None => match self.workspace.as_ref().filter(|id| Session::live(id).is_ok()) {
                Some(id) => (id.clone(), true),
                None => (self.make(&settings)?, false),
            },
        };
        if let Err(error) = house::started(&id, &settings) {
            let error = error::about("session_id", &id, error);
            if !reused {
                undo(&id);
            }
            return Err(error.into());
        }
        let session = Shown::new(&id, &Session::touch(&id)?);
        Ok(Created { success: true, reused, session })
    }
}

impl CreateOrReuseSession {
    /// The session that answers to the key, and whether it was there already.
    fn by_key(&self, key: &str, settings: &Settings) -> Result<(String, bool), Error> {
        for _ in 0..ATTEMPTS {
            let found = session::by_key(key)?;
            if let Some(id) = found.live.filter(|id| Workspace::open(id).is_ok()) {
                return match &self.workspace {
                    Some(wanted) if *wanted != id => Err(Error::new(
                        Code::Conflict,
                        format!(
                            "`reuse_key` is that of session `{id}`, which is another workspace than `{wanted}`"
                        ),
                    )),
                    _ => Ok((id, true)),
                };
            }
            let id = self.make(settings)?;
            match session::take_key(key, found.written.as_deref(), &id) {
                Ok(()) => return Ok((id, false)),
                Err(error) => {
                    undo(&id);
                    if error.code != Code::Conflict {
                        return Err(error);
                    }
                }
            }
        }
        Err(Error::unavailable("too many ask with this `reuse_key` at once: try again"))
    }

    /// Makes a session that has no container yet.
    fn make(&self, settings: &Settings) -> Result<String, Error> {
        let workspace = match &self.workspace {
            Some(id) => {
                Workspace::open(id).map_err(|error| error::about("workspace", id, error))?
            }
            None => Workspace::create()?,
        };
        let (id, now) = (workspace.id(), clock::now());
        let session = Session {
            name: self.name.clone().filter(|name| !name.trim().is_empty()),
            reuse_key: self.reuse_key.clone(),
            image: self
                .image
                .clone()
                .filter(|image| !image.trim().is_empty())
                .unwrap_or_else(|| settings.image.clone()),
            meta: Workspace::create()?.id(),
            own_workspace: self.workspace.is_none(),
            password: id::password(),
            created: now,
            used: now,
            ..Session::default()
        };
        session.begin(&id).inspect_err(|_| discard(&session.meta))?;
        Ok(id)
    }
}

fn check_key(key: &str) -> Result<&str, Error> {
    let length = key.len();
    if key.trim().is_empty() || length > LONGEST_KEY || key.contains('\0') {
        return Err(Error::invalid(format!(
            "`reuse_key` is 1 to {LONGEST_KEY} bytes of text, and this one has {length}"
        )));
    }
    Ok(key)
}

/// Takes back a session that did not begin, as far as that goes.
fn undo(id: &str) {
    let now = clock::now();
    let Ok(session) = Session::change(id, |session| session.terminated = Some(now)) else { return };
    if let Err(error) = house::remove(id) {
        log::write(Level::Warn, &format!("session {id} leaves a container: {}", error.message));
    }
    discard(&session.meta);
    if session.own_workspace {
        discard(id);
    }
}

fn discard(workspace: &str) {
    if let Err(error) = Workspace::open(workspace).and_then(|workspace| workspace.destroy()) {
        log::write(Level::Warn, &format!("workspace {workspace} is left: {}", error.message));
    }
}

/// Removes the containers of some sessions that nobody has used for long. The next calls look at others.
fn sweep(settings: &Settings) -> Result<(), Error> {
    let (collection, key) = CURSOR;
    let after = store::get(collection, key)?.unwrap_or_default();
    let page = Session::page(&after, SWEPT)?;
    let last = page.len() < SWEPT as usize;
    let next = page.last().filter(|_| !last).map(|(id, _)| id.clone()).unwrap_or_default();
    let old = u64::from(settings.unused_days) * DAY_MS;
    let unused =
        |session: &Session| session.terminated.is_none() && clock::now() > session.used + old;
    for (id, session) in page {
        if session.process.is_some() && unused(&session) {
            house::remove(&id)?;
            Session::change(&id, |session| session.process = None)?;
        }
    }
    if next != after { store::put(collection, key, &next) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::check_key;

    #[test]
    fn a_key_is_a_text_of_some_length() {
        assert!(check_key("feature/x ä").is_ok());
        for bad in ["", "  ", "a\0b", &"x".repeat(201)] {
            assert!(check_key(bad).is_err(), "{bad:?}");
        }
    }
}
