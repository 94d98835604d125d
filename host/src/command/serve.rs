//! `windlass serve`: opens the registry and puts the server in front of it.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::broadcast::error::RecvError,
    time::sleep,
};

use super::{
    Opening, clients,
    inherited::{self, Transport},
    output,
};
use crate::{
    access::Access,
    bundled::Bundled,
    config::{Auth, Grants, HttpConfig},
    error::told,
    plugin::Plugin,
    registry::{self, Registry},
    secrets::hide,
    server::{self, Address, Lookout, Seal, Server},
};

#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    opening: Opening,
    /// Serves over HTTP, on this address [default: 127.0.0.1 and a free port].
    #[arg(long, env = "WINDLASS_HTTP", value_name = "ADDR", num_args = 0..=1, default_missing_value = "default")]
    http: Option<Listen>,
    /// Who may call over HTTP.
    #[arg(long, env = "WINDLASS_AUTH")]
    auth: Option<Auth>,
}

/// How long what an earlier host left waits for the client that waits for its first answer. Whoever needs a container
/// before that has it looked for at once.
const HEAD_START: Duration = Duration::from_millis(100);

/// How long the end waits for a collector of traces.
const LAST_TRACES: Duration = Duration::from_secs(1);

/// An address, or the one of the configuration.
#[derive(Clone, Copy)]
enum Listen {
    Default,
    On(SocketAddr),
}

impl std::str::FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "default" {
            return Ok(Self::Default);
        }
        let address =
            text.parse().map_err(|_| format!("`{text}` is no address such as 127.0.0.1:8931"))?;
        Ok(Self::On(address))
    }
}

impl Serve {
    pub(super) async fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        let _claim = self.opening.state.claim()?;
        raise_open_files();
        let registry = self.opening.open(bundled).await?;
        registry.database().check()?;
        self.opening.begin_life(&registry, false, || Ok(()))?;
        registry::follow(registry.clone(), &self.opening.state.plugins()?)
            .context("the folder of added plugins cannot be followed")?;
        if registry.catalog().plugins.is_empty() {
            tracing::warn!("no plugin is loaded; `windlass plugins list` says which there are");
        }
        if let Some(file) = self.opening.config_file() {
            registry::follow_config(registry.clone(), &file, self.opening.reading())
                .context("the configuration cannot be followed")?;
        }
        let doors = registry.doors().clone();
        let traces = registry.traces().clone();
        if let Some(lookout) = Lookout::bind(&registry.config().metrics).await? {
            output::to_stderr(&format!("figures on http://{}/metrics", lookout.address()?));
            tokio::spawn(lookout.serve(registry.clone()));
        }
        let state = self.opening.state.directory()?;
        tokio::spawn(look_after(registry.clone(), state));
        tokio::spawn(take_up_jobs(registry.clone()));
        let beginning = tokio::spawn(note_start(registry.clone(), HEAD_START));
        tokio::spawn(registry.clone().archive_daily());
        let ending = registry.clone();
        let served = tokio::select! {
            served = self.serve(registry) => served,
            () = asked_to_end() => Ok(()),
        };
        // Runs of jobs stop as they are, before their containers do: the next host goes on with them.
        if let Some(board) = doors.jobs.opened() {
            board.end();
        }
        if let Some(rooms) = doors.life.opened() {
            // Who asks twice does not want to wait.
            tokio::select! {
                () = rooms.drain() => {}
                () = asked_to_end() => {}
            }
        }
        traces.flush(LAST_TRACES).await;
        if !beginning.is_finished() {
            beginning.abort();
            note_start(ending.clone(), Duration::ZERO).await;
        }
        let error = served.as_ref().err().map(|error| format!("{error:#}"));
        ending.note_admin("host end", Vec::new(), error);
        if let Err(failure) = doors.audit.flush().await {
            tracing::error!("the end of the record is not written: {:#}", told(failure));
        }
        served.map(|()| ExitCode::SUCCESS)
    }

    async fn serve(&self, registry: Arc<Registry>) -> anyhow::Result<()> {
        let config = registry.config().http.clone();
        let access = |registry: &Registry| {
            let (database, audit) = (registry.database().clone(), registry.doors().audit.clone());
            Access::open(&registry.config().access, database, audit)
        };
        let seal = Arc::new(Seal::new()?);
        let inherited = inherited::transport(&inherited::variable)?;
        let listen = match (self.http, inherited) {
            (Some(Listen::Default), _) => config.listen,
            (Some(Listen::On(address)), _) => Some(address),
            (None, Some(Transport::Http(address))) => Some(address),
            (None, _) => {
                let server = Server::new(registry.clone(), access(&registry)?.into(), seal);
                return server::serve_stdio(server).await;
            }
        };
        let config = HttpConfig { listen, auth: self.auth.unwrap_or(config.auth), ..config };
        let address = Address::bind(config).await?;
        let mut access = access(&registry)?;
        if address.asks() {
            let token = self.opening.state.token()?;
            hide(&token);
            access = access.with_token(token);
        }
        let server = Server::new(registry, access.into(), seal);
        self.announce(&address)?;
        server::serve_http(server, address).await
    }

    /// Tells people where to connect. The token itself is not shown: logs keep what is printed.
    fn announce(&self, address: &Address) -> anyhow::Result<()> {
        let url = address.url()?;
        output::to_stderr(&format!("listening on {url}"));
        let token: Option<PathBuf> =
            if address.asks() { Some(self.opening.state.token_file()?) } else { None };
        if let Some(token) = &token {
            output::to_stderr(&format!("the bearer token lies in {}", token.display()));
        }
        output::to_stderr(&format!(
            "an entry for an MCP client:\n{}",
            clients::http_entry(&url, token.as_deref())
        ));
        Ok(())
    }
}

/// Containers take two files for each of their connections: as many as the system gives without being asked again.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!("no more open files are to be had: {error}");
    }
}

/// Records that the host begins, and with what. The first answer does not wait for it.
async fn note_start(registry: Arc<Registry>, after: Duration) {
    sleep(after).await;
    let plugin = |plugin: &Arc<Plugin>| format!("plugin {} {}", plugin.name(), plugin.digest);
    let noting = registry.clone();
    let plugins = move || noting.catalog().plugins.values().map(plugin).collect();
    let plugins: Result<Vec<String>, _> = tokio::task::spawn_blocking(plugins).await;
    if let Ok(mut effects) = plugins {
        effects.insert(0, format!("windlass {}", env!("CARGO_PKG_VERSION")));
        registry.note_admin("host start", effects, None);
    }
}

/// Takes up what an earlier host left, as soon as a plugin that may have containers is there.
async fn look_after(registry: Arc<Registry>, state: PathBuf) {
    granted(&registry, |grants| grants.containers.is_some()).await;
    match registry.doors().life.rooms().await {
        Ok(rooms) => rooms.serve(&state).await,
        Err(failure) => tracing::error!("{:#}", told(failure)),
    }
}

/// Goes on with the jobs of an earlier host, as soon as a plugin that may have jobs is there.
async fn take_up_jobs(registry: Arc<Registry>) {
    granted(&registry, |grants| grants.jobs).await;
    if let Err(failure) = registry.doors().jobs.board().await {
        tracing::error!("{:#}", told(failure));
    }
}

/// Waits until a plugin is there that may do something.
async fn granted(registry: &Registry, may: impl Fn(&Grants) -> bool) {
    let mut news = registry.listen();
    sleep(HEAD_START).await;
    while !registry.owners().load().values().any(|owner| may(owner.policy.grants())) {
        if let Err(RecvError::Closed) = news.recv().await {
            return;
        }
    }
}

async fn asked_to_end() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
