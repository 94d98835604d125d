//! What changes a workspace: one step, or several of which all are done or none.

use std::{collections::BTreeSet, io::Write as _};

use rustix::fs::{Mode, fchmod, fstat};

use super::{
    copy::copy,
    failure::{self, At as _},
    journal::{Expected, Journal, Spot},
    read::{self, LARGEST_PART, known},
    root::{Root, is_file, named, permissions},
    tags::of_bytes,
};
use crate::{
    capability::bindings::windlass::plugin::workspaces::{Done, Stat},
    error::{Result, limit},
    policy::{ReadPart, Step, WorkspacePath},
};

/// The mode of a file that is made, and of which nobody said anything.
const MODE: u16 = 0o644;

/// One step by itself.
pub(super) fn once(root: &Root, step: &Step) -> Result<Done> {
    let mut journal = Journal::new(root);
    let done = perform(&mut journal, step)?;
    journal.finish()?;
    Ok(done)
}

/// All steps, or none.
pub(super) fn all(root: &Root, steps: &[Step]) -> Result<Vec<Done>> {
    let at = |index: usize, step: &Step| (index + 1, describe(step));
    for (index, step) in foreseeable(steps) {
        let (number, what) = at(index, step);
        foresee(root, step).map_err(|failure| failure::in_step(failure, number, &what))?;
    }
    let mut journal = Journal::new(root);
    let mut done = Vec::with_capacity(steps.len());
    let mut bytes = 0;
    for (index, step) in steps.iter().enumerate() {
        let (number, what) = at(index, step);
        let step = perform(&mut journal, step)
            .map_err(|failure| failure::in_step(failure, number, &what))?;
        if let Done::Read(part) = &step {
            bytes += part.data.len() as u64;
        }
        if bytes > LARGEST_PART {
            return Err(limit(format!(
                "the files that a batch reads have more than {LARGEST_PART} bytes together"
            )));
        }
        done.push(step);
    }
    journal.finish()?;
    Ok(done)
}

/// The steps whose paths no step before them touches: what they find is what is there at the start.
fn foreseeable(steps: &[Step]) -> Vec<(usize, &Step)> {
    let mut touched: Vec<&WorkspacePath> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let (needs, changes) = paths(step);
        let apart = |path: &&WorkspacePath| {
            !touched.iter().any(|it| it.is_within(path) || path.is_within(it))
        };
        if needs.iter().all(apart) {
            found.push((index, step));
        }
        touched.extend(changes.into_iter().filter(|path| seen.insert(path.as_str())));
    }
    found
}

/// What a step looks at first, and what is different after it.
fn paths(step: &Step) -> (Vec<&WorkspacePath>, Vec<&WorkspacePath>) {
    match step {
        Step::Read(path) => (vec![path], vec![]),
        Step::Write { path, .. } | Step::Remove { path, .. } => (vec![path], vec![path]),
        Step::Move { origin, target, .. } => (vec![origin, target], vec![origin, target]),
        Step::Copy { origin, target, .. } => (vec![origin, target], vec![target]),
    }
}

/// Refuses what is bound to fail, before anything is done.
fn foresee(root: &Root, step: &Step) -> Result<()> {
    let journal = Journal::new(root);
    match step {
        Step::Read(path) => root.file(path).map(drop),
        Step::Write { if_match: None, .. } => Ok(()),
        Step::Write { path, if_match: Some(tag), .. } if !tag.is_empty() => {
            match Spot::of(root, path) {
                Ok(spot) => journal.check(path, &spot, Some(tag)).map(drop),
                Err(_) => Err(failure::changed(path, tag, "")),
            }
        }
        Step::Write { path, .. } => match Spot::of(root, path) {
            Ok(spot) => journal.check(path, &spot, Some("")).map(drop),
            Err(_) => Ok(()),
        },
        Step::Remove { path, if_match } => {
            let spot = Spot::of(root, path)?;
            named(&*spot.parent, &spot.name).at(path)?;
            journal.check(path, &spot, if_match.as_deref()).map(drop)
        }
        Step::Move { origin, target, replace } | Step::Copy { origin, target, replace } => {
            let spot = Spot::of(root, origin)?;
            named(&*spot.parent, &spot.name).at(origin)?;
            let there = Spot::of(root, target).is_ok_and(|it| named(&*it.parent, &it.name).is_ok());
            if there && !replace { Err(failure::exists(target)) } else { Ok(()) }
        }
    }
}

