//! The body of an answer, as it comes in.

use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::time::timeout;

use super::{Web, failure};
use crate::{
    capability::types::{Code, Error},
    error::{Failure, Result},
};

/// A larger answer belongs into a container that downloads it.
pub(super) const LARGEST_ANSWER: usize = 256 << 20;

/// What is left of an answer. Dropping it closes the connection, unless all of it was read.
pub struct Body {
    place: String,
    source: Source,
    web: Web,
    /// How long the next piece may take.
    patience: Duration,
    /// How much more may come.
    left: usize,
    /// What came and may be the beginning of a secret.
    held: BytesMut,
    /// What came and was not read.
    ready: Bytes,
}

enum Source {
    Open(Box<reqwest::Response>),
    Ended,
    /// Not the same as ended: who reads on must not take half an answer for a whole one.
    Broken(Error),
}

impl Body {
    pub(super) fn new(
        place: String,
        response: reqwest::Response,
        web: Web,
        patience: Duration,
    ) -> Self {
        let source = Source::Open(Box::new(response));
        let (held, ready) = (BytesMut::new(), Bytes::new());
        Self { place, source, web, patience, left: LARGEST_ANSWER, held, ready }
    }

    /// Up to `most` bytes, as soon as there are some; `None` at the end.
    pub async fn read(&mut self, most: u32) -> Result<Option<Vec<u8>>> {
        while self.ready.is_empty() {
            let chunk = match &mut self.source {
                Source::Open(response) => timeout(self.patience, response.chunk()).await,
                Source::Ended => return Ok(None),
                Source::Broken(error) => return Err(Failure::Answer(error.clone())),
            };
            match chunk {
                Ok(Ok(Some(chunk))) => self.take(chunk),
                Ok(Ok(None)) => {
                    self.ready = self.web.mask().rest(&self.held);
                    self.source = Source::Ended;
                }
                Ok(Err(error)) => {
                    self.source = Source::Broken(failure(&self.web.mask(), &self.place, &error))
                }
                Err(_) => {
                    let message = format!(
                        "`{}` stopped in the middle of its answer for {} s",
                        self.place,
                        self.patience.as_secs_f32()
                    );
                    self.source = Source::Broken(Error::new(Code::Timeout, message));
                }
            }
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        let chunk = self.ready.split_to(most.min(self.ready.len()));
        Ok(Some(chunk.into()))
    }

    fn take(&mut self, chunk: Bytes) {
        match self.left.checked_sub(chunk.len()) {
            Some(left) => {
                self.left = left;
                self.ready = self.web.mask().chunk(&mut self.held, chunk);
            }
            None => {
                let message = format!(
                    "the answer of `{}` is larger than the {LARGEST_ANSWER} bytes that `http` reads",
                    self.place
                );
                self.source = Source::Broken(Error::new(Code::Limit, message));
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Body").field("place", &self.place).finish_non_exhaustive()
    }
}
