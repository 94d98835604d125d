//! A connection to a program in a container.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{
        AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf,
        copy_bidirectional_with_sizes,
    },
    net::UnixStream,
    sync::OwnedSemaphorePermit,
    time::timeout,
};

use crate::error::{Failure, Result, timeout as late, unavailable};

/// What is carried at a time.
const BUFFER: usize = 256 << 10;

/// Bytes to and from a program inside.
pub struct Tunnel {
    stream: UnixStream,
    /// How long a read or a write may wait, if that has an end.
    patience: Option<Duration>,
    _place: OwnedSemaphorePermit,
}

impl Tunnel {
    pub(super) fn new(stream: UnixStream, place: OwnedSemaphorePermit) -> Self {
        Self { stream, patience: None, _place: place }
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Tunnel {
    /// From here on, reads and writes that wait longer fail.
    pub fn wait_at_most(&mut self, patience: Duration) {
        self.patience = Some(patience);
    }

    /// Up to `most` bytes, as soon as there are some; none at the end.
    pub async fn read_some(&mut self, most: usize) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::with_capacity(most);
        let mut part = (&mut self.stream).take(most as u64);
        match within(self.patience, part.read_buf(&mut bytes)).await? {
            0 => Ok(None),
            _ => Ok(Some(bytes)),
        }
    }

    /// Sends all of the bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        within(self.patience, self.stream.write_all(bytes)).await
    }

    /// Says that no more bytes will be sent.
    pub async fn finish(&mut self) -> Result<()> {
        self.stream.shutdown().await.map_err(broken)
    }

    /// Carries bytes both ways until both ends have said that they are done.
    pub async fn join(mut self, mut other: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let size = BUFFER;
        copy_bidirectional_with_sizes(&mut self.stream, &mut other, size, size).await.map(drop)
    }
}

/// What comes of it, if it does in time.
async fn within<T>(
    patience: Option<Duration>,
    moving: impl Future<Output = io::Result<T>>,
) -> Result<T> {
    let Some(patience) = patience else { return moving.await.map_err(broken) };
    match timeout(patience, moving).await {
        Ok(moved) => moved.map_err(broken),
        Err(_) => {
            let ms = patience.as_millis();
            Err(late(format!("the program in the container was silent for {ms} ms")))
        }
    }
}

fn broken(error: io::Error) -> Failure {
    unavailable(format!("the connection broke off: {error}"))
}
