//! What a plugin asks for and is not granted, with the lines that would grant it.

use serde::Serialize;
use toml::{Table, Value};

use super::{
    containers,
    lines::{grant_lines, line, lines, table},
    within,
};
use crate::{
    capability::bindings::windlass::plugin::http::Method,
    config::{self, ContainersGrant, Grants, HttpGrant, WorkspacesGrant},
    plugin::{Imports, Missing},
    policy::Policy,
    registry,
};

/// What a plugin says that it needs.
#[derive(Default)]
pub(in crate::command) struct Asked {
    pub(super) grants: Grants,
    /// The same as it was written: what is not there is left to the operator.
    stated: Table,
}

#[derive(Serialize)]
pub(super) struct Refusal {
    what: String,
    line: String,
    /// Whether the plugin does not load without it.
    needed_to_load: bool,
}

impl Asked {
    pub(in crate::command) fn read(text: &str) -> anyhow::Result<Self> {
        let grants: Grants = config::from_text(text, "asks")?;
        let mut stated = table(&grants)?;
        let written: Table = config::from_text(text, "asks")?;
        stated.extend(
            written.into_iter().filter(|(key, _)| matches!(key.as_str(), "containers" | "engine")),
        );
        Ok(Self { grants, stated })
    }

    pub(in crate::command) fn lines(&self) -> Vec<String> {
        lines(&self.stated)
    }

    fn containers(
        &self,
        written: &ContainersGrant,
        policy: &Policy,
    ) -> anyhow::Result<Vec<containers::Lack>> {
        let (Some(asked), Some(Value::Table(stated))) =
            (&self.grants.containers, self.stated.get("containers"))
        else {
            return Ok(Vec::new());
        };
        containers::lacks(stated, asked, written, policy)
    }
}

impl Refusal {
    pub(super) fn text(&self) -> String {
        let cost = if self.needed_to_load { "; without it the plugin does not load" } else { "" };
        format!("{}{cost}\n  allowed by: {}", self.what, self.line)
    }
}

/// What is asked for and not granted, and the grants with all of it.
pub(super) fn refusals(
    imports: &Imports,
    asked: &Asked,
    written: &Grants,
    granted: &Grants,
) -> anyhow::Result<(Vec<Refusal>, Table)> {
    let missing = imports.missing(granted);
    let policy = Policy::new("", granted.clone()).map_err(anyhow::Error::msg)?;
    let mut comparison = Comparison {
        asked,
        written,
        policy,
        missing,
        merged: table(written)?,
        refused: Vec::new(),
    };
    comparison.keys()?;
    comparison.requests()?;
    comparison.imports()?;
    Ok((comparison.refused, comparison.merged))
}

/// What is asked, what was written, and what comes of it.
struct Comparison<'a> {
    asked: &'a Asked,
    written: &'a Grants,
    policy: Policy,
    /// What is imported and not granted.
    missing: Vec<Missing>,
    merged: Table,
    refused: Vec<Refusal>,
}

impl Comparison<'_> {
    fn refuse(&mut self, key: &str, what: String, line: String) {
        let needed_to_load = self.missing.iter().any(|it| it.key() == key);
        self.refused.push(Refusal { what, line, needed_to_load });
    }

    fn keys(&mut self) -> anyhow::Result<()> {
        for (key, value) in self.asked.stated.iter().filter(|(key, _)| *key != "http") {
            // Who may open everybody's workspaces may open its own.
            let shared = self.written.workspaces == Some(WorkspacesGrant::Shared);
            if key == "containers" && self.written.containers.is_some() {
                self.containers()?;
            } else if key == "engine" && self.written.engine.is_some() {
                self.engine(value);
            } else if key == "files" && self.written.files.is_some() {
                if let Some((what, enough)) = within::more(key, value, self.merged.get(key)) {
                    self.refuse(key, what, line(key, &enough));
                    self.merged.insert(key.clone(), enough);
                }
            } else if !(key == "workspaces" && shared) && self.merged.get(key) != Some(value) {
                let line = lines(&Table::from_iter([(key.clone(), value.clone())])).join("\n");
                self.refuse(key, format!("`{key}`"), line);
                self.merged.insert(key.clone(), value.clone());
            }
        }
        Ok(())
    }

    fn containers(&mut self) -> anyhow::Result<()> {
        let Some(written) = &self.written.containers else { return Ok(()) };
        for lack in self.asked.containers(written, &self.policy)? {
            let line = line(&format!("containers.{}", lack.key), &lack.value);
            self.refuse("containers", lack.what, line);
            if let Some(Value::Table(table)) = self.merged.get_mut("containers") {
                table.insert(lack.key.to_owned(), lack.value);
            }
        }
        Ok(())
    }

    fn engine(&mut self, stated: &Value) {
        let (Value::Table(stated), Some(Value::Table(granted))) =
            (stated, self.merged.get("engine").cloned())
        else {
            return;
        };
        for beyond in within::beyond(stated, &granted) {
            let line = line(&format!("engine.{}", beyond.key), &beyond.value);
            self.refuse("engine", beyond.what, line);
            if let Some(Value::Table(table)) = self.merged.get_mut("engine") {
                table.insert(beyond.key, beyond.value);
            }
        }
    }

    fn requests(&mut self) -> anyhow::Result<()> {
        let mut http = self.written.http.clone();
        for grant in &self.asked.grants.http {
            if self.written.http.contains(grant) || is_granted(&self.policy, grant) {
                continue;
            }
            http.push(grant.clone());
            let line = grant_lines(&Grants { http: http.clone(), ..Grants::default() })?.join("\n");
            let what = format!("requests to `{}`{}", grant.to, conditions(grant));
            self.refuse("http", what, line);
        }
        self.merged.extend(table(&Grants { http, ..Grants::default() })?);
        Ok(())
    }

    fn imports(&mut self) -> anyhow::Result<()> {
        for missing in std::mem::take(&mut self.missing) {
            if self.merged.contains_key(missing.key()) {
                continue;
            }
            let what = format!("`{}`, which it imports and does not ask for", missing.interface);
            let line = missing.grant.to_owned();
            self.refused.push(Refusal { what, line, needed_to_load: true });
            self.merged.extend(missing.grant.parse::<Table>()?);
        }
        Ok(())
    }
}

/// Whether requests to that place, with those secrets, would be let through.
fn is_granted(policy: &Policy, asked: &HttpGrant) -> bool {
    // A wildcard is granted where some name that nobody would list is, at a port nobody would.
    let place = registry::place(&asked.to).unwrap_or_else(|_| asked.to.clone());
    let url = place.replace("://*", "://any-name-at-all").replace(":*", ":61234");
    let secrets: Vec<_> = asked.secrets.iter().map(String::as_str).collect();
    let approved = policy.approve_request(Method::Get, &url, &secrets);
    approved.is_ok_and(|approved| !asked.private || approved.request().private)
}

fn conditions(grant: &HttpGrant) -> String {
    let private = if grant.private { ", private addresses too" } else { "" };
    let secrets = grant.secrets.join("`, `");
    let secrets = if secrets.is_empty() { secrets } else { format!(", with `{secrets}`") };
    format!("{private}{secrets}")
}
