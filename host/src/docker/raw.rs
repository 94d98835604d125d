//! What the engine answers, byte by byte: for the output of a terminal, in which bollard looks for frames and mangles it, and
//! which it gathers without bound where a line has no end.

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};

use super::{failure::Trouble, find::Place};

/// How much of a refusal is read.
const LONGEST_REFUSAL: usize = 4 << 10;

/// The body of what is there, piece by piece.
pub(super) async fn get(
    place: &Place,
    path: &str,
) -> Result<impl Stream<Item = Result<Bytes, Trouble>> + use<>, Trouble> {
    let response = match place {
        Place::Socket(socket) => ask(UnixStream::connect(socket).await, path).await?,
        Place::Tcp(address) => ask(TcpStream::connect(address).await, path).await?,
    };
    let status = response.status();
    let body = response.into_body();
    if !status.is_success() {
        return Err(Trouble::Refused { status: status.as_u16(), message: refusal(body).await });
    }
    Ok(stream::unfold(body, |mut body| async move {
        loop {
            match body.frame().await? {
                Ok(frame) => {
                    let Ok(bytes) = frame.into_data() else { continue };
                    return Some((Ok(bytes), body));
                }
                Err(error) => return Some((Err(gone(error)), body)),
            }
        }
    }))
}

async fn ask<T: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    connected: std::io::Result<T>,
    path: &str,
) -> Result<http::Response<Incoming>, Trouble> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(connected.map_err(gone)?)).await.map_err(gone)?;
    // It ends with the body, or with who reads it.
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "engine").body(Empty::<Bytes>::new());
    sender.send_request(request.map_err(gone)?).await.map_err(gone)
}

async fn refusal(mut body: Incoming) -> String {
    let mut text = Vec::new();
    while text.len() < LONGEST_REFUSAL
        && let Some(Ok(frame)) = body.frame().await
    {
        text.extend_from_slice(frame.data_ref().map_or(&[], |it| it));
    }
    let message = serde_json::from_slice::<serde_json::Value>(&text).ok();
    let message = message.and_then(|it| it.get("message")?.as_str().map(str::to_owned));
    message.unwrap_or_else(|| "it says nothing".to_owned())
}

#[allow(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn gone(error: impl ToString) -> Trouble {
    Trouble::Gone(error.to_string())
}
