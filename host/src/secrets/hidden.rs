//! What nobody may read in a log of this process: every value of a secret that it has seen.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use arc_swap::ArcSwap;

/// Shorter ones stand in other words too, and would tell more by being left out.
const SHORTEST: usize = 4;
/// How many are remembered. Looking for them takes time with every line.
const MOST: usize = 512;
const HIDDEN: &str = "***REDACTED***";

/// The latest first, each as it is and as JSON writes it.
static VALUES: LazyLock<ArcSwap<Vec<String>>> = LazyLock::new(ArcSwap::default);

/// Keeps a value out of every line from here on.
pub fn hide(value: &str) {
    let json = serde_json::to_string(value).unwrap_or_default();
    let written = json.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(value);
    for form in [value, written] {
        let known = |values: &Vec<String>| values.iter().any(|it| it == form);
        if form.len() < SHORTEST || known(&VALUES.load()) {
            continue;
        }
        VALUES.rcu(|values| {
            let earlier = values.iter().filter(|it| *it != form).take(MOST - 1);
            let values: Vec<_> = std::iter::once(form.to_owned()).chain(earlier.cloned()).collect();
            Arc::new(values)
        });
    }
}

/// The text without all that is hidden.
pub fn masked(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for value in VALUES.load().iter() {
        if text.contains(value.as_str()) {
            text = text.replace(value.as_str(), HIDDEN).into();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_in_no_text() {
        hide("canary \"of this\" test");
        hide("abc");
        assert_eq!(masked("a canary \"of this\" test b"), "a ***REDACTED*** b");
        assert_eq!(masked(r#"{"a":"canary \"of this\" test"}"#), r#"{"a":"***REDACTED***"}"#);
        assert_eq!(masked("abc"), "abc");
    }
}
