//! MCP over the process's own standard streams: one client, whoever started the host.

use rmcp::{
    ServiceExt as _,
    transport::{async_rw::AsyncRwTransport, io::stdio_pipes},
};

use super::{Server, gate::Gate};

/// Serves until the client closes its end.
pub async fn serve(server: Server) -> anyhow::Result<()> {
    let (input, output) = stdio_pipes();
    let gate = Gate::new(AsyncRwTransport::new_server(input, output));
    let greeted = gate.greeted();
    let running = match server.serve(gate).await {
        Ok(running) => running,
        Err(error) => {
            tracing::debug!("the client left before it said what it speaks: {error}");
            return Ok(());
        }
    };
    greeted.note();
    running.waiting().await?;
    Ok(())
}
