//! Sessions of the protocol's first era over HTTP: whose they are, and who is still there.
//!
//! A session ends when its client says so, or after a long silence. One with a request under way, an open
//! stream for news among them, is never silent.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use rmcp::transport::streamable_http_server::session::{
    SessionManager as _, local::LocalSessionManager,
};

use crate::access::Caller;

/// After so long a silence a session is over.
const SILENCE: Duration = Duration::from_secs(3600);
/// How often sessions are looked at.
const ROUND: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<String, Use>>>);

struct Use {
    /// The caller who began it. For anybody else it does not exist.
    owner: Arc<str>,
    under_way: usize,
    last: Instant,
}

/// Whose a session is, for who names it.
pub(super) enum Held {
    Theirs(UnderWay),
    Anothers,
    /// There is none of this name.
    Nobodys,
}

/// A request of a session that is under way.
pub(super) struct UnderWay {
    sessions: Sessions,
    id: String,
}

/// A response that ends its request when it has been sent, or dropped.
pub(super) struct Tracked<B> {
    body: B,
    _under_way: Option<UnderWay>,
}

impl Sessions {
    /// A session that this caller begins.
    pub(super) fn begin(&self, id: &str, caller: &Caller) -> UnderWay {
        let owner = caller.name.clone();
        let begun = Use { owner, under_way: 1, last: Instant::now() };
        self.lock().insert(id.to_owned(), begun);
        UnderWay { sessions: self.clone(), id: id.to_owned() }
    }

    /// A request that names a session. To know its name proves nothing.
    pub(super) fn enter(&self, id: &str, caller: &Caller) -> Held {
        match self.lock().get_mut(id) {
            Some(session) if session.owner == caller.name => session.under_way += 1,
            Some(_) => return Held::Anothers,
            None => return Held::Nobodys,
        }
        Held::Theirs(UnderWay { sessions: self.clone(), id: id.to_owned() })
    }

    pub(super) fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    /// Ends silent sessions for as long as the host runs.
    pub(super) async fn end_silent(self, manager: Arc<LocalSessionManager>) {
        loop {
            tokio::time::sleep(ROUND).await;
            for id in self.silent(SILENCE) {
                tracing::info!("a session was silent for long and is ended");
                // It may have ended by itself.
                let _ = manager.close_session(&id.as_str().into()).await;
                self.forget(&id);
            }
        }
    }

    fn silent(&self, limit: Duration) -> Vec<String> {
        let sessions = self.lock();
        let silent =
            sessions.iter().filter(|(_, it)| it.under_way == 0 && it.last.elapsed() >= limit);
        silent.map(|(id, _)| id.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(session) = self.sessions.lock().get_mut(&self.id) {
            session.under_way = session.under_way.saturating_sub(1);
            session.last = Instant::now();
        }
    }
}

impl<B> Tracked<B> {
    pub(super) fn new(body: B, under_way: Option<UnderWay>) -> Self {
        Self { body, _under_way: under_way }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Tracked<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_with_a_request_under_way_is_never_silent() {
        let (sessions, ann) = (Sessions::default(), Caller::named("ann", Vec::new(), false));
        let first = sessions.begin("a", &ann);
        let Held::Theirs(second) = sessions.enter("a", &ann) else { panic!("it is hers") };
        drop(first);
        assert!(sessions.silent(Duration::ZERO).is_empty());
        drop(second);
        assert_eq!(sessions.silent(Duration::ZERO), ["a"]);
        assert!(sessions.silent(SILENCE).is_empty());
    }

    #[test]
    fn a_session_is_its_caller_s_alone() {
        let sessions = Sessions::default();
        let [ann, bob] = ["ann", "bob"].map(|name| Caller::named(name, Vec::new(), true));
        drop(sessions.begin("a", &ann));
        assert!(matches!(sessions.enter("a", &bob), Held::Anothers));
        assert!(matches!(sessions.enter("b", &ann), Held::Nobodys));
        assert!(matches!(sessions.enter("a", &ann), Held::Theirs(_)));
        sessions.forget("a");
        assert!(matches!(sessions.enter("a", &ann), Held::Nobodys));
    }
}
