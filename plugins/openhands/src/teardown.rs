//! `teardown`.
//!
//! Each step is written down before the next: whoever calls again after a crash goes on where the last call ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Error, Hints, Result, Tool, clock, types::Code, workspaces::Workspace};

use crate::{
    archive, error,
    session::{Closed, Closing, Session},
    settings::Settings,
    task::Task,
    tree,
    world::{self, World},
};

/// How often files are removed that somebody works on, and how long it is waited in between.
const ATTEMPTS: u32 = 10;
const PAUSE_MS: u32 = 200;

/// Ends a session: its coding tasks first, then, unless `archive_changes` is false, what is not committed or not pushed goes into an
/// archive, and then its files are removed. Where the archive cannot be made, nothing is removed.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Teardown {
    /// What `start_session` answered.
    session_id: String,
    /// Whether changes that would be lost are archived.
    #[serde(default = "yes")]
    #[schemars(default = "yes")]
    archive_changes: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct TornDown {
    session_id: String,
    success: bool,
    archived: bool,
    /// A `.tar.gz`, in a workspace.
    archive_path: Option<String>,
}

impl Tool for Teardown {
    const NAME: &'static str = "teardown";
    const TITLE: Option<&'static str> = Some("End a session");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT);
    type Output = TornDown;

    fn run(self, call: &Call) -> Result<TornDown> {
        let session = self.session_id.clone();
        Ok(self.tear_down(call).map_err(|error| error::about(&session, error))?)
    }
}

impl Teardown {
    fn tear_down(self, call: &Call) -> Result<TornDown, Error> {
        let settings = Settings::of(call)?;
        if let Some(done) = closed(&self.session_id)? {
            return Ok(done);
        }
        Session::open(&self.session_id, &settings)?;
        match self.close(&settings) {
            Ok(done) => Ok(done),
            // Somebody else may have ended it meanwhile, under our hands.
            Err(error) => closed(&self.session_id)?.ok_or(error),
        }
    }

    fn close(&self, settings: &Settings) -> Result<TornDown, Error> {
        let id = &self.session_id;
        let closing = Session::change(id, |session| {
            Ok(session.closing.get_or_insert_with(Closing::default).clone())
        })?;
        for info in World::look()?.of_session(id) {
            world::remove(&info.id)?;
        }
        if let Some(workspace) = there(id)? {
            let kept = closing.archive.is_some() && !closing.stale;
            if self.archive_changes && !kept && tree::would_lose(id, &workspace, settings) {
                keep(id, &workspace, settings)?;
            }
            destroy(id, &workspace)?;
        }
        for task in Task::all(id)? {
            task.forget()?;
        }
        Session::change(id, |session| {
            let archive = session.closing.clone().and_then(|closing| closing.archive);
            let at = clock::now();
            let closed = session.closed.get_or_insert(Closed { archive, at }).clone();
            session.claims.clear();
            Ok(told(id, closed))
        })
    }
}

/// How a session ended, if it has.
fn closed(id: &str) -> Result<Option<TornDown>, Error> {
    Ok(Session::find(id)?.and_then(|session| session.closed).map(|closed| told(id, closed)))
}

fn told(id: &str, closed: Closed) -> TornDown {
    let session_id = id.to_owned();
    TornDown {
        session_id,
        success: true,
        archived: closed.archive.is_some(),
        archive_path: closed.archive,
    }
}

/// The workspace, unless it is gone already.
fn there(id: &str) -> Result<Option<Workspace>, Error> {
    match Workspace::open(id) {
        Ok(workspace) => Ok(Some(workspace)),
        Err(error) if error.code == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Archives the files, and writes down where. Where two do it at once, the first one's counts: the second may have packed
/// what the first was removing already.
fn keep(id: &str, workspace: &Workspace, settings: &Settings) -> Result<(), Error> {
    let archive = archive::keep(id, workspace, clock::now(), settings)?;
    let whole = there(id)?.is_some();
    let taken = Session::change(id, |session| {
        let closing = session.closing.get_or_insert_with(Closing::default);
        let take = closing.archive.is_none() || closing.stale && whole;
        if take {
            *closing = Closing { archive: Some(archive.clone()), stale: false };
        }
        Ok(take)
    })?;
    if taken { Ok(()) } else { archive::discard(&archive) }
}

/// Removes the files. Where somebody else works on them they stay, and the archive is soon an old one.
fn destroy(id: &str, workspace: &Workspace) -> Result<(), Error> {
    let mut destroyed = workspace.destroy();
    for _ in 0..ATTEMPTS {
        if !destroyed.as_ref().is_err_and(|error| error.code == Code::Conflict) {
            break;
        }
        // It may be git at work for another teardown.
        clock::sleep(PAUSE_MS);
        destroyed = workspace.destroy();
    }
    match destroyed {
        Err(error) if error.code == Code::NotFound => Ok(()),
        Err(error) if error.code == Code::Conflict => {
            Session::change(id, |session| {
                session.closing.get_or_insert_with(Closing::default).stale = true;
                Ok(())
            })?;
            Err(error)
        }
        destroyed => destroyed,
    }
}

fn yes() -> bool {
    true
}
