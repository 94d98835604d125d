//! `windlass health`: whether a host that serves over HTTP answers, for whoever watches over processes.
//!
//! It is the host's own `/health` that answers; whether what it needs is there is for `/ready`.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use clap::Args;
use http::{Request, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use super::{Opening, output};

/// A host that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Args)]
pub(super) struct Health {
    #[command(flatten)]
    opening: Opening,
    /// Where it listens without TLS [default: as the configuration says].
    #[arg(long, value_name = "ADDR")]
    at: Option<SocketAddr>,
    /// Also whether all is there that it needs.
    #[arg(long)]
    ready: bool,
}

impl Health {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let at = match self.at {
            Some(at) => at,
            None => self.configured()?,
        };
        let path = if self.ready { "/ready" } else { "/health" };
        let status = timeout(PATIENCE, ask(at, path)).await;
        let status = status.with_context(|| format!("`{at}` does not answer in time"))??;
        output::print(&format!("{path}: {status}"));
        Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Where the configuration has it listen, as seen from this machine.
    fn configured(&self) -> anyhow::Result<SocketAddr> {
        let config = self.opening.config()?;
        let plain = config.http.listen.filter(|_| config.http.tls.is_none());
        let Some(mut at) = config.metrics.listen.or(plain) else {
            bail!(
                "`metrics.listen` names no address, and `http.listen` none without TLS; set the first, or say `--at`"
            );
        };
        if at.ip().is_unspecified() {
            at.set_ip(if at.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                [0, 0, 0, 0, 0, 0, 0, 1].into()
            });
        }
        Ok(at)
    }
}

async fn ask(at: SocketAddr, path: &str) -> anyhow::Result<http::StatusCode> {
    let stream =
        TcpStream::connect(at).await.with_context(|| format!("nobody listens on `{at}`"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(path).header(header::HOST, at.to_string());
    let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await;
    let answer = answer.with_context(|| format!("`{at}` does not speak HTTP"))?;
    ensure!(answer.status() != http::StatusCode::NOT_FOUND, "`{at}` has no `{path}`");
    Ok(answer.status())
}
