//! `windlass port`: a port inside a container as an address on this machine's loopback.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use clap::Args;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

use super::{Opening, output};
use crate::{
    bundled::Bundled,
    error::told,
    life::{Rooms, Visit, visit},
};

#[derive(Args)]
pub(super) struct Port {
    /// A container's id, or its alias.
    container: String,
    /// The port that a program inside listens on.
    port: u16,
    /// Where to listen [default: 127.0.0.1 and a free port].
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", hide_default_value = true)]
    listen: SocketAddr,
    #[command(flatten)]
    opening: Opening,
    /// JSON, for programs.
    #[arg(long)]
    json: bool,
}

/// How a container is reached.
enum Way {
    /// Through the host that has it.
    Host(PathBuf),
    /// No host runs: this process is it as long as it lasts.
    Own(Arc<Rooms>),
}

impl Port {
    pub(super) async fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(
            self.listen.ip().is_loopback(),
            "`{}` can be reached by others; listen on 127.0.0.1",
            self.listen
        );
        let wanted = Visit { container: self.container.clone(), port: self.port };
        let way = Arc::new(self.way(bundled, &wanted).await?);
        let listener = TcpListener::bind(self.listen)
            .await
            .with_context(|| format!("cannot listen on `{}`", self.listen))?;
        let address = listener.local_addr()?;
        if self.json {
            output::print_json(
                &serde_json::json!({"address": address, "url": format!("http://{address}")}),
            )?;
        } else {
            output::print(&format!("http://{address}"));
        }
        tokio::select! {
            served = serve(&listener, &way, &wanted) => served?,
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn way(&self, bundled: &'static [Bundled], wanted: &Visit) -> anyhow::Result<Way> {
        let state = self.opening.state.directory()?;
        // Whether anybody listens inside is seen at each connection; that the container is there is seen here.
        match visit(&state, &Visit { port: 0, ..wanted.clone() }).await? {
            Some(_) => Ok(Way::Host(state)),
            None => {
                let registry = self.opening.open(bundled).await?;
                self.opening.begin_short_life(&registry)?;
                let rooms = registry.doors().life.rooms().await.map_err(told)?;
                rooms.exists(&wanted.container)?;
                Ok(Way::Own(rooms))
            }
        }
    }
}

async fn serve(listener: &TcpListener, way: &Arc<Way>, wanted: &Visit) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let (way, wanted) = (way.clone(), wanted.clone());
        tokio::spawn(async move {
            if let Err(error) = carry(stream, &way, &wanted).await {
                output::to_stderr(&format!("{error:#}"));
            }
        });
    }
}

async fn carry(mut stream: TcpStream, way: &Way, wanted: &Visit) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    match way {
        Way::Host(state) => {
            let inside = visit(state, wanted).await?;
            let mut inside = inside.context("the host has ended")?;
            copy_bidirectional(&mut stream, &mut inside).await?;
        }
        Way::Own(rooms) => rooms.visit(wanted).await?.join(stream).await?,
    }
    Ok(())
}
