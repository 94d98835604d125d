//! WASI for components whose language needs it: all of it links, with nothing behind it.
//!
//! There are clocks and randomness, and what goes to stdout and stderr goes to the log. No files, no
//! sockets, no environment, no arguments.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    WasiCtx, WasiCtxView, WasiView,
    cli::{IsTerminal, StdoutStream},
};

use super::{CallState, Level};

/// The longest line that is kept together.
const LONGEST_LINE: usize = 4 << 10;

/// WASI's side of one call.
pub struct Wasi {
    context: WasiCtx,
    printed: Printed,
}

/// What the guest printed and the log has not seen yet.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Default for Wasi {
    fn default() -> Self {
        let printed = Printed::default();
        let context = WasiCtx::builder().stdout(printed.clone()).stderr(printed.clone()).build();
        Self { context, printed }
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.get_or_insert_default();
        WasiCtxView { ctx: &mut wasi.context, table: &mut self.table }
    }
}

impl CallState {
    /// Passes on to the log what the guest has printed.
    pub fn flush_printed(&mut self) {
        let Some(wasi) = &self.wasi else { return };
        let printed = std::mem::take(&mut *wasi.printed.lock());
        for line in String::from_utf8_lossy(&printed).lines().filter(|line| !line.is_empty()) {
            self.write_line(Level::Info, line.chars().take(LONGEST_LINE).collect());
        }
    }
}

impl Printed {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much printing a call's log takes; [`super::CallState::flush_printed`] meters it again.
const MOST_PRINTED: usize = 64 << 10;

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Printed {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        let mut printed = self.lock();
        let room = MOST_PRINTED.saturating_sub(printed.len());
        printed.extend(bytes.iter().take(room));
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}
