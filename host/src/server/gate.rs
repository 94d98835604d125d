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
use serde_json::Value;
use tokio::sync::Notify;

use super::said;
use crate::access::Access;

/// How many requests of one client may be unanswered beyond the calls that may run or wait. Those are answered "busy"
/// at once, so this is about what waits for the client to read.
const MOST_UNREAD: usize = 256;

pub(super) struct Gate<T> {
    transport: T,
    access: Arc<Access>,
    /// What came, and whose it is is not known yet.
    held: Option<(RxJsonRpcMessage<RoleServer>, Value)>,
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
    pub(super) fn new(transport: T, access: Arc<Access>, calls: usize) -> Self {
        let most = calls.saturating_add(MOST_UNREAD);
        let unanswered = Unanswered { most, ids: Mutex::default(), fewer: Notify::new() };
        Self {
            transport,
            access,
            held: None,
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
            // What is held is looked at again where this was given up before it was known whose it is.
            if let Some(message) = self.known().await {
                return Some(message);
            }
            self.unanswered.room().await;
            let Some(mut message) = self.transport.receive().await else {
                self.gone.notify_one();
                return None;
            };
            self.unanswered.note(&message);
            if let Some(said) = said::take(&mut message) {
                self.held = Some((message, said));
                continue;
            }
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

impl<T: Transport<RoleServer>> Gate<T> {
    /// The message that is held, with whose it is; one that lies about that is answered here.
    async fn known(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let (_, said) = self.held.as_ref()?;
        let judged = self.access.said(said.as_str().unwrap_or_default(), None).await;
        let (mut message, _) = self.held.take()?;
        match judged {
            Ok(caller) => {
                said::sign(&mut message, caller);
                Some(message)
            }
            Err(refused) => {
                if let JsonRpcMessage::Request(request) = message {
                    let error = said::refusal(&refused);
                    let answer = self.send(JsonRpcMessage::error(error, Some(request.id)));
                    // Who waits for it is who reads it: nothing else is to wait.
                    tokio::spawn(answer);
                }
                None
            }
        }
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
