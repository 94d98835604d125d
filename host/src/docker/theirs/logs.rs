//! What the user's containers print. How much of it is kept is bounded; what comes first is cut off.

use std::{collections::VecDeque, time::Duration};

use bollard::{container::LogOutput, query_parameters::LogsOptions};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use tokio::time::timeout;

use super::{
    super::{Docker, failure::Trouble, raw},
    Found,
};
use crate::{
    capability::engine::{LogWish, Output, Piece},
    error::{Result, unavailable},
    policy::{Approved, Theirs},
};

/// How long an engine may take to read it all.
const READING: Duration = Duration::from_secs(60);

/// The last of what is printed.
pub struct Tail {
    pieces: VecDeque<(bool, BytesMut)>,
    size: usize,
    most: usize,
    cut: bool,
}

impl Tail {
    pub fn new(most: u32) -> Self {
        Self { pieces: VecDeque::new(), size: 0, most: most as usize, cut: false }
    }

    pub fn push(&mut self, stderr: bool, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.size += bytes.len();
        // One piece for as long as the stream is the same: of single letters there may be millions.
        match self.pieces.back_mut() {
            Some((same, last)) if *same == stderr => last.extend_from_slice(&bytes),
            _ => self.pieces.push_back((stderr, BytesMut::from(&*bytes))),
        }
        while self.size > self.most {
            let over = self.size - self.most;
            let Some((_, first)) = self.pieces.front_mut() else { return };
            self.cut = true;
            if first.len() > over {
                let _ = first.split_to(over);
                self.size -= over;
            } else {
                self.size -= first.len();
                self.pieces.pop_front();
            }
        }
    }

    pub fn output(self) -> Output {
        let piece = |(stderr, bytes): (bool, BytesMut)| Piece { stderr, bytes: bytes.to_vec() };
        Output { pieces: self.pieces.into_iter().map(piece).collect(), cut: self.cut }
    }
}

impl Docker {
    /// `found` is the same container that is approved.
    pub async fn logs_of_theirs(
        &self,
        theirs: &Approved<Theirs>,
        found: &Found,
        wish: &LogWish,
    ) -> Result<Output> {
        let name = &theirs.request().name;
        let reading = async {
            let mut tail = Tail::new(wish.most_bytes);
            if found.is_tty() {
                let connection = self.connection().await?;
                let query = query(wish);
                let path = format!("/containers/{}/logs?{query}", theirs.request().id);
                let body = raw::get(&connection.place, &path).await;
                let body =
                    body.map_err(|trouble| trouble.doing(&format!("read the output of `{name}`")))?;
                take(body.map(|it| it.map(|bytes| (false, bytes))), &mut tail, name).await?;
            } else {
                let connection = self.connection().await?;
                let logs = connection.slow.logs(&theirs.request().id, Some(options(wish)));
                let pieces = logs.map(|it| match it {
                    Ok(LogOutput::StdErr { message }) => Ok((true, message)),
                    Ok(other) => Ok((false, other.into_bytes())),
                    Err(error) => Err(Trouble::from(error)),
                });
                take(pieces, &mut tail, name).await?;
            }
            Ok(tail.output())
        };
        timeout(READING, reading).await.unwrap_or_else(|_| {
            Err(unavailable(format!(
                "the output of `{name}` is not read within {} s: ask for fewer lines",
                READING.as_secs()
            )))
        })
    }
}

async fn take(
    pieces: impl Stream<Item = Result<(bool, Bytes), Trouble>>,
    tail: &mut Tail,
    name: &str,
) -> Result<()> {
    let mut pieces = std::pin::pin!(pieces);
    while let Some(piece) = pieces.next().await {
        let (stderr, bytes) =
            piece.map_err(|trouble| trouble.doing(&format!("read the output of `{name}`")))?;
        tail.push(stderr, bytes);
    }
    Ok(())
}

fn options(wish: &LogWish) -> LogsOptions {
    LogsOptions {
        follow: false,
        stdout: wish.stdout,
        stderr: wish.stderr,
        since: seconds(wish.since),
        until: seconds(wish.until),
        timestamps: wish.timestamps,
        tail: wish.tail.map_or("all".to_owned(), |it| it.to_string()),
    }
}

fn query(wish: &LogWish) -> String {
    let LogsOptions { stdout, stderr, since, until, timestamps, tail, .. } = options(wish);
    format!(
        "stdout={stdout}&stderr={stderr}&since={since}&until={until}&timestamps={timestamps}&tail={tail}"
    )
}

fn seconds(ms: Option<u64>) -> i32 {
    // 0 is no bound at all, so what is too far away is as far as can be said.
    ms.map_or(0, |it| i32::try_from(it / 1000).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_is_kept() {
        let mut tail = Tail::new(5);
        tail.push(false, Bytes::from_static(b"abc"));
        tail.push(false, Bytes::from_static(b"de"));
        tail.push(true, Bytes::from_static(b"fg"));
        let output = tail.output();
        let told: Vec<_> =
            output.pieces.iter().map(|it| (it.stderr, it.bytes.as_slice())).collect();
        assert_eq!(told, [(false, b"cde".as_slice()), (true, b"fg")]);
        assert!(output.cut);
        let mut tail = Tail::new(2);
        tail.push(false, Bytes::from_static(b"abcdef"));
        assert_eq!(tail.output().pieces[0].bytes, b"ef");
        assert!(!Tail::new(0).output().cut);
    }
}
