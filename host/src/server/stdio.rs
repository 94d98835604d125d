//! MCP over the process's own standard streams: one client, whoever started the host.

use rmcp::{ServiceExt as _, transport::io::stdio_pipes};

use super::Server;

/// Serves until the client closes its end.
pub async fn serve(server: Server) -> anyhow::Result<()> {
    let running = match server.serve(stdio_pipes()).await {
        Ok(running) => running,
        Err(error) => {
            tracing::debug!("the client left before it said what it speaks: {error}");
            return Ok(());
        }
    };
    running.waiting().await?;
    Ok(())
}
