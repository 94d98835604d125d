//! The images of the tests: what each holds, and how it comes to an engine. Nothing is pulled.

mod layer;
mod busybox;
mod git;

use anyhow::{Context as _, Result};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::IMAGE;
use crate::{api::Api, report::Absent};
use layer::Layer;

/// What is in an image: another digest is another image of the same name.
const DIGEST: &str = "windlass.test.digest";

/// One image of the tests.
struct Image {
    name: &'static str,
    lay: fn(&mut Layer) -> Result<()>,
}

const IMAGES: [Image; 2] =
    [Image { name: IMAGE, lay: busybox::lay }, Image { name: git::NAME, lay: git::lay }];

/// Makes what is not there or differs; gives the names of what was not there. What this machine has no parts for is left
/// out, and its tests are skipped; all need the first one.
pub(super) fn make(api: &Api) -> Result<Vec<&'static str>> {
    let mut made = Vec::new();
    for image in IMAGES {
        match image.make(api) {
            Ok(true) => made.push(image.name),
            Ok(false) => {}
            Err(error) if image.name != IMAGE && error.is::<Absent>() => {
                eprintln!("SKIPPED image `{}`: {error:#}", image.name);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(made)
}

pub(super) fn remove(api: &Api, names: &[&str]) {
    for name in names {
        // Somebody may have removed it.
        let _ = api.delete(&format!("/images/{name}?force=1"));
    }
}

impl Image {
    /// Says whether there was none of this name.
    fn make(&self, api: &Api) -> Result<bool> {
        let mut layer = Layer::default();
        (self.lay)(&mut layer)?;
        let archive = layer.finish()?;
        let digest = Sha256::digest(&archive);
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let found = api.get(&format!("/images/{}/json", self.name)).ok();
        let same = |found: &Value| found["Config"]["Labels"][DIGEST] == *digest;
        if found.as_ref().is_some_and(same) {
            return Ok(false);
        }
        let (name, tag) = self.name.split_once(':').unwrap_or((self.name, "latest"));
        let label = format!("LABEL%20windlass.test%3Dtrue%20{DIGEST}%3D{digest}");
        let path = format!("/images/create?fromSrc=-&repo={name}&tag={tag}&changes={label}");
        api.post_bytes(&path, "application/x-tar", &archive)
            .with_context(|| format!("cannot import the image `{}`", self.name))?;
        let Some(found) = found else { return Ok(true) };
        // A container may still be made of it.
        let _ = found["Id"].as_str().map(|id| api.delete(&format!("/images/{id}")));
        Ok(false)
    }
}
