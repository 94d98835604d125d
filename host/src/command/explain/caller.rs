//! `windlass explain --as`: what a caller may do with a plugin's tools, and which line says so.

use anyhow::{Context as _, bail};
use serde::Serialize;

use crate::{
    access::Token,
    capability::tools::{Hints, Tool},
    config::AccessConfig,
    database::Database,
    policy::{Bound, Called, LOCAL, Verdict, judge, quota_of, quota_of_local},
    time::now,
};

/// What is said to a caller.
#[derive(Serialize)]
pub(super) struct Judged {
    pub(super) caller: String,
    roles: Vec<String>,
    quota: Vec<Most>,
    tools: Vec<Line>,
}

/// A bound, and the line that says it.
#[derive(Serialize)]
struct Most {
    of: &'static str,
    most: f64,
    by: String,
}

#[derive(Serialize)]
struct Line {
    tool: String,
    allowed: bool,
    /// The same through a client that cannot put a question to its user.
    allowed_unasked: bool,
    why: String,
}

/// The roles of a caller: of a token, of whoever started the host, or the role of that name. Before a host first ran there is no
/// database, and nobody has a token.
pub(super) async fn roles(
    access: &AccessConfig,
    database: Option<&Database>,
    name: &str,
) -> anyhow::Result<Vec<String>> {
    if name == LOCAL {
        return Ok(access.local.clone());
    }
    let tokens = match database {
        Some(database) => Token::all(database).await?,
        None => Vec::new(),
    };
    if let Some(token) = tokens.iter().find(|it| it.name == name && it.is_good(now())) {
        return Ok(token.roles.clone());
    }
    if access.role(name).is_some() {
        return Ok(vec![name.to_owned()]);
    }
    bail!("nobody is called `{name}`: there is no good token of that name, and no role")
}

impl Judged {
    /// `prefix` stands before the names that clients know.
    pub(super) fn new(
        access: &AccessConfig,
        (caller, roles): (&str, Vec<String>),
        (plugin, prefix): (&str, &str),
        tools: &[Tool],
        tool: Option<&str>,
    ) -> anyhow::Result<Self> {
        let offered: Vec<_> = tools.iter().map(|it| (format!("{prefix}{}", it.name), it)).collect();
        let wanted = |name: &str| tool.is_none_or(|tool| tool == name);
        let meant = offered.iter().filter(|(name, it)| wanted(name) || wanted(&it.name));
        let lines: Vec<_> =
            meant.map(|(name, it)| line(access, &roles, plugin, name, it.hints)).collect();
        if let Some(tool) = tool.filter(|_| lines.is_empty()) {
            let names: Vec<_> = offered.iter().map(|(name, _)| name.as_str()).collect();
            return Err(anyhow::anyhow!("it has {}", names.join(", ")))
                .with_context(|| format!("plugin `{plugin}` has no tool `{tool}`"));
        }
        let quota = if caller == LOCAL { quota_of_local(access) } else { quota_of(access, &roles) };
        let quota = quota.bounds().map(|(of, Bound { most, line })| Most {
            of: of.key(),
            most: *most,
            by: line.clone(),
        });
        Ok(Self { caller: caller.to_owned(), roles, quota: quota.collect(), tools: lines })
    }

    /// Whether all that was asked about is allowed.
    pub(super) fn is_allowed(&self) -> bool {
        self.tools.iter().all(|it| it.allowed)
    }

    pub(super) fn text(&self) -> String {
        let roles = if self.roles.is_empty() { "none".to_owned() } else { self.roles.join(", ") };
        let mut text = format!("{}, with the roles {roles}\n", self.caller);
        for Most { of, most, by } in &self.quota {
            text += &format!("  at most {most} {of}, by `{by}`\n");
        }
        for Line { tool, allowed, allowed_unasked, why } in &self.tools {
            let word = match (allowed, allowed_unasked) {
                (true, true) => "yes",
                (true, false) => "asked",
                (false, _) => "no",
            };
            text += &format!("  {word:6} {tool}: {why}\n");
        }
        if self.tools.iter().any(|it| it.allowed && !it.allowed_unasked) {
            text += "asked: only through a client that can put the question to its user\n";
        }
        text
    }
}

fn line(access: &AccessConfig, roles: &[String], plugin: &str, name: &str, hints: Hints) -> Line {
    // Of arguments nothing is known: what rules say of them is taken as it would be best.
    let none = serde_json::Map::new();
    let say = |arguments, can_ask| {
        judge(access, roles, &Called { name, plugin, hints, arguments, can_ask })
    };
    let shown = say(None, true);
    let unasked = shown.is_allowed()
        && (!hints.contains(Hints::DESTRUCTIVE) || say(Some(&none), false).is_allowed());
    let why = match &shown {
        Verdict::Allowed { by, .. } => format!("by {by}"),
        Verdict::Refused(why) => why.clone(),
    };
    Line { tool: name.to_owned(), allowed: shown.is_allowed(), allowed_unasked: unasked, why }
}
