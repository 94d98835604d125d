//! `engine`: containers that the user has in the engine.

use futures_util::{StreamExt as _, stream};

use super::{CallState, bindings::windlass::plugin::engine as wit, types::Error};
use crate::{
    disk::Disk,
    docker::{Docker, FoundTheirs},
    error::{Failure, Result, denied},
    life::Rooms,
    policy::{Approved, Looking, Policy, Theirs},
};

pub use wit::{
    Address, Attachment, Bind, Command, Details, Device, File, FileContent, Health, HealthCheck,
    LogWish, Logging, Mount, Mounted, Networking, Output, Piece, Published, Ran, Removal,
    Resources, Restart, Spec, State, Summary, Tmpfs, Usage, Wellness,
};

/// How many are made or handled at once.
const SIDE_BY_SIDE: usize = 32;

/// What came of one of several.
type Outcome<T> = std::result::Result<T, Error>;

impl wit::Host for CallState {
    async fn list(&mut self, filter: wit::Filter) -> Result<Vec<Summary>> {
        let looking = self.policy.approve_looking_around("engine.list")?;
        let docker = self.docker().await?;
        let listed = docker.list_theirs(&looking, filter.all, &filter.labels).await?;
        let within = listed.into_iter().filter(|(theirs, _)| self.policy.reaches(theirs));
        Ok(within.map(|(_, summary)| summary).collect())
    }

    async fn inspect(&mut self, name: String) -> Result<Details> {
        let (found, theirs) = self.seen("engine.inspect", &name).await?;
        let rooms = self.doors.life.rooms().await?;
        Ok(rooms.details_of_theirs(&theirs, found))
    }

    async fn create(&mut self, specs: Vec<Spec>) -> Result<Vec<Outcome<String>>> {
        let looking = self.policy.approve_looking_around("engine.create")?;
        let rooms = self.doors.life.rooms().await?;
        let (policy, disk) = (&self.policy, &self.doors.disk);
        let (is_local, sockets) = (rooms.docker().engine().await?.local, rooms.docker().sockets());
        let images: Vec<_> = specs.iter().map(|it| it.image.clone()).collect();
        let making = specs.into_iter().map(|mut spec| {
            let (rooms, looking, sockets) = (&rooms, &looking, &sockets);
            async move {
                if is_local {
                    for mount in &mut spec.mounts {
                        let Mount::Bind(bind) = mount else { continue };
                        if let Some(place) = policy.approve_place(bind, sockets)? {
                            bind.source = disk.settle(&place).await?;
                        }
                    }
                }
                let companions = companions(policy, rooms.docker(), looking, &mut spec).await?;
                let wanted = policy.approve_theirs(spec, &companions, sockets)?;
                rooms.make_theirs(wanted).await
            }
        });
        let made = outcomes(stream::iter(making).buffered(SIDE_BY_SIDE).collect().await)?;
        for (image, made) in images.iter().zip(&made) {
            let id = made.as_deref().unwrap_or("nothing");
            self.effects.add(format!("engine create {id} of {image}"));
        }
        Ok(made)
    }

    async fn each(&mut self, names: Vec<String>, act: wit::Act) -> Result<Vec<Outcome<()>>> {
        let looking = self.policy.approve_looking_around("engine.each")?;
        let rooms = self.doors.life.rooms().await?;
        let (policy, disk) = (&self.policy, &self.doors.disk);
        for name in &names {
            self.effects.add(format!("engine {} {}", verb(&act), name.escape_debug()));
        }
        let doing = names.into_iter().map(|name| {
            let (rooms, looking, act) = (&rooms, &looking, &act);
            async move { handle(policy, disk, rooms, looking, &name, act).await }
        });
        outcomes(stream::iter(doing).buffered(SIDE_BY_SIDE).collect().await)
    }

    async fn logs(&mut self, name: String, wish: LogWish) -> Result<Output> {
        let (found, _) = self.seen("engine.logs", &name).await?;
        let theirs = self.policy.approve_logs(found.theirs().clone(), wish.most_bytes)?;
        self.docker().await?.logs_of_theirs(&theirs, &found, &wish).await
    }

    async fn exec(&mut self, name: String, command: Command) -> Result<Ran> {
        let (found, _) = self.seen("engine.exec", &name).await?;
        let shape = super::processes::shape(&command.argv);
        self.effects.add(format!("engine exec {shape} in {}", found.theirs().id));
        let entering = self.policy.approve_entering(found.theirs().clone(), command)?;
        self.doors.life.rooms().await?.enter_theirs(&entering).await
    }

    async fn measure(&mut self, name: String) -> Result<Usage> {
        let (_, theirs) = self.seen("engine.measure", &name).await?;
        self.docker().await?.measure_theirs(&theirs).await
    }
}

