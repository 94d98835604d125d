//! `fs_stat` and `fs_list`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Hints, Result, Tool};

use crate::{WRAPPED, counters, entry::Entry, error::About, place};

const LOOKS: Hints = Hints::READ_ONLY.union(Hints::IDEMPOTENT);
/// The most that the host lists at once.
const LARGEST_PAGE: u32 = 1000;

/// Shows what is known of a file or directory of a container.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct FsStat {
    /// The container's id or alias.
    container_id: String,
    /// Below `/workspace`, or relative to it.
    path: String,
}

/// Lists a directory of a container, in order of paths.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct FsList {
    /// The container's id or alias.
    container_id: String,
    #[serde(default = "root")]
    path: String,
    /// Lists what is in the directories below it too.
    #[serde(default)]
    recursive: bool,
    /// The `next` of the page before.
    #[serde(default)]
    after: String,
    #[serde(default = "largest_page")]
    #[schemars(range(min = 1, max = LARGEST_PAGE))]
    limit: u32,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Listed {
    path: String,
    entries: Vec<Entry>,
    /// There are more: pass this as `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Tool for FsStat {
    const NAME: &'static str = "fs_stat";
    const TITLE: Option<&'static str> = Some("Look at a file");
    const HINTS: Hints = LOOKS;
    const WRAPPED_UNDER: Option<&'static str> = WRAPPED;
    type Output = Entry;

    fn run(self, _: &Call) -> Result<Entry> {
        let workspace = place::workspace(&self.container_id)?;
        let stat = workspace.stat(&self.path).map_err(|error| About::File.of(error))?;
        counters::filed("stat");
        Ok(stat.into())
    }
}

impl Tool for FsList {
    const NAME: &'static str = "fs_list";
    const TITLE: Option<&'static str> = Some("List a directory");
    const HINTS: Hints = LOOKS;
    const WRAPPED_UNDER: Option<&'static str> = WRAPPED;
    type Output = Listed;

    fn run(self, _: &Call) -> Result<Listed> {
        let workspace = place::workspace(&self.container_id)?;
        let limit = self.limit.clamp(1, LARGEST_PAGE);
        let page = workspace
            .list(&self.path, self.recursive, &self.after, limit)
            .map_err(|error| About::File.of(error))?;
        counters::filed("list");
        let entries = page.entries.into_iter().map(Entry::from).collect();
        Ok(Listed { path: self.path, entries, next: page.next })
    }
}

fn root() -> String {
    "/workspace".to_owned()
}

fn largest_page() -> u32 {
    LARGEST_PAGE
}
