//! MCP over the process's own standard streams: one client, whoever started the host.

use std::time::Duration;

use rmcp::{
    ServiceExt as _,
    transport::{async_rw::AsyncRwTransport, io::stdio_pipes},
};

use super::{Server, gate::Gate};

/// How long calls may go on when their client has gone: what is nearly done is still answered.
const GRACE: Duration = Duration::from_millis(500);

/// Serves until the client closes its end.
pub async fn serve(server: Server) -> anyhow::Result<()> {
    let (input, output) = stdio_pipes();
    let config = server.registry.config();
    let calls = config.server.concurrent_calls.saturating_add(config.server.waiting_calls);
    let access = server.access.clone();
    let gate = Gate::new(AsyncRwTransport::new_server(input, output), access, calls);
    let (greeted, gone) = (gate.greeted(), gate.gone());
    let running = match server.serve(gate).await {
        Ok(running) => running,
        Err(error) => {
            tracing::debug!("the client left before it said what it speaks: {error}");
            return Ok(());
        }
    };
    greeted.note();
    let left = async {
        gone.notified().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = running.waiting() => drop(ended?),
        () = left => tracing::info!("calls that were still running are given up"),
    }
    Ok(())
}
