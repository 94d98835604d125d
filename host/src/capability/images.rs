//! `images`: images in the engine.

use super::{CallState, bindings::windlass::plugin::images as wit};
use crate::{
    error::{Result, not_found},
    plugin::Progress,
};

pub use wit::{Image, Removed};

impl wit::Host for CallState {
    async fn list(&mut self) -> Result<Vec<Image>> {
        let looking = self.policy.approve_looking_around("images.list")?;
        let mut listed = self.docker().await?.list_images(&looking).await?;
        listed.retain(|image| self.policy.reaches_image(names(image)));
        Ok(listed)
    }

    async fn find(&mut self, name: String) -> Result<Option<Image>> {
        let image = self.policy.approve_image(&name)?;
        self.docker().await?.find_image(&image).await
    }

    async fn pull(&mut self, name: String, platform: Option<String>) -> Result<Image> {
        let fetching = self.policy.approve_fetching(&name, platform)?;
        self.effects.add(format!("image pull {name}"));
        let observer = self.observer.clone();
        let progress = move |done: u64, total: u64, text: &str| {
            observer.progress(Progress::of_bytes(done, total, text));
        };
        self.docker().await?.fetch_image(&fetching, progress).await
    }

    async fn remove(&mut self, name: String, force: bool) -> Result<Removed> {
        let looking = self.policy.approve_looking_around("images.remove")?;
        let docker = self.docker().await?;
        let Some(image) = docker.look_up_image(&looking, &name).await? else {
            return Err(not_found(format!("there is no image `{}`", name.escape_debug())));
        };
        let called = image.tags.iter().chain(&image.digests).find(|it| is_called(it, &name));
        let approved = match called {
            Some(tag) => {
                let tag = tag.clone();
                self.policy.approve_removing_image(tag.clone(), &[tag])?
            }
            None => self.policy.approve_removing_image(image.id.clone(), names(&image))?,
        };
        self.effects.add(format!("image remove {name}"));
        docker.remove_image(&approved, force).await
    }
}

/// Its names; one that was fetched by digest has no other.
fn names(image: &Image) -> &[String] {
    if image.tags.is_empty() { &image.digests } else { &image.tags }
}

/// Whether an image's name is the one that was asked for, in any of the ways to write it.
fn is_called(tag: &str, name: &str) -> bool {
    let short = |it: &str| {
        let it = it.strip_prefix("docker.io/").unwrap_or(it);
        it.strip_prefix("library/").unwrap_or(it).to_owned()
    };
    let tagged = short(name);
    let bare = !tagged.rsplit('/').next().unwrap_or_default().contains([':', '@']);
    let tagged = if bare { format!("{tagged}:latest") } else { tagged };
    short(tag.strip_prefix("localhost/").unwrap_or(tag)) == tagged
}