impl CallState {
    pub(super) async fn docker(&mut self) -> Result<Docker> {
        Ok(self.doors.life.rooms().await?.docker().clone())
    }

    /// The container of this name or id, if it is within reach.
    async fn seen(&mut self, what: &str, name: &str) -> Result<(FoundTheirs, Approved<Theirs>)> {
        let looking = self.policy.approve_looking_around(what)?;
        let found = self.docker().await?.find_theirs(&looking, name).await?;
        let theirs = self.policy.approve_seeing(found.theirs().clone())?;
        Ok((found, theirs))
    }
}

fn verb(act: &wit::Act) -> &'static str {
    match act {
        wit::Act::Start => "start",
        wit::Act::Stop(_) => "stop",
        wit::Act::Restart(_) => "restart",
        wit::Act::Remove(_) => "remove",
        wit::Act::Rename(_) => "rename",
    }
}

async fn handle(
    policy: &Policy,
    disk: &Disk,
    rooms: &Rooms,
    looking: &Approved<Looking>,
    name: &str,
    act: &wit::Act,
) -> Result<()> {
    let docker = rooms.docker();
    let found = match docker.find_theirs(looking, name).await {
        Ok(found) => {
            if matches!(act, wit::Act::Start | wit::Act::Restart(_)) {
                check_places(policy, disk, docker, &found).await?;
            }
            found.theirs().clone()
        }
        Err(Failure::Answer(error)) if is_gone(&error) && matches!(act, wit::Act::Remove(_)) => {
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    if let wit::Act::Rename(name) = act {
        let theirs = policy.approve_renaming(found, name)?;
        return docker.rename_theirs(&theirs, name).await;
    }
    let theirs = policy.approve_handling("engine.each", found)?;
    match act {
        wit::Act::Start => docker.start_theirs(&theirs).await,
        wit::Act::Stop(grace_s) => docker.stop_theirs(&theirs, *grace_s).await,
        wit::Act::Restart(grace_s) => docker.restart_theirs(&theirs, *grace_s).await,
        wit::Act::Remove(removal) => docker.remove_theirs(&theirs, *removal).await,
        wit::Act::Rename(_) => Ok(()),
    }
}

/// The engine follows the path of a folder anew at each start. One that was granted leads where it led when it was.
async fn check_places(
    policy: &Policy,
    disk: &Disk,
    docker: &Docker,
    found: &FoundTheirs,
) -> Result<()> {
    if found.binds().next().is_none() || !docker.engine().await?.local {
        return Ok(());
    }
    let sockets = docker.sockets();
    for (source, read_only) in found.binds() {
        let (source, target, propagation) = (source.to_owned(), String::new(), None);
        let bind = Bind { source, target, read_only, create: false, propagation };
        // What was not granted was not made here: it is the user's own.
        let Ok(Some(place)) = policy.approve_place(&bind, &sockets) else { continue };
        let real = disk.settle(&place).await?;
        if real != bind.source {
            return Err(denied(format!(
                "not allowed: `{}` leads over a link by now, to `{real}`; make the container anew",
                bind.source
            )));
        }
    }
    Ok(())
}

fn is_gone(error: &Error) -> bool {
    error.code == super::types::Code::NotFound
}

/// The containers whose rooms it is to share, by their ids, which then stand in the spec too.
async fn companions(
    policy: &Policy,
    docker: &Docker,
    looking: &Approved<Looking>,
    spec: &mut Spec,
) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    if let Networking::Container(name) = &mut spec.networking {
        *name = companion(policy, docker, looking, name).await?;
        ids.push(name.clone());
    }
    for mode in [&mut spec.pid, &mut spec.ipc].into_iter().flatten() {
        let Some(name) = mode.strip_prefix("container:") else { continue };
        let id = companion(policy, docker, looking, name).await?;
        *mode = format!("container:{id}");
        ids.push(id);
    }
    Ok(ids)
}

async fn companion(
    policy: &Policy,
    docker: &Docker,
    looking: &Approved<Looking>,
    name: &str,
) -> Result<String> {
    let found = docker.find_theirs(looking, name).await?;
    let theirs = policy.approve_joining(found.theirs().clone())?;
    Ok(theirs.request().id.clone())
}

/// Answers stay what they are of one; a trap ends the call.
fn outcomes<T>(done: Vec<Result<T>>) -> Result<Vec<Outcome<T>>> {
    let outcome = |done| match done {
        Ok(value) => Ok(Ok(value)),
        Err(Failure::Answer(error)) => Ok(Err(error)),
        Err(trap) => Err(trap),
    };
    done.into_iter().map(outcome).collect()
}
