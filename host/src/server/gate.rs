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

/// How many requests of one client may be unanswered. Those beyond the host's limit on calls are answered
/// "busy" at once, so this is about what waits for its turn or for the client to read.
const MOST_UNANSWERED: usize = 1024;

pub(super) struct Gate<T> {
    transport: T,
    unanswered: Arc<Unanswered>,
    greeted: Greeted,
    gone: Arc<Notify>,
}

/// Whether the client has told what it speaks.
#[derive(Clone, Default)]
pub(super) struct Greeted(Arc<AtomicBool>);

#[derive(Default)]
struct Unanswered {
    ids: Mutex<HashSet<RequestId>>,
    fewer: Notify,
}

impl<T> Gate<T> {
    pub(super) fn new(transport: T) -> Self {
        Self {
            transport,
            unanswered: Arc::default(),
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
            if self.ids().len() < MOST_UNANSWERED {
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
