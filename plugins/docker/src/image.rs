//! `list-images`, `pull-image` and `remove-image`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Told, Tool, clock,
    images::{self, Image},
};

use crate::{LOOKS, consent, error::About, name, table};

/// What the engine's command line calls an image that nothing names.
const NAMELESS: &str = "<none>";
/// As many digits of an id as tell an image from all others.
const SHORTEST_ID: usize = 12;

/// Lists the images of the engine, newest first.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListImages {}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Listed {
    images: Vec<Row>,
}

/// Fetches an image from its registry.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct PullImage {
    /// Such as `nginx:1.27` or `ghcr.io/me/app:2`. Without a tag: `latest`.
    image: String,
    /// Such as `linux/arm64`. This machine's own where nothing is said.
    platform: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Pulled {
    image: Row,
}

/// Removes an image from the engine.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct RemoveImage {
    /// Name or id.
    image: String,
    /// Also one that a stopped container uses, or that has several names.
    #[serde(default)]
    force: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Removed {
    image: String,
    untagged: Vec<String>,
    deleted: Vec<String>,
}

/// An image.
#[derive(Serialize, JsonSchema)]
struct Row {
    id: String,
    /// Empty for one that nothing names any more.
    tags: Vec<String>,
    digests: Vec<String>,
    /// In UTC.
    created: String,
    size_bytes: u64,
    /// How many containers use it, where the engine says.
    #[serde(skip_serializing_if = "Option::is_none")]
    containers: Option<u32>,
    labels: BTreeMap<String, String>,
}

impl Tool for ListImages {
    const NAME: &'static str = "list-images";
    const TITLE: Option<&'static str> = Some("List images");
    const HINTS: Hints = LOOKS;
    type Output = Told<Listed>;

    fn run(self, _: &Call) -> Result<Told<Listed>> {
        let listed =
            images::list().map_err(|error| About::Image.during("listing images", error))?;
        let text = format!("Docker Images:\n{}", shown(&listed));
        Ok(Told { text, rows: Listed { images: listed.into_iter().map(Row::of).collect() } })
    }
}

impl Tool for PullImage {
    const NAME: &'static str = "pull-image";
    const TITLE: Option<&'static str> = Some("Pull an image");
    const HINTS: Hints = Hints::OPEN_WORLD.union(Hints::IDEMPOTENT);
    type Output = Told<Pulled>;

    fn run(self, _: &Call) -> Result<Told<Pulled>> {
        name::image("image", &self.image)?;
        if let Some(platform) = &self.platform {
            name::image("platform", platform)?;
        }
        let doing = format!("pulling image '{}'", self.image);
        let image = images::pull(&self.image, self.platform.as_deref())
            .map_err(|error| About::Image.during(&doing, error))?;
        let id = table::short(&image.id);
        let text = format!("Image '{}' pulled successfully (ID: {id})", self.image);
        Ok(Told { text, rows: Pulled { image: Row::of(image) } })
    }
}

impl Tool for RemoveImage {
    const NAME: &'static str = "remove-image";
    const TITLE: Option<&'static str> = Some("Remove an image");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT);
    type Output = Told<Removed>;

    fn run(self, call: &Call) -> Result<Told<Removed>> {
        name::image("image", &self.image)?;
        let doing = format!("removing image '{}'", self.image);
        let about = |error| About::Image.during(&doing, error);
        let found = find(&self.image).map_err(about)?;
        let found = found.ok_or_else(|| About::Image.missing(&self.image))?;
        let size = table::bytes(found.size);
        consent::ask(call, &format!("Remove the image `{}` ({size})?", self.image))?;
        let removed = images::remove(&self.image, self.force).map_err(about)?;
        let text = format!("Image '{}' removed successfully", self.image);
        let rows =
            Removed { image: self.image, untagged: removed.untagged, deleted: removed.deleted };
        Ok(Told { text, rows })
    }
}

/// The image of this name or id. What reads as an id may be a name as well, which is asked for first.
fn find(name: &str) -> Result<Option<Image>, Error> {
    let by_name = images::find(name);
    if let Ok(Some(image)) = by_name {
        return Ok(Some(image));
    }
    match images::list()?.into_iter().find(|it| is_id(name, &it.id)) {
        Some(image) => Ok(Some(image)),
        None => by_name,
    }
}

/// Whether it is this id, or as much of it as tools show.
fn is_id(name: &str, id: &str) -> bool {
    let digits = name.strip_prefix("sha256:").unwrap_or(name);
    let whole = id.strip_prefix("sha256:").unwrap_or(id);
    digits.len() >= SHORTEST_ID && whole.starts_with(digits)
}

impl Row {
    fn of(it: Image) -> Self {
        Self {
            id: it.id,
            tags: it.tags,
            digests: it.digests,
            created: clock::iso(it.created),
            size_bytes: it.size,
            containers: it.used,
            labels: it.labels.into_iter().collect(),
        }
    }
}

/// As the engine's own command line has it: a row for each name.
fn shown(images: &[Image]) -> String {
    let now = clock::now();
    let rows = images.iter().flat_map(|image| {
        let names = image.tags.iter().map(|it| parted(it));
        let nameless = image.tags.is_empty().then_some((NAMELESS, NAMELESS));
        names.chain(nameless).map(move |(repository, tag)| {
            [
                repository.to_owned(),
                tag.to_owned(),
                table::short(&image.id).to_owned(),
                table::ago(image.created, now),
                table::bytes(image.size),
            ]
        })
    });
    table::table(["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"], rows)
}

/// Repository and tag. A registry may have a port.
fn parted(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, NAMELESS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_by_its_first_digits() {
        let id = "sha256:efd2bae3461110944be0508e";
        assert!(is_id("efd2bae34611", id) && is_id("sha256:efd2bae34611", id) && is_id(id, id));
        assert!(!is_id("efd2", id) && !is_id("efd2bae34612", id));
    }

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(parted("nginx:1.27"), ("nginx", "1.27"));
        assert_eq!(parted("localhost:5000/a"), ("localhost:5000/a", NAMELESS));
        assert_eq!(parted("localhost:5000/a:b"), ("localhost:5000/a", "b"));
    }
}
