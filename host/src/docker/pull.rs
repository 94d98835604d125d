//! Fetching an image: once for all who wait for it, and no longer than somebody does.

use std::{collections::HashMap, sync::Arc};

use bollard::{models::CreateImageInfo, query_parameters::CreateImageOptions};
use futures_util::StreamExt as _;
use tokio::sync::watch;

use super::{Docker, failure::Trouble, locked};
use crate::{
    capability::types::{Code, Error},
    error::{Failure, Result, denied, trap, unavailable},
};

/// Who fetches tells it here, and who waits listens.
pub(super) type Progress = watch::Sender<Step>;

/// How far it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    done: u64,
    total: u64,
    text: String,
    /// How it ended, once it has.
    end: Option<Result<(), Error>>,
}

/// What is being fetched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    name: String,
    /// Empty: the engine's own.
    platform: String,
}

impl Wanted {
    fn new(name: &str, platform: Option<&str>) -> Self {
        Self { name: name.to_owned(), platform: platform.unwrap_or_default().to_owned() }
    }
}

/// Bytes that are there and bytes that there are, of each layer.
#[derive(Default)]
struct Layers(HashMap<String, (u64, u64)>);

/// Fetches the image, or waits with the others for whom it is being fetched.
pub(super) async fn join(
    docker: &Docker,
    name: &str,
    platform: Option<&str>,
    mut progress: impl FnMut(u64, u64, &str),
) -> Result<()> {
    let mut steps = subscribe(docker, &Wanted::new(name, platform));
    loop {
        let Step { done, total, text, end } = steps.borrow_and_update().clone();
        if let Some(end) = end {
            return end.map_err(Failure::Answer);
        }
        if !text.is_empty() {
            progress(done, total, &text);
        }
        if steps.changed().await.is_err() {
            return Err(trap(format!("who fetched `{name}` told no end")));
        }
    }
}

/// Begins where nobody has begun.
fn subscribe(docker: &Docker, wanted: &Wanted) -> watch::Receiver<Step> {
    let mut pulls = locked(&docker.shared.pulls);
    if let Some(sender) = pulls.get(wanted) {
        return sender.subscribe();
    }
    let (sender, receiver) = watch::channel(Step::default());
    let sender = Arc::new(sender);
    pulls.insert(wanted.clone(), sender.clone());
    tokio::spawn(run(docker.clone(), wanted.clone(), sender));
    receiver
}

async fn run(docker: Docker, wanted: Wanted, sender: Arc<Progress>) {
    let mut fetching = std::pin::pin!(fetch(&docker, &wanted, &sender));
    let end = loop {
        tokio::select! {
            end = &mut fetching => break Some(end),
            () = sender.closed() => {}
        }
        // The engine stops when nobody listens to it any more.
        if forget_unwatched(&docker, &wanted, &sender) {
            break None;
        }
    };
    let Some(end) = end else { return };
    let end = end.map_err(|failure| match failure {
        Failure::Answer(error) => error,
        Failure::Trap(error) => Error::new(Code::Other, error.to_string()),
    });
    locked(&docker.shared.pulls).remove(&wanted);
    sender.send_modify(|step| step.end = Some(end));
}

/// Under the lock, since somebody may just be joining.
fn forget_unwatched(docker: &Docker, wanted: &Wanted, sender: &Progress) -> bool {
    let mut pulls = locked(&docker.shared.pulls);
    let unwatched = sender.is_closed();
    if unwatched {
        pulls.remove(wanted);
    }
    unwatched
}

async fn fetch(docker: &Docker, wanted: &Wanted, sender: &Progress) -> Result<()> {
    let name = &wanted.name;
    let registry = name.split('/').next().unwrap_or_default();
    let credentials = docker.shared.credentials.of(registry);
    let options = CreateImageOptions {
        // Whole, with tag or digest. Without either, engines fetch every tag there is.
        from_image: Some(name.clone()),
        platform: wanted.platform.clone(),
        ..CreateImageOptions::default()
    };
    let pulled = docker
        .slowly(async |client| {
            let mut layers = Layers::default();
            let mut steps = client.create_image(Some(options), None, credentials);
            while let Some(step) = steps.next().await {
                let (done, total, text) = layers.note(step?);
                sender.send_modify(|now| *now = Step { done, total, text, end: None });
            }
            Ok(())
        })
        .await?;
    pulled.map_err(|trouble| explained(&trouble, name, registry))
}

