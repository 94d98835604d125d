//! `fs_stat` and `fs_list`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Hints, Result, Tool,
    workspaces::{Page, Stat},
};

use crate::{WRAPPED, counters, entry::Entry, error::About, place};

const LOOKS: Hints = Hints::READ_ONLY.union(Hints::IDEMPOTENT);
/// The most that the host lists at once.
const LARGEST_PAGE: u32 = 1000;
/// As many bytes of paths as an answer holds, however they are escaped.
const LONGEST_PATHS: usize = 512 << 10;

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
        let page = fitting(page);
        let entries = page.entries.into_iter().map(Entry::from).collect();
        Ok(Listed { path: self.path, entries, next: page.next })
    }
}

/// As much of the page as an answer holds. The rest is the next page.
fn fitting(mut page: Page) -> Page {
    let mut total = 0;
    let mut fits = |stat: &Stat| {
        total += stat.path.len();
        total <= LONGEST_PATHS
    };
    let kept = page.entries.iter().take_while(|&stat| fits(stat)).count().max(1);
    if kept < page.entries.len() {
        page.entries.truncate(kept);
        page.next = page.entries.last().map(|stat| stat.path.clone());
    }
    page
}

fn root() -> String {
    "/workspace".to_owned()
}

fn largest_page() -> u32 {
    LARGEST_PAGE
}

#[cfg(test)]
mod tests {
    use windlass_sdk::workspaces::Kind;

    use super::*;

    fn page(count: usize, length: usize, next: Option<&str>) -> Page {
        let stat = |at: usize| Stat {
            path: format!("{at:0length$}"),
            kind: Kind::File,
            size: 0,
            mode: 0o644,
            modified: 0,
            etag: None,
        };
        Page { entries: (0..count).map(stat).collect(), next: next.map(str::to_owned) }
    }

    #[test]
    fn a_page_of_long_paths_is_cut() {
        let whole = fitting(page(1000, 100, Some("n")));
        assert_eq!((whole.entries.len(), whole.next.as_deref()), (1000, Some("n")));
        let cut = fitting(page(1000, 4096, None));
        assert_eq!(cut.entries.len(), 128);
        assert_eq!(cut.next.unwrap(), cut.entries.last().unwrap().path);
        assert!(fitting(page(0, 1, None)).entries.is_empty());
    }
}
