//! The door to the container engine: the only place that knows bollard.
//!
//! It acts and decides nothing: what may be made comes in as `Approved`, and who may touch it was asked before. It touches
//! no container but those that carry the label of this instance; what the user has in the engine stands apart, in `theirs`.
//! What bollard and the engines do other than one would think stands as a comment where it matters. One matters everywhere:
//! bollard 0.21 puts no API version into its paths, so each engine answers as its newest self; what is asked of it here
//! exists in Docker 20.10 and Podman 4.3 alike.

mod find;
mod failure;
mod credentials;
mod cores;
mod rights;
mod profile;
mod image;
mod pull;
mod container;
mod exec;
mod kill;
mod raw;
mod theirs;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex as Plain, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, Docker as Client};
use tokio::{sync::Mutex, time::timeout};

use self::{container::LISTS, failure::Trouble};
use crate::{
    error::{Result, unavailable},
    figures::{Figures, Stage},
};

pub use self::{
    container::{Found, Ours},
    credentials::Credentials,
    exec::{Exec, Output, Running},
    find::{Place, Places, Tried},
    image::Picture,
    profile::{Made, WORKSPACE, label},
    theirs::{Content, Contents, Found as FoundTheirs, Tail},
};

/// How long an engine may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an engine may take for what is quick.
const QUICK: Duration = Duration::from_secs(120);
/// The same for what is not: to fetch an image, to stop a container. bollard's timeout also covers the sending of a
/// request's body, and an engine goes on when its client has given up.
const SLOW: Duration = Duration::from_secs(3600);

/// Where engines listen, whichever is asked.
const USUAL_SOCKETS: [&str; 6] = [
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/var/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
];

/// The engine. Cheap to clone; connects when it is needed, and again when the engine was away.
#[derive(Clone)]
pub struct Docker {
    shared: Arc<Shared>,
    figures: Figures,
}

struct Shared {
    places: Places,
    /// What all containers of this host are labelled with.
    instance: String,
    credentials: Credentials,
    connection: Mutex<Option<Arc<Connection>>>,
    pulls: Plain<HashMap<pull::Wanted, Arc<pull::Progress>>>,
    /// Where the next container's processors start.
    next_core: AtomicUsize,
    /// Held by whoever looks whether a name is free and then takes it.
    naming: Mutex<()>,
}

/// A way to an engine that has answered.
struct Connection {
    place: Place,
    quick: Client,
    slow: Client,
    engine: Engine,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// `docker` or `podman`.
    kind: &'static str,
    pub version: String,
    /// The version of the interface that both sides speak.
    pub api: String,
    pub place: String,
    /// On this machine: its containers see this machine's files and processes.
    pub local: bool,
    /// It has no more rights than the user it runs as.
    pub rootless: bool,
    /// It may put a process last for when memory runs out. Where it may not and is told to, no container starts.
    pub spares: bool,
    /// How many processors it has.
    pub cores: usize,
}

impl Docker {
    pub fn new(places: Places, instance: &str, credentials: Credentials) -> Self {
        let shared = Shared {
            places,
            instance: instance.to_owned(),
            credentials,
            connection: Mutex::default(),
            pulls: Plain::default(),
            next_core: AtomicUsize::new(0),
            naming: Mutex::new(()),
        };
        Self { shared: Arc::new(shared), figures: Figures::default() }
    }

    /// The same one, and how long it takes is counted.
    #[must_use]
    pub fn timed(self, figures: Figures) -> Self {
        Self { figures, ..self }
    }

    /// The engine, if it answers.
    pub async fn engine(&self) -> Result<Engine> {
        let connection = self.connection().await?;
        // It may have gone since, and another may have come.
        let answer = timeout(PATIENCE, connection.quick.ping()).await;
        if answer.is_ok_and(|it| it.is_ok()) {
            return Ok(connection.engine.clone());
        }
        self.lost(&connection).await;
        Ok(self.connection().await?.engine.clone())
    }

    /// The sockets of engines, by all of the paths that lead to them: whoever has one has the machine.
    pub fn sockets(&self) -> Vec<String> {
        let named = self.shared.places.sockets().map(Path::to_owned);
        let mut sockets: Vec<_> = named.chain(USUAL_SOCKETS.map(PathBuf::from)).collect();
        let real: Vec<_> = sockets.iter().filter_map(|it| it.canonicalize().ok()).collect();
        sockets.extend(real);
        sockets.sort();
        sockets.dedup();
        sockets.into_iter().filter_map(|it| it.into_os_string().into_string().ok()).collect()
    }

    /// Every place that is looked at for an engine, until one answers, and what came of it.
    pub async fn tried(&self) -> (Option<Engine>, Vec<Tried>) {
        let (connection, tried) = self.try_all().await;
        (connection.map(|it| it.engine), tried)
    }

    async fn connection(&self) -> Result<Arc<Connection>> {
        let mut kept = self.shared.connection.lock().await;
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        let (found, tried) = self.try_all().await;
        let Some(connection) = found else { return Err(away(&tried)) };
        let connection = Arc::new(connection);
        *kept = Some(connection.clone());
        Ok(connection)
    }

