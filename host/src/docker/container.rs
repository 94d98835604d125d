//! The containers of this host: made, started, looked at, stopped, removed.

use std::{collections::HashMap, path::Path, time::Duration};

use bollard::{
    models::{ContainerCreateBody, ContainerInspectResponse, ContainerSummary},
    query_parameters::{
        CreateContainerOptions, InspectContainerOptions, ListContainersOptions,
        RemoveContainerOptions, StartContainerOptions, StopContainerOptions,
    },
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::{Instant, sleep};

use super::{
    Docker, cores,
    failure::Trouble,
    profile::{self, ID, INSTANCE, Made},
};
use crate::{
    capability::types::{Code, Error},
    error::{Failure, Result, conflict, timeout, unavailable},
    policy::{Approved, NewContainer},
};

/// How long an engine may take to remove what it said it is removing.
const REMOVAL: Duration = Duration::from_secs(60);
/// How often it is asked meanwhile.
const AGAIN: Duration = Duration::from_millis(50);
/// How many containers are looked at at once.
const AT_ONCE: usize = 8;
/// How often a list is asked for again that broke since one of its containers went.
pub(super) const LISTS: usize = 5;

/// A container that carries the label of this host. Only this door can say so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ours {
    engine_id: String,
    id: String,
}

/// What the engine says of a container of ours.
#[derive(Clone, Debug)]
pub struct Found {
    pub ours: Ours,
    /// Those that start with `windlass.`, without the empty ones.
    pub labels: HashMap<String, String>,
    pub running: bool,
    /// Of its first process, on the engine's machine. None if it does not run.
    pub pid: Option<u32>,
    /// None if it runs, or never ran.
    pub exit_code: Option<i64>,
    pub oom_killed: bool,
}

impl Found {
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }
}

impl Ours {
    /// What the engine calls it.
    pub fn engine_id(&self) -> &str {
        &self.engine_id
    }

    /// `c_…`, from its label.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Docker {
    pub async fn create(
        &self,
        container: &Approved<NewContainer>,
        made: &Made<'_>,
    ) -> Result<Ours> {
        let engine = self.connection().await?.engine.clone();
        let beside = made.beside.iter().map(|(folder, _)| folder.as_path());
        for path in [made.workspace, made.folder].into_iter().chain(beside) {
            check_source(path, engine.local)?;
        }
        for path in &container.request().mounts {
            check_source(Path::new(path), engine.local)?;
        }
        let cpus = container.request().cpus;
        let cores = cores::choose(&engine, cpus, &self.shared.next_core);
        let body =
            |cores| profile::container(container, made, &engine, cores, &self.shared.instance);
        let mut answer = self.make(made.id, body(cores)).await?;
        // Docker says 409, Podman 500.
        if answer.as_ref().is_err_and(|it| it.is(409) || it.says(&["already in use"])) {
            // A host before this one died between making it and noting that it has.
            let Some(left) = self.find(made.id).await? else {
                return Err(conflict(format!(
                    "the name `{}` is taken by a container that is not of this host; remove it",
                    name(made.id)
                )));
            };
            self.remove(&left).await?;
            answer = self.make(made.id, body(None)).await?;
        } else if answer.as_ref().is_err_and(|it| it.says(&["cpus are not available", "cpuset"])) {
            // The engine may be held to other processors than the host is. The share holds all the same.
            answer = self.make(made.id, body(None)).await?;
        }
        match answer {
            Ok(engine_id) => Ok(Ours { engine_id, id: made.id.to_owned() }),
            Err(trouble) => Err(trouble.doing(&format!("make container `{}`", made.id))),
        }
    }

    async fn make(&self, id: &str, body: ContainerCreateBody) -> Result<Result<String, Trouble>> {
        let options =
            CreateContainerOptions { name: Some(name(id)), ..CreateContainerOptions::default() };
        let answer =
            self.quickly(async |client| client.create_container(Some(options), body).await).await?;
        Ok(answer.map(|it| it.id))
    }

    /// Starts it, if it does not run. Gives the pid of its first process, on the engine's machine.
    pub async fn start(&self, ours: &Ours) -> Result<u32> {
        let what = format!("start container `{}`", ours.id);
        let options = None::<StartContainerOptions>;
        // Where it runs already, the engine says 304, which bollard takes for a success.
        let started =
            self.slowly(async |client| client.start_container(&ours.engine_id, options).await);
        started.await?.map_err(|trouble| trouble.doing(&what))?;
        let failed = |why: String| Failure::Answer(Error::new(Code::Failed, why));
        match self.inspect(ours).await? {
            Some(Found { pid: Some(pid), .. }) => Ok(pid),
            Some(found) => Err(failed(format!(
                "container `{}` ended as soon as it was started, with {}{}",
                ours.id,
                found.exit_code.map_or("no code".to_owned(), |code| format!("code {code}")),
                if found.oom_killed { ": it had too little memory" } else { "" }
            ))),
            None => Err(failed(format!("container `{}` went away as it was started", ours.id))),
        }
    }

    /// None if it is gone.
    pub async fn inspect(&self, ours: &Ours) -> Result<Option<Found>> {
        self.look(&ours.engine_id).await
    }

