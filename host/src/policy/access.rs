//! Who may call what. One pure function, [`judge`], says it: for the list of tools, for each call, and for `windlass explain`.

use serde_json::{Map, Value};

use super::images::matches;
use crate::{
    capability::tools::Hints,
    config::{AccessConfig, Rule},
};

/// A tool, as much of it as rules speak of.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    pub name: &'a str,
    pub plugin: &'a str,
    pub hints: Hints,
    /// None: whether any call of it would be allowed.
    pub arguments: Option<&'a Map<String, Value>>,
    /// Whether the client can put a question to the user.
    pub can_ask: bool,
}

/// What is said to a call, and which line says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed {
        by: String,
        /// Whether the user has to agree before anything is changed.
        asks: bool,
    },
    Refused(String),
}

impl Verdict {
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }
}

/// What callers with these roles may do. A line that denies counts before all that allow.
pub fn judge(access: &AccessConfig, roles: &[String], called: &Called<'_>) -> Verdict {
    let known = || roles.iter().filter_map(|name| Some((name, access.role(name)?)));
    for (name, role) in known() {
        if role.deny.iter().any(|rule| denies(rule, called)) {
            return refused(called, &format!("`access.roles.{name}.deny` names it"));
        }
    }
    if access.auto_approve.iter().any(|it| matches(it, called.name)) {
        return Verdict::Allowed { by: "`access.auto_approve`".to_owned(), asks: false };
    }
    let destroys = called.hints.contains(Hints::DESTRUCTIVE) && called.arguments.is_some();
    let mut asking = None;
    for (name, role) in known().filter(|(_, role)| role.allow.iter().any(|it| allows(it, called))) {
        if !destroys || role.unasked {
            return Verdict::Allowed { by: format!("`access.roles.{name}.allow`"), asks: false };
        }
        asking.get_or_insert(name);
    }
    if let Some(name) = asking {
        if called.can_ask {
            return Verdict::Allowed { by: format!("`access.roles.{name}.allow`"), asks: true };
        }
        return refused(
            called,
            &format!(
                "it may destroy what cannot be had back, and this client cannot ask the user; `access.roles.{name}.unasked = true` would allow it"
            ),
        );
    }
    let names: Vec<_> = roles.iter().map(|name| format!("`access.roles.{name}.allow`")).collect();
    if names.is_empty() {
        return refused(called, "the caller has no role");
    }
    refused(called, &format!("it is not in {}", names.join(", ")))
}

fn refused(called: &Called<'_>, why: &str) -> Verdict {
    Verdict::Refused(format!("not allowed: `{}`: {why}", called.name))
}

fn fits_tool(rule: &Rule, called: &Called<'_>) -> bool {
    let one_of = |patterns: &[String], text: &str| {
        patterns.is_empty() || patterns.iter().any(|it| matches(it, text))
    };
    let has = |hint: Hints, wanted: Option<bool>| {
        wanted.is_none_or(|wanted| called.hints.contains(hint) == wanted)
    };
    one_of(&rule.tools, called.name)
        && one_of(&rule.plugins, called.plugin)
        && has(Hints::READ_ONLY, rule.read_only)
        && has(Hints::DESTRUCTIVE, rule.destructive)
}

/// Every part of an argument has to fit; one that is not given fits nothing.
fn allows(rule: &Rule, called: &Called<'_>) -> bool {
    let fits = |arguments: &Map<String, Value>| {
        rule.arguments.iter().all(|(name, pattern)| {
            let texts = arguments.get(name).map(texts).unwrap_or_default();
            !texts.is_empty() && texts.iter().all(|text| matches(pattern, text))
        })
    };
    fits_tool(rule, called) && called.arguments.is_none_or(fits)
}

/// One part of each named argument is enough. Of calls that nobody makes yet nothing is known.
fn denies(rule: &Rule, called: &Called<'_>) -> bool {
    let fits = |arguments: &Map<String, Value>| {
        rule.arguments.iter().all(|(name, pattern)| {
            let texts = arguments.get(name).map(texts).unwrap_or_default();
            texts.iter().any(|text| matches(pattern, text))
        })
    };
    fits_tool(rule, called) && called.arguments.map_or(rule.arguments.is_empty(), fits)
}