    async fn try_all(&self) -> (Option<Connection>, Vec<Tried>) {
        let mut tried = Vec::new();
        for place in &self.shared.places.0 {
            let (place, outcome) = match place {
                Ok(place) => (place.to_string(), Connection::open(place).await),
                Err(unfit) => (unfit.place.clone(), Err(unfit.why.clone())),
            };
            match outcome {
                Ok(connection) => {
                    let Engine { kind, version, .. } = &connection.engine;
                    tried.push(Tried { place, outcome: format!("{kind} {version}") });
                    return (Some(connection), tried);
                }
                Err(outcome) => tried.push(Tried { place, outcome }),
            }
        }
        (None, tried)
    }

    /// The next act looks for an engine again.
    async fn lost(&self, connection: &Arc<Connection>) {
        let mut kept = self.shared.connection.lock().await;
        if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, connection)) {
            *kept = None;
        }
    }

    /// Does something quick. The inner result is for troubles that the caller knows what to make of.
    async fn quickly<T>(
        &self,
        act: impl AsyncFnOnce(&Client) -> Result<T, bollard::errors::Error>,
    ) -> Result<Result<T, Trouble>> {
        let connection = self.connection().await?;
        // bollard's own timeout ends with the head of the answer.
        let asking = timeout(QUICK, act(&connection.quick));
        let answer = self.figures.time(Stage::Engine, asking).await;
        let answer = answer.unwrap_or(Err(bollard::errors::Error::RequestTimeoutError));
        self.judge(&connection, answer).await
    }

    /// Does something that may take long.
    async fn slowly<T>(
        &self,
        act: impl AsyncFnOnce(&Client) -> Result<T, bollard::errors::Error>,
    ) -> Result<Result<T, Trouble>> {
        let connection = self.connection().await?;
        let asking = timeout(SLOW, act(&connection.slow));
        let answer = self.figures.time(Stage::Engine, asking).await;
        let answer = answer.unwrap_or(Err(bollard::errors::Error::RequestTimeoutError));
        self.judge(&connection, answer).await
    }

    async fn judge<T>(
        &self,
        connection: &Arc<Connection>,
        answer: Result<T, bollard::errors::Error>,
    ) -> Result<Result<T, Trouble>> {
        match answer.map_err(Trouble::from) {
            Ok(value) => Ok(Ok(value)),
            Err(trouble @ Trouble::Refused { .. }) => Ok(Err(trouble)),
            Err(Trouble::Gone(why)) => {
                self.lost(connection).await;
                Err(unavailable(format!(
                    "the container engine at `{}` does not answer: {why}; start it, and try again",
                    connection.place
                )))
            }
        }
    }
}

impl Engine {
    /// `docker` or `podman`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    fn is_podman(&self) -> bool {
        self.kind == "podman"
    }
}

impl Connection {
    async fn open(place: &Place) -> Result<Self, String> {
        let opened = timeout(PATIENCE, Self::ask(place)).await;
        opened.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
    }

    async fn ask(place: &Place) -> Result<Self, String> {
        let told = |error| Trouble::from(error).to_string();
        let seconds = QUICK.as_secs();
        let client = match place {
            Place::Socket(path) => {
                // Without a word behind it: bollard takes a path that is no UTF-8 for another one.
                let path = path.to_str().ok_or("its path is no UTF-8")?;
                Client::connect_with_unix(path, seconds, API_DEFAULT_VERSION)
            }
            Place::Tcp(address) => Client::connect_with_http(address, seconds, API_DEFAULT_VERSION),
        };
        let client = client.map_err(told)?.with_request_modifier(credentials::mend_header);
        let client = client.negotiate_version().await.map_err(told)?;
        let version = client.version().await.map_err(told)?;
        let info = client.info().await.map_err(told)?;
        let components = version.components.unwrap_or_default();
        let is_podman = components.iter().any(|it| it.name.starts_with("Podman"));
        let options = info.security_options.unwrap_or_default();
        let rootless = options.iter().any(|it| it.contains("name=rootless"));
        let engine = Engine {
            kind: if is_podman { "podman" } else { "docker" },
            version: version.version.unwrap_or_default(),
            api: client.client_version().to_string(),
            place: place.to_string(),
            local: place.is_local(),
            spares: !rootless && rights::may_spare(place).await,
            rootless,
            cores: info.ncpu.and_then(|it| usize::try_from(it).ok()).unwrap_or(1).max(1),
        };
        let slow = client.clone().with_timeout(SLOW);
        Ok(Self { place: place.clone(), quick: client, slow, engine })
    }
}

fn away(tried: &[Tried]) -> crate::error::Failure {
    let places: Vec<_> =
        tried.iter().map(|it| format!("`{}` ({})", it.place, it.outcome)).collect();
    unavailable(format!(
        "no container engine answers: tried {}; start Docker or Podman, or name its socket with `DOCKER_HOST`",
        places.join(", ")
    ))
}

/// What a panic elsewhere left is still good: each change of it is one step.
fn locked<T>(mutex: &Plain<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