/// Engines give a status of 404 or 500, or none at all in the middle of an answer, for the same things.
fn explained(trouble: &Trouble, name: &str, registry: &str) -> Failure {
    if trouble.says(&["not found", "manifest unknown", "no such image", "name unknown", "http 404"])
        && !trouble.says(&["denied", "unauthorized"])
    {
        let message = format!("there is no image `{name}`: {trouble}");
        return Failure::Answer(Error::new(Code::NotFound, message));
    }
    if trouble.says(&["denied", "unauthorized", "authentication", "credentials", "forbidden"]) {
        return denied(format!(
            "`{registry}` does not give out `{name}`: {trouble}; the name is wrong, or `MCP_DOCKER_CONFIG_JSON` needs credentials for `{registry}`"
        ));
    }
    unavailable(format!(
        "cannot fetch `{name}`: {trouble}; the engine has to reach `{registry}`, or to have the image already"
    ))
}

impl Layers {
    fn note(&mut self, step: CreateImageInfo) -> (u64, u64, String) {
        let status = step.status.unwrap_or_default();
        let bytes = |bytes: Option<i64>| bytes.and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
        if let Some(id) = step.id {
            let (done, total) = self.0.entry(id).or_default();
            match (&*status, step.progress_detail) {
                ("Downloading", Some(detail)) => {
                    *total = bytes(detail.total).max(*total);
                    *done = bytes(detail.current).max(*done);
                }
                ("Download complete" | "Pull complete" | "Already exists", _) => *done = *total,
                // While it unpacks, the engine counts from 0 again.
                _ => {}
            }
        }
        let add = |sum: (u64, u64), layer: &(u64, u64)| {
            (sum.0.saturating_add(layer.0), sum.1.saturating_add(layer.1))
        };
        let (done, total) = self.0.values().fold((0, 0), add);
        (done.min(total), total, status)
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use super::*;

    #[test]
    fn progress_never_goes_back() {
        let mut layers = Layers::default();
        let mut note = |id: &str, status: &str, current, total| {
            let detail = ProgressDetail { current: Some(current), total: Some(total) };
            let (done, total, _) = layers.note(CreateImageInfo {
                id: Some(id.to_owned()),
                status: Some(status.to_owned()),
                progress_detail: Some(detail),
                ..CreateImageInfo::default()
            });
            (done, total)
        };
        assert_eq!(note("a", "Pulling fs layer", 0, 0), (0, 0));
        assert_eq!(note("a", "Downloading", 5, 10), (5, 10));
        assert_eq!(note("b", "Downloading", 1, 100), (6, 110));
        assert_eq!(note("a", "Extracting", 1, 10), (6, 110));
        assert_eq!(note("b", "Downloading", -7, -1), (6, 110));
        assert_eq!(note("a", "Pull complete", 0, 0), (11, 110));
    }

    #[test]
    fn a_failed_pull_says_whose_fault_it_is() {
        let code = |status, message: &str| {
            let trouble = Trouble::Refused { status, message: message.to_owned() };
            match explained(&trouble, "ghcr.io/a/b:1", "ghcr.io") {
                Failure::Answer(error) => error.code,
                Failure::Trap(error) => panic!("{error}"),
            }
        };
        let denied =
            "pull access denied for a/b, repository does not exist or may require 'docker login'";
        assert_eq!(code(404, denied), Code::Denied);
        assert_eq!(code(500, "unauthorized: authentication required"), Code::Denied);
        assert_eq!(code(404, "manifest for a/b:1 not found: manifest unknown"), Code::NotFound);
        let network = "Get \"https://ghcr.io/v2/\": dial tcp: lookup ghcr.io: no such host";
        assert_eq!(code(500, network), Code::Unavailable);
    }
}