fn perform(journal: &mut Journal<'_>, step: &Step) -> Result<Done> {
    match step {
        Step::Read(path) => {
            let part = ReadPart { path: path.clone(), offset: 0, most: None };
            Ok(Done::Read(read::read(journal.root, &part)?))
        }
        Step::Write { path, bytes, if_match } => {
            write(journal, path, bytes, if_match.as_deref()).map(Done::Written)
        }
        Step::Remove { path, if_match } => {
            let spot = Spot::of(journal.root, path)?;
            named(&*spot.parent, &spot.name).at(path)?;
            let (_, expected) = journal.check(path, &spot, if_match.as_deref())?;
            journal.take(path, spot, &expected)?;
            Ok(Done::Removed)
        }
        Step::Move { origin, target, replace } => {
            rename(journal, origin, target, *replace).map(Done::Moved)
        }
        Step::Copy { origin, target, replace } => {
            copy_to(journal, origin, target, *replace).map(Done::Copied)
        }
    }
}

fn write(
    journal: &mut Journal<'_>,
    path: &WorkspacePath,
    bytes: &[u8],
    if_match: Option<&str>,
) -> Result<Stat> {
    let spot = match Spot::of(journal.root, path) {
        Ok(spot) => spot,
        // Nothing is there, which is not what was expected.
        Err(_) if if_match.is_some_and(|tag| !tag.is_empty()) => {
            return Err(failure::changed(path, if_match.unwrap_or_default(), ""));
        }
        Err(_) => journal.make_spot(path)?,
    };
    let (there, expected) = journal.check(path, &spot, if_match)?;
    let mode = there.filter(is_file).map_or(MODE, |there| permissions(&there));
    let (staged, mut file) = journal.root.staging.file()?;
    file.write_all(bytes).at(path)?;
    fchmod(&file, Mode::from(u32::from(mode))).at(path)?;
    let raw = fstat(&file).at(path)?;
    journal.put(path, spot, staged, &expected)?;
    Ok(known(path.as_str().to_owned(), &raw, Some(of_bytes(bytes))))
}

fn rename(
    journal: &mut Journal<'_>,
    origin: &WorkspacePath,
    target: &WorkspacePath,
    replace: bool,
) -> Result<Stat> {
    let from = Spot::of(journal.root, origin)?;
    let moved = named(&*from.parent, &from.name).at(origin)?;
    if origin.as_str() != target.as_str() {
        let to = journal.make_spot(target)?;
        journal.rename((origin, target), from, to, replace)?;
    }
    if is_file(&moved) {
        return read::stat(journal.root, target);
    }
    Ok(known(target.as_str().to_owned(), &moved, None))
}

fn copy_to(
    journal: &mut Journal<'_>,
    origin: &WorkspacePath,
    target: &WorkspacePath,
    replace: bool,
) -> Result<Stat> {
    let staged = copy(journal.root, origin)?;
    let raw = named(&staged.staging.fd, &staged.name).at(target)?;
    let spot = journal.make_spot(target)?;
    let there = named(&*spot.parent, &spot.name);
    if there.is_ok() && !replace {
        return Err(failure::exists(target));
    }
    journal.put(target, spot, staged, &Expected::Anything)?;
    if is_file(&raw) {
        return read::stat(journal.root, target);
    }
    Ok(known(target.as_str().to_owned(), &raw, None))
}

fn describe(step: &Step) -> String {
    match step {
        Step::Read(path) => format!("read `{path}`"),
        Step::Write { path, .. } => format!("write `{path}`"),
        Step::Remove { path, .. } => format!("remove `{path}`"),
        Step::Move { origin, target, .. } => format!("move `{origin}` to `{target}`"),
        Step::Copy { origin, target, .. } => format!("copy `{origin}` to `{target}`"),
    }
}
