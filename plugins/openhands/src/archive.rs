//! Archives: what `teardown` keeps of a session, in a workspace that is there for it.

use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Error, clock,
    store::{self, swap},
    types::Code,
    workspaces::{Selection, Workspace},
};

use crate::{error, id, settings::Settings};

const COLLECTION: &str = "archives";
const KEY: &str = "workspace";
/// What never goes into an archive: what tasks left of themselves, and files that hold secrets by their name.
const NEVER: [&str; 3] = [".git/windlass/**", ".git/windlass", "**/.openhands_secrets"];

/// Where archives are.
#[derive(Deserialize, Serialize)]
struct Place {
    workspace: String,
}

/// Packs all that a session's workspace holds but secrets; says where.
pub(crate) fn keep(
    session: &str,
    workspace: &Workspace,
    now: u64,
    settings: &Settings,
) -> Result<String, Error> {
    let archives = place()?;
    // A name that nobody could have put anything at.
    let packed = format!(".windlass-{}.tar.gz", id::uuid());
    let stamp: String = clock::iso(now).chars().filter(char::is_ascii_digit).take(14).collect();
    let target =
        format!("{session}_{stamp}_{}.tar.gz", id::password().get(..8).unwrap_or_default());
    let never =
        NEVER.map(str::to_owned).into_iter().chain(settings.archive_exclude.iter().cloned());
    let selection = Selection {
        path: String::new(),
        include: Vec::new(),
        exclude: never.chain([packed.clone()]).collect(),
    };
    let kept = workspace
        .pack_into(&selection, true, &packed)
        .and_then(|_| archives.copy_from(workspace, &packed, &target));
    if let Err(failed) = kept.and(workspace.delete(&packed)) {
        // What there is of it may be half of it, and nobody is told of it.
        let _ = archives.delete(&target);
        let why = &failed.message;
        let message = format!("nothing is taken away, since the changes cannot be archived: {why}");
        return Err(error::about(session, Error { message, ..failed }));
    }
    Ok(format!("workspace://{}/{target}", archives.id()))
}

/// Removes an archive that nobody is told of.
pub(crate) fn discard(path: &str) -> Result<(), Error> {
    let Some((workspace, file)) =
        path.strip_prefix("workspace://").and_then(|path| path.split_once('/'))
    else {
        return Ok(());
    };
    match Workspace::open(workspace).and_then(|workspace| workspace.delete(file)) {
        Err(error) if error.code == Code::NotFound => Ok(()),
        discarded => discarded,
    }
}

/// The workspace of archives. The first who needs it makes it.
fn place() -> Result<Workspace, Error> {
    let before = store::get(COLLECTION, KEY)?;
    if let Some(document) = &before {
        let place: Place = serde_json::from_str(document)?;
        match Workspace::open(&place.workspace) {
            // Somebody has removed it.
            Err(error) if error.code == Code::NotFound => {}
            opened => return opened,
        }
    }
    let made = Workspace::create()?;
    let document = serde_json::to_string(&Place { workspace: made.id() })?;
    match swap(COLLECTION, KEY, before.as_deref(), &document) {
        Ok(()) => Ok(made),
        Err(error) if error.code == Code::Conflict => {
            // Somebody else was quicker.
            made.destroy()?;
            let place: Option<Place> = store::get_as(COLLECTION, KEY)?;
            Workspace::open(&place.map(|place| place.workspace).unwrap_or_default())
        }
        Err(error) => Err(error),
    }
}
