//! Which plugins the program under test has inside.

use std::{collections::BTreeMap, env, sync::Mutex};

use super::{Setup, engine::skip};

/// A plugin that was bundled. None: the program was built without any, and the test cannot run.
pub(crate) fn inside(plugin: &'static str) -> Option<()> {
    /// Asked once for each: the answer takes a start.
    static KNOWN: Mutex<BTreeMap<&str, bool>> = Mutex::new(BTreeMap::new());
    let is_inside = *KNOWN.lock().unwrap().entry(plugin).or_insert_with(|| {
        let ended = Setup::new().arguments(&["--plugins", plugin]).ended(&["serve"]);
        !ended.stderr.contains(&format!("no bundled plugin is called `{plugin}`"))
    });
    if is_inside {
        return Some(());
    }
    assert!(env::var_os("WINDLASS_BUNDLE").is_none(), "`{plugin}` should be inside");
    skip(&format!("the program has no plugin `{plugin}` inside: `cargo xtask build` builds one"))
}