    /// Ends it: SIGTERM, after the grace SIGKILL. One that does not run or is gone is ended already.
    pub async fn stop(&self, ours: &Ours, grace_s: u32) -> Result<()> {
        let grace = i32::try_from(grace_s).unwrap_or(i32::MAX);
        let options = StopContainerOptions { t: Some(grace), ..StopContainerOptions::default() };
        let stopped =
            self.slowly(async |client| client.stop_container(&ours.engine_id, Some(options)).await);
        match stopped.await? {
            Err(trouble) if !trouble.is(404) => {
                Err(trouble.doing(&format!("stop container `{}`", ours.id)))
            }
            _ => Ok(()),
        }
    }

    /// Removes it, running or not, with the volumes that its image has asked for. When this answers, it is gone.
    pub async fn remove(&self, ours: &Ours) -> Result<()> {
        let what = format!("remove container `{}`", ours.id);
        let deadline = Instant::now() + REMOVAL;
        loop {
            let options = RemoveContainerOptions { force: true, v: true, link: false };
            let removed = self
                .slowly(async |client| {
                    client.remove_container(&ours.engine_id, Some(options)).await
                })
                .await?;
            let Err(trouble) = removed else { return Ok(()) };
            if trouble.is(404) || trouble.says(&["no such container"]) {
                return Ok(());
            }
            // Two who remove it at once: Docker says 409, "removal … is already in progress", Podman 500 at times.
            let busy = trouble.is(409) || trouble.says(&["already in progress", "being removed"]);
            if !busy {
                return Err(trouble.doing(&what));
            }
            if Instant::now() > deadline {
                return Err(timeout(format!("cannot {what}: {trouble}")));
            }
            sleep(AGAIN).await;
        }
    }

    /// The container of this host with this id.
    pub async fn find(&self, id: &str) -> Result<Option<Ours>> {
        // By its label, not by its name: what has the name without the label is somebody else's.
        for engine_id in self.list(&[(INSTANCE, &self.shared.instance), (ID, id)]).await? {
            let found = self.look(&engine_id).await?.filter(|it| it.ours.id == id);
            if let Some(found) = found {
                return Ok(Some(found.ours));
            }
        }
        Ok(None)
    }

    /// All containers of this host, running or not.
    pub async fn ours(&self) -> Result<Vec<Found>> {
        let ids = self.list(&[(INSTANCE, &self.shared.instance)]).await?;
        let looks = ids.into_iter().map(|id| async move { self.look(&id).await });
        // One that went meanwhile is none.
        let found: Vec<_> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn list(&self, labels: &[(&str, &str)]) -> Result<Vec<String>> {
        let listed = self.summaries(labels).await?;
        Ok(listed.into_iter().filter_map(|it| it.id).collect())
    }

    /// What the engine tells of all containers with these labels, running or not.
    pub(super) async fn summaries(&self, labels: &[(&str, &str)]) -> Result<Vec<ContainerSummary>> {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut answer = Ok(Vec::new());
        for _ in 0..LISTS {
            let options = ListContainersOptions {
                all: true,
                filters: Some(HashMap::from([("label".to_owned(), labels.clone())])),
                ..ListContainersOptions::default()
            };
            answer =
                self.quickly(async |client| client.list_containers(Some(options)).await).await?;
            // Podman's list fails as a whole where one of the listed goes while it is put together.
            if !answer
                .as_ref()
                .is_err_and(|it| it.says(&["no such container", "no container with"]))
            {
                break;
            }
        }
        answer.map_err(|trouble| trouble.doing("list the containers"))
    }

    /// None if it is gone, or not of this host: only here a container becomes ours.
    async fn look(&self, engine_id: &str) -> Result<Option<Found>> {
        let options = None::<InspectContainerOptions>;
        let found =
            self.quickly(async |client| client.inspect_container(engine_id, options).await).await?;
        match found {
            Ok(found) => Ok(Found::read(found, &self.shared.instance)),
            Err(trouble) if trouble.is(404) => Ok(None),
            Err(trouble) => Err(trouble.doing("look at a container")),
        }
    }
}

impl Found {
    fn read(found: ContainerInspectResponse, instance: &str) -> Option<Self> {
        let mut labels = found.config?.labels?;
        labels.retain(|name, value| name.starts_with("windlass.") && !value.is_empty());
        let (of, id) = (labels.get(INSTANCE)?, labels.get(ID)?.clone());
        // A label may come from an image, a name may not.
        let named = found.name?.trim_start_matches('/') == name(&id);
        if of != instance || !named {
            return None;
        }
        let state = found.state.unwrap_or_default();
        let running = state.running.unwrap_or_default();
        let pid = state.pid.and_then(|pid| u32::try_from(pid).ok());
        // One that was only made has a code of 0 too, and the first day of year 1 for its start.
        let ran = state.started_at.is_some_and(|it| !it.starts_with("0001"));
        Some(Self {
            ours: Ours { engine_id: found.id?, id },
            labels,
            running,
            pid: pid.filter(|pid| running && *pid > 0),
            exit_code: state.exit_code.filter(|_| ran && !running),
            oom_killed: state.oom_killed.unwrap_or_default(),
        })
    }
}

fn name(id: &str) -> String {
    format!("windlass-{id}")
}

/// JSON holds no path that is no UTF-8: an engine would be told of another directory. And one that is missing, Podman makes.
fn check_source(path: &Path, local: bool) -> Result<()> {
    let wrong = if !path.is_absolute() || path.to_str().is_none() {
        "its path has to be absolute, and UTF-8"
    } else if local && !path.is_dir() {
        "it is no directory"
    } else {
        return Ok(());
    };
    Err(unavailable(format!("`{}` cannot be mounted: {wrong}", path.display())))
}
