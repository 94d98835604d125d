//! A connection to a program in a container.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{
        AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf,
        copy_bidirectional_with_sizes,
    },
    net::UnixStream,
    sync::OwnedSemaphorePermit,
};

use crate::error::{Failure, Result, unavailable};

/// What is carried at a time.
const BUFFER: usize = 256 << 10;

/// Bytes to and from a program inside.
pub struct Tunnel {
    stream: UnixStream,
    _place: OwnedSemaphorePermit,
}

impl Tunnel {
    pub(super) fn new(stream: UnixStream, place: OwnedSemaphorePermit) -> Self {
        Self { stream, _place: place }
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
    /// Up to `most` bytes, as soon as there are some; none at the end.
    pub async fn read_some(&mut self, most: usize) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::with_capacity(most);
        let read = (&mut self.stream).take(most as u64).read_buf(&mut bytes).await;
        match read.map_err(broken)? {
            0 => Ok(None),
            _ => Ok(Some(bytes)),
        }
    }

    /// Sends all of the bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await.map_err(broken)
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

fn broken(error: io::Error) -> Failure {
    unavailable(format!("the connection broke off: {error}"))
}
