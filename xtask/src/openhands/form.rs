//! The two forms in which the real OpenHands runs: what its image is called, and where it waits until a test needs it.
//!
//! The tests include this file as it is.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// What changes an image that is built changes this as well.
const RECIPE: u32 = 1;

/// Where caches lie, and where they do if nobody says.
const CACHES: &str = "XDG_CACHE_HOME";
const USUAL_CACHES: &str = ".cache";

pub(crate) struct Form {
    /// Of its image, without the tag.
    name: &'static str,
    pub(crate) version: &'static str,
}

/// The current one: a server for conversations.
pub(crate) const SERVER: Form =
    Form { name: "windlass-test/openhands-agent-server", version: "1.58.0" };

/// The one of 2025: a program that does one task and ends.
pub(crate) const APP: Form = Form { name: "windlass-test/openhands-app", version: "0.45.0" };

impl Form {
    /// The image's name, with its tag.
    pub(crate) fn image(&self) -> String {
        format!("{}:{}-{RECIPE}", self.name, self.version)
    }

    /// Where its files wait as an archive.
    pub(crate) fn archive(&self) -> Result<PathBuf> {
        let image = self.image();
        let name = image.rsplit('/').next().unwrap_or(&image);
        Ok(cache()?.join(format!("{}.tar", name.replace(':', "-"))))
    }
}

/// Outlives every checkout: what is there took minutes.
pub(crate) fn cache() -> Result<PathBuf> {
    let named = env::var_os(CACHES).map(PathBuf::from).filter(|path| path.is_absolute());
    let usual = || env::var_os("HOME").map(|home| Path::new(&home).join(USUAL_CACHES));
    let caches = named.or_else(usual).context("neither `XDG_CACHE_HOME` nor `HOME` is set")?;
    Ok(caches.join("windlass/test-images"))
}
