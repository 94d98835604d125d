//! News for clients: lists that changed, resources that changed.
//!
//! In the first era a client hears all list changes, and the resources it subscribed to; in the second what
//! the filter of its subscription lets through.

use std::sync::atomic::{AtomicUsize, Ordering};

use rmcp::{
    ErrorData, Peer, RoleServer, model::ResourceUpdatedNotificationParam,
    service::SubscriptionContext,
};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{Server, caller};
use crate::{access::Caller, registry::News};

/// How many resources one client may follow.
const MOST_SUBSCRIPTIONS: usize = 1000;

/// How many subscriptions of the second era may be open.
const MOST_SUBSCRIBERS: usize = 256;

/// One of the open subscriptions.
struct Subscriber<'a>(&'a AtomicUsize);

impl Server {
    /// Tells a client of the first era, until it goes.
    pub(super) fn tell_of_changes(&self, peer: Peer<RoleServer>, caller: Caller) {
        let mut news = self.registry.listen();
        let session = self.session.clone();
        tokio::spawn(async move {
            while let Some(piece) = next(&mut news, &caller).await {
                let told = match piece {
                    News::Tools => peer.notify_tool_list_changed().await,
                    News::Prompts => peer.notify_prompt_list_changed().await,
                    News::Resources => peer.notify_resource_list_changed().await,
                    News::ResourceOf(_, uri) if session.subscriptions().contains(&uri) => {
                        let update = ResourceUpdatedNotificationParam::new(uri);
                        peer.notify_resource_updated(update).await
                    }
                    News::ResourceOf(..) => Ok(()),
                };
                if told.is_err() || peer.is_transport_closed() {
                    return;
                }
            }
        });
    }

    /// Tells a subscriber of the second era, until it cancels.
    pub(super) async fn tell_subscriber(
        &self,
        subscription: SubscriptionContext,
    ) -> Result<(), ErrorData> {
        let _subscriber = Subscriber::new(&self.subscribers)?;
        let mut news = self.registry.listen();
        let (sink, caller) = (subscription.sink(), caller(subscription.request_context()));
        loop {
            let piece = tokio::select! {
                () = subscription.cancelled() => return Ok(()),
                piece = next(&mut news, &caller) => piece,
            };
            let Some(piece) = piece else { return Ok(()) };
            // The sink itself leaves out what the filter does not name.
            let _ = match piece {
                News::Tools => sink.notify_tool_list_changed().await,
                News::Prompts => sink.notify_prompt_list_changed().await,
                News::Resources => sink.notify_resource_list_changed().await,
                News::ResourceOf(_, uri) => sink.notify_resource_updated(uri).await,
            };
        }
    }

    pub(super) fn subscribe_to(&self, uri: String) -> Result<(), ErrorData> {
        let mut subscriptions = self.session.subscriptions();
        if subscriptions.len() >= MOST_SUBSCRIPTIONS {
            let message = format!("more than {MOST_SUBSCRIPTIONS} subscriptions; end some first");
            return Err(ErrorData::invalid_params(message, None));
        }
        subscriptions.insert(uri);
        Ok(())
    }
}

impl<'a> Subscriber<'a> {
    fn new(count: &'a AtomicUsize) -> Result<Self, ErrorData> {
        let subscriber = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) >= MOST_SUBSCRIBERS {
            let message =
                format!("busy: {MOST_SUBSCRIBERS} subscriptions are open; end some first");
            return Err(ErrorData::internal_error(message, None));
        }
        Ok(subscriber)
    }
}

impl Drop for Subscriber<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The next piece of news that is for this caller. Who fell behind goes on with what is still there.
async fn next(news: &mut Receiver<News>, caller: &Caller) -> Option<News> {
    loop {
        match news.recv().await {
            Ok(News::ResourceOf(of, _)) if of != caller.space => {}
            Ok(piece) => return Some(piece),
            Err(RecvError::Lagged(missed)) => tracing::debug!(missed, "a listener fell behind"),
            Err(RecvError::Closed) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::broadcast;

    use super::*;

    #[tokio::test]
    async fn nobody_hears_of_what_is_somebody_else_s() {
        let (news, mut heard) = broadcast::channel(8);
        let [ann, bob] = ["ann", "bob"].map(Arc::<str>::from);
        for caller in [&bob, &ann, &bob] {
            news.send(News::ResourceOf(caller.clone(), format!("job://{caller}/log"))).unwrap();
        }
        news.send(News::Tools).unwrap();
        drop(news);
        let ann = Caller::named(&ann, Vec::new(), false);
        let mut pieces = Vec::new();
        while let Some(piece) = next(&mut heard, &ann).await {
            pieces.push(piece);
        }
        let hers = News::ResourceOf(ann.space.clone(), "job://ann/log".to_owned());
        assert_eq!(pieces, [hers, News::Tools]);
    }
}
