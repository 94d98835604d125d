//! The images of the tests: what each holds, and how it comes to an engine. Nothing is pulled.

mod layer;
mod busybox;
mod git;
mod openhands;

use anyhow::{Context as _, Result};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::IMAGE;
use crate::{
    api::Api,
    kept::{APP, OPENCODE, SERVER},
    report::Absent,
};
use layer::Layer;

/// What is in an image: another digest is another image of the same name.
const DIGEST: &str = "windlass.test.digest";

/// One image of the tests.
struct Image {
    name: &'static str,
    lay: fn(&mut Layer) -> Result<()>,
}

const IMAGES: [Image; 3] = [
    Image { name: IMAGE, lay: busybox::lay },
    Image { name: git::NAME, lay: git::lay },
    Image { name: openhands::NAME, lay: openhands::lay },
];

/// Makes what is not there or differs; gives the names of what was not there. What this machine has no parts for is left
/// out, and its tests are skipped; all need the first one.
pub(super) fn make(api: &Api) -> Result<Vec<String>> {
    // A test makes these when it needs them: they are large.
    let large = [SERVER.image(), APP.image(), OPENCODE.image()].into_iter();
    let mut made: Vec<_> = large.filter(|name| find(api, name).is_none()).collect();
    for image in IMAGES {
        match image.make(api) {
            Ok(true) => made.push(image.name.to_owned()),
            Ok(false) => {}
            Err(error) if image.name != IMAGE && error.is::<Absent>() => {
                eprintln!("SKIPPED image `{}`: {error:#}", image.name);
            }
            Err(error) => return Err(error),
        }
    }
    remove_replaced(api);
    Ok(made)
}

pub(super) fn remove(api: &Api, names: &[String]) {
    for name in names {
        // Somebody may have removed it.
        let _ = api.delete(&format!("/images/{name}?force=1"));
    }
    remove_replaced(api);
}

/// Removes those of ours whose name another one has got.
fn remove_replaced(api: &Api) {
    // `{"dangling":["true"],"label":["windlass.test=true"]}`
    let filters =
        "%7B%22dangling%22%3A%5B%22true%22%5D%2C%22label%22%3A%5B%22windlass.test%3Dtrue%22%5D%7D";
    let found = api.get(&format!("/images/json?filters={filters}")).unwrap_or_default();
    for id in found.as_array().into_iter().flatten().filter_map(|it| it["Id"].as_str()) {
        // A container may still be made of it; the next run finds it again.
        let _ = api.delete(&format!("/images/{id}"));
    }
}

fn find(api: &Api, name: &str) -> Option<Value> {
    api.get(&format!("/images/{name}/json")).ok()
}

impl Image {
    /// Says whether there was none of this name.
    fn make(&self, api: &Api) -> Result<bool> {
        let mut layer = Layer::default();
        (self.lay)(&mut layer)?;
        let archive = layer.finish()?;
        let digest = Sha256::digest(&archive);
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let found = find(api, self.name);
        let same = |found: &Value| found["Config"]["Labels"][DIGEST] == *digest;
        if found.as_ref().is_some_and(same) {
            return Ok(false);
        }
        // Podman takes no two in one.
        let labels = ["LABEL windlass.test=true", &format!("LABEL {DIGEST}={digest}")];
        api.import(self.name, archive.as_slice(), archive.len() as u64, &labels)
            .with_context(|| format!("cannot import the image `{}`", self.name))?;
        Ok(found.is_none())
    }
}
