//! Images, for the user's containers.

use bollard::{
    models::{ImageInspect, ImageSummary},
    query_parameters::{ListImagesOptions, RemoveImageOptions},
};

use super::{
    super::{Docker, pull},
    find::seconds,
    networks::sorted,
};
use crate::{
    capability::images::{Image, Removed},
    error::{Result, not_found},
    policy::{self, Approved, Fetching, Looking},
    time,
};

impl Docker {
    pub async fn list_images(&self, _: &Approved<Looking>) -> Result<Vec<Image>> {
        let options = ListImagesOptions::default();
        let listed = self.quickly(async |client| client.list_images(Some(options)).await).await?;
        let listed = listed.map_err(|trouble| trouble.doing("list the images"))?;
        Ok(listed.into_iter().map(of_list).collect())
    }

    pub async fn find_image(&self, image: &Approved<policy::Image>) -> Result<Option<Image>> {
        self.image_called(&image.request().name).await
    }

    /// The image of this name or id, whoever may see it.
    pub async fn look_up_image(&self, _: &Approved<Looking>, name: &str) -> Result<Option<Image>> {
        let fits = |it: char| it.is_ascii_alphanumeric() || "_.-/:@".contains(it);
        let plain = name.starts_with(|it: char| it.is_ascii_alphanumeric())
            && name.chars().all(fits)
            && !name.contains("..");
        if plain { self.image_called(name).await } else { Ok(None) }
    }

    async fn image_called(&self, name: &str) -> Result<Option<Image>> {
        Ok(self.look_for_image(name).await?.map(inspected))
    }

    /// Fetches an image, whether it is there or not, and says how far that is.
    pub async fn fetch_image(
        &self,
        fetching: &Approved<Fetching>,
        progress: impl FnMut(u64, u64, &str),
    ) -> Result<Image> {
        let Fetching { image, platform } = fetching.request();
        pull::join(self, &image.name, platform.as_deref(), progress).await?;
        self.image_called(&image.name).await?.ok_or_else(|| {
            not_found(format!("`{}` was fetched, but the engine does not have it", image.name))
        })
    }

    /// By the name that it was called by, or by its id.
    pub async fn remove_image(&self, image: &Approved<String>, force: bool) -> Result<Removed> {
        let name = image.request();
        let options = RemoveImageOptions { force, noprune: false, ..RemoveImageOptions::default() };
        let removed = self
            .slowly(async |client| client.remove_image(name, Some(options), None).await)
            .await?;
        let items = removed.map_err(|trouble| trouble.doing(&format!("remove image `{name}`")))?;
        let mut removed = Removed { untagged: Vec::new(), deleted: Vec::new() };
        for item in items {
            removed.untagged.extend(item.untagged);
            removed.deleted.extend(item.deleted);
        }
        Ok(removed)
    }
}

fn of_list(it: ImageSummary) -> Image {
    let named = |it: &String| !it.contains("<none>");
    Image {
        id: it.id,
        tags: it.repo_tags.into_iter().filter(named).collect(),
        digests: it.repo_digests.into_iter().filter(named).collect(),
        created: seconds(Some(it.created)),
        size: u64::try_from(it.size).unwrap_or(0),
        labels: sorted(&it.labels),
        // -1: the engine did not count.
        used: u32::try_from(it.containers).ok(),
    }
}

fn inspected(it: ImageInspect) -> Image {
    let labels = it.config.and_then(|it| it.labels).unwrap_or_default();
    Image {
        id: it.id.unwrap_or_default(),
        tags: it.repo_tags.unwrap_or_default(),
        digests: it.repo_digests.unwrap_or_default(),
        created: it.created.as_deref().map_or(0, time::of_text),
        size: it.size.and_then(|it| u64::try_from(it).ok()).unwrap_or(0),
        labels: sorted(&labels),
        used: None,
    }
}
