//! Images that take too long to make for each run: what they are called, and where they wait until a test needs them.
//!
//! The tests include this file as it is.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// Where caches lie, and where they do if nobody says.
const CACHES: &str = "XDG_CACHE_HOME";
const USUAL_CACHES: &str = ".cache";

pub(crate) struct Kept {
    /// Of its image, without the tag.
    name: &'static str,
    pub(crate) version: &'static str,
    /// What changes an image that is built changes this as well.
    recipe: u32,
}

/// OpenHands as it is: a server for conversations.
pub(crate) const SERVER: Kept =
    Kept { name: "windlass-test/openhands-agent-server", version: "1.58.0", recipe: 1 };

/// OpenHands in the form of 2025: a program that does one task and ends.
pub(crate) const APP: Kept =
    Kept { name: "windlass-test/openhands-app", version: "0.45.0", recipe: 1 };

/// Small enough to be built by every run that finds none. Whoever changes how it is built has another image.
pub(crate) const OPENCODE: Kept = Kept {
    name: "windlass-test/opencode",
    version: "1.18.34",
    recipe: digest(include_bytes!("opencode.rs")),
};

impl Kept {
    /// The image's name, with its tag.
    pub(crate) fn image(&self) -> String {
        format!("{}:{}-{:x}", self.name, self.version, self.recipe)
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

/// FNV-1a: tells one recipe from the next, and guards nothing.
const fn digest(recipe: &[u8]) -> u32 {
    let mut digest: u32 = 0x811c_9dc5;
    let mut rest = recipe;
    while let [byte, after @ ..] = rest {
        digest = (digest ^ *byte as u32).wrapping_mul(0x0100_0193);
        rest = after;
    }
    digest
}