/// An argument as texts: of a list each of its items, of an object each of its values.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        other => vec![other.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const ACCESS: &str = "
        auto_approve = ['health']
        [roles.reader]
        allow = [{ read_only = true }]
        deny = ['secret_*']
        [roles.builder]
        allow = [{ plugins = ['docker'], destructive = false }, 'git_*']
        deny = [{ tools = ['create-container'], arguments = { privileged = 'true' } }]
        [roles.web]
        allow = [{ tools = ['remove-container', 'start-container'], arguments = { container_name = 'web-*' } }]
    ";

    /// What is said to callers of these roles, of tool, plugin and hints, with arguments as JSON or `-` for none.
    #[track_caller]
    fn check(
        roles: &[&str],
        tool: (&str, &str, Hints),
        arguments: &str,
        can_ask: bool,
        expected: &str,
    ) {
        let access: AccessConfig = parse(ACCESS).unwrap();
        let roles: Vec<_> = roles.iter().map(|it| (*it).to_owned()).collect();
        let arguments = (arguments != "-").then(|| serde_json::from_str(arguments).unwrap());
        let (name, plugin, hints) = tool;
        let called = Called { name, plugin, hints, arguments: arguments.as_ref(), can_ask };
        let told = match judge(&access, &roles, &called) {
            Verdict::Allowed { by, asks } => {
                format!("by {by}{}", if asks { ", asking" } else { "" })
            }
            Verdict::Refused(why) => why,
        };
        assert!(told.contains(expected), "{told}");
    }

    const READ: Hints = Hints::READ_ONLY;
    const WRITE: Hints = Hints::IDEMPOTENT;
    const DESTROY: Hints = Hints::DESTRUCTIVE;

    #[test]
    fn roles_say_who_may_call_what() {
        let logs = ("get-logs", "docker", READ);
        let create = ("create-container", "docker", WRITE);
        let remove = ("remove-container", "docker", DESTROY);
        check(&["admin"], create, "{}", false, "by `access.roles.admin.allow`");
        check(&["admin"], remove, "{}", false, "by `access.roles.admin.allow`");
        check(&["user"], logs, "{}", false, "by `access.roles.user.allow`");
        check(&["user"], create, "{}", false, "not in `access.roles.user.allow`");
        check(&["reader"], logs, "{}", false, "by `access.roles.reader.allow`");
        check(&["reader"], create, "{}", false, "not in `access.roles.reader.allow`");
        check(&["builder"], create, "{}", false, "by `access.roles.builder.allow`");
        check(&["builder"], remove, "{}", true, "not in `access.roles.builder.allow`");
        check(&["builder"], ("git_log", "git", READ), "{}", false, "by `access.roles.builder");
        check(&["reader", "builder"], create, "{}", false, "by `access.roles.builder.allow`");
        check(&[], logs, "{}", false, "the caller has no role");
        check(&["nobody"], logs, "{}", false, "not in `access.roles.nobody.allow`");
        check(&[], ("health", "devbench", READ), "{}", false, "by `access.auto_approve`");
    }

    #[test]
    fn what_is_denied_is_refused_whatever_allows_it() {
        let secret = ("secret_read", "x", READ);
        check(&["admin", "reader"], secret, "{}", false, "`access.roles.reader.deny` names it");
        let create = ("create-container", "docker", WRITE);
        check(&["builder"], create, r#"{"privileged": true}"#, false, "deny` names it");
        check(&["builder"], create, r#"{"privileged": false}"#, false, "by `access");
        check(&["builder", "admin"], create, r#"{"privileged": true}"#, false, "deny` names it");
        check(&["builder"], create, "-", false, "by `access");
    }

    #[test]
    fn arguments_are_held_to_their_patterns() {
        let start = ("start-container", "docker", WRITE);
        check(&["web"], start, r#"{"container_name": "web-1"}"#, false, "by `access.roles.web");
        check(&["web"], start, r#"{"container_name": "db"}"#, false, "not in `access.roles.web");
        check(&["web"], start, "{}", false, "not in `access.roles.web");
        check(&["web"], start, r#"{"container_name": ["web-1", "db"]}"#, false, "not in");
        check(&["web"], start, "-", false, "by `access.roles.web");
    }

    #[test]
    fn what_destroys_needs_a_user_or_a_word_of_the_operator_s() {
        let remove = ("remove-container", "docker", DESTROY);
        let web = r#"{"container_name": "web-1"}"#;
        check(&["web"], remove, web, true, "by `access.roles.web.allow`, asking");
        check(&["web"], remove, web, false, "`access.roles.web.unasked = true` would allow it");
        check(&["web", "admin"], remove, web, false, "by `access.roles.admin");
        check(&["web"], remove, "-", false, "by `access.roles.web");
    }
}
