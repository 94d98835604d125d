//! A gate before a client's messages: no more are taken in than can be answered soon.
//!
//! rmcp starts a task for each request that it reads, however many wait; what stays unread costs nothing. And
//! it ends where something else than a request comes first; that is left out.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rmcp::{
    RoleServer,
    model::{ClientNotification, ClientRequest, JsonRpcMessage, RequestId},
    service::{RxJsonRpcMessage, TxJsonRpcMessage},
    transport::Transport,
};
use tokio::sync::Notify;

/// How many requests of one client may be unanswered beyond the calls that may run or wait. Those are answered "busy"
/// at once, so this is about what waits for the client to read.
const MOST_UNREAD: usize = 256;

pub(super) struct Gate<T> {
    transport: T,
    unanswered: Arc<Unanswered>,
    greeted: Greeted,
    gone: Arc<Notify>,
}

/// Whether the client has told what it speaks.
#[derive(Clone, Default)]
pub(super) struct Greeted(Arc<AtomicBool>);

struct Unanswered {
    most: usize,
    ids: Mutex<HashSet<RequestId>>,
    fewer: Notify,
}

impl<T> Gate<T> {
    /// A gate for a host in which so many calls run and wait at once.
    pub(super) fn new(transport: T, calls: usize) -> Self {
        let most = calls.saturating_add(MOST_UNREAD);
        let unanswered = Unanswered { most, ids: Mutex::default(), fewer: Notify::new() };
        Self {
            transport,
            unanswered: Arc::new(unanswered),
            greeted: Greeted::default(),
            gone: Arc::default(),
        }
    }

    pub(super) fn greeted(&self) -> Greeted {
        self.greeted.clone()
    }

    /// Is notified when the client has closed its end.
    pub(super) fn gone(&self) -> Arc<Notify> {
        self.gone.clone()
    }
}

impl Greeted {
    pub(super) fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Gate<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), T::Error>> + Send + 'static {
        let answered = match &message {
            JsonRpcMessage::Response(response) => Some(response.id.clone()),
            JsonRpcMessage::Error(error) => error.id.clone(),
            _ => None,
        };
        let unanswered = self.unanswered.clone();
        let sending = self.transport.send(message);
        async move {
            let sent = sending.await;
            if let Some(id) = answered {
                unanswered.remove(&id);
            }
            sent
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            self.unanswered.room().await;
            let Some(message) = self.transport.receive().await else {
                self.gone.notify_one();
                return None;
            };
            self.unanswered.note(&message);
            let is_request = matches!(message, JsonRpcMessage::Request(_));
            if is_request || self.greeted.0.load(Ordering::Relaxed) {
                return Some(message);
            }
        }
    }

    fn close(&mut self) -> impl Future<Output = Result<(), T::Error>> + Send {
        self.transport.close()
    }
}

impl Unanswered {
    async fn room(&self) {
        loop {
            let fewer = self.fewer.notified();
            if self.ids().len() < self.most {
                return;
            }
            fewer.await;
        }
    }

    fn note(&self, message: &RxJsonRpcMessage<RoleServer>) {
        match message {
            // A subscription is answered at its end, which may be far.
            JsonRpcMessage::Request(request)
                if !matches!(request.request, ClientRequest::SubscriptionsListenRequest(_)) =>
            {
                self.ids().insert(request.id.clone());
            }
            // What is cancelled is never answered.
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.remove(id);
                }
            }
            _ => {}
        }
    }

    fn remove(&self, id: &RequestId) {
        self.ids().remove(id);
        self.fewer.notify_one();
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<RequestId>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
