//! A session's container with opencode in it: made when it is missing, started when it does not run.

use windlass_sdk::{
    Error, clock,
    containers::{Container, Removal, Spec, find_engine},
    log::{self, Level},
    processes::{Process, State},
    types::Code,
    workspaces::Workspace,
};

use crate::{
    extras, launch,
    provider::Provider,
    server::Server,
    session::{Session, alias},
    settings::Settings,
};

/// How long programs may take to end by themselves when a container is removed.
const GRACE_S: u32 = 2;
/// Whoever finds so many servers that end at once has met a fault, and no race.
const ATTEMPTS: u32 = 10;
/// How long extras may take, before opencode starts: packages are fetched, and some are built.
const EXTRAS_MS: u64 = 1_800_000;

/// What came of starting a server.
enum Begun {
    /// It runs, and asks for this password.
    Running(Process, String),
    /// The container starts nothing.
    Refused(Error),
}

/// Makes sure that the server of a session was started. It may not answer yet.
pub(crate) fn started(id: &str, settings: &Settings) -> Result<Server, Error> {
    let session = Session::live(id)?;
    let provider = Provider::of(settings)?;
    let mut container = container(id, &session, &provider, settings)?;
    let mut begun = process(id, session.clone(), &container, &provider, settings)?;
    if let Begun::Refused(error) = &begun
        && find_engine()?.is_some()
    {
        // The engine has lost it, or cannot start it. All that matters of it is in workspaces.
        log::write(Level::Warn, &format!("a container is made again: {}", error.message));
        remove(id)?;
        container = self::container(id, &session, &provider, settings)?;
        begun = process(id, session, &container, &provider, settings)?;
    }
    let (process, password) = match begun {
        Begun::Running(process, password) => (process, password),
        Begun::Refused(error) => return Err(error),
    };
    if let Err(error) = Session::live(id) {
        // It was terminated meanwhile, and whoever did that may have seen no container.
        remove(id)?;
        return Err(error);
    }
    Server::new(container, process, &password)
}

/// Waits until the server answers.
pub(crate) fn ready(server: &Server, session: &Session, settings: &Settings) -> Result<(), Error> {
    let (start, most, pause) = (clock::now(), settings.start_ms()?, settings.pause_ms()?);
    let mut since = start;
    let mut waits_for_extras = settings.extras().is_some();
    while !server.is_healthy() {
        if let Some(end) = server.end()? {
            let code = if end.with_container { Code::Unavailable } else { Code::Failed };
            return Err(Error::new(code, format!("opencode ended {}", end.words)));
        }
        if waits_for_extras {
            let meta = Workspace::open(&session.meta)?;
            waits_for_extras =
                meta.stat(extras::RECORD).is_err() && clock::now() < start + EXTRAS_MS;
            since = clock::now();
        }
        if clock::now() > since + most {
            let message = format!(
                "opencode was not healthy within {} s, which `server_start_timeout` allows: {}",
                most.div_ceil(1000),
                server.last_words()
            );
            return Err(Error::new(Code::Timeout, message));
        }
        clock::sleep(pause);
    }
    Ok(())
}

/// The server of a session, if it runs.
pub(crate) fn running(id: &str, session: &Session) -> Result<Option<Server>, Error> {
    let Some(known) = &session.process else { return Ok(None) };
    let found = Container::open(&alias(id)).and_then(|container| {
        let process = Process::open(known)?;
        let over = matches!(process.info()?.state, State::Ended(_));
        if over { Ok(None) } else { Server::new(container, process, &session.password).map(Some) }
    });
    match found {
        Err(error) if error.code == Code::NotFound => Ok(None),
        found => found,
    }
}

/// Removes the container of a session, if there is one.
pub(crate) fn remove(id: &str) -> Result<(), Error> {
    let removal = Removal { grace_s: GRACE_S, workspace: false };
    match Container::open(&alias(id)).and_then(|container| container.remove(removal)) {
        Err(error) if error.code == Code::NotFound => Ok(()),
        removed => removed,
    }
}

fn container(
    id: &str,
    session: &Session,
    provider: &Provider,
    settings: &Settings,
) -> Result<Container, Error> {
    let alias = alias(id);
    match Container::open(&alias) {
        Err(error) if error.code == Code::NotFound => {}
        opened => return opened,
    }
    let spec = Spec {
        alias: Some(alias.clone()),
        workspace: Some(id.to_owned()),
        persistent: true,
        key: Some(alias.clone()),
        memory_mib: settings.memory_mib,
        cpus: settings.cpus,
        pids: settings.pids,
        ..Spec::new(&session.image)
    };
    let places = std::iter::once(&provider.place).chain(&settings.reach);
    let spec =
        places.fold(spec.beside(&session.meta, launch::META), |spec, place| spec.reach(place));
    match Container::create(&spec) {
        // Somebody was faster, longer ago than a key is remembered.
        Err(error) if error.code == Code::Conflict => Container::open(&alias),
        made => made,
    }
}

/// The process that is the server, started if none runs.
fn process(
    id: &str,
    mut session: Session,
    container: &Container,
    provider: &Provider,
    settings: &Settings,
) -> Result<Begun, Error> {
    for _ in 0..ATTEMPTS {
        if let Some(process) = known(&session, container)? {
            return Ok(Begun::Running(process, session.password));
        }
        let generation = session.generation + 1;
        let spec = launch::spec(id, &session, generation, provider, settings);
        let process = match Process::start(container, &spec) {
            Err(error) if error.code == Code::Unavailable => return Ok(Begun::Refused(error)),
            started => started?,
        };
        let name = process.info()?.id;
        session = Session::change(id, |session| {
            if session.generation < generation {
                session.generation = generation;
                session.process = Some(name.clone());
            }
        })?;
        if session.process.as_ref() == Some(&name) {
            return Ok(Begun::Running(process, session.password));
        }
    }
    Err(Error::unavailable(format!("opencode does not stay up in session `{id}`: try again")))
}

/// The known one, if it runs in this container.
fn known(session: &Session, container: &Container) -> Result<Option<Process>, Error> {
    let Some(name) = &session.process else { return Ok(None) };
    let process = match Process::open(name) {
        Ok(process) => process,
        Err(error) if error.code == Code::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let info = process.info()?;
    let here = info.container == container.info()?.id;
    Ok((here && !matches!(info.state, State::Ended(_))).then_some(process))
}
