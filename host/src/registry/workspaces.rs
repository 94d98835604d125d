//! Workspaces as resources: `workspace://<id>/<path>`.
//!
//! A client reads what any plugin left there; what it may change, it changes through tools.

use std::sync::Arc;

use super::Registry;
use crate::{
    capability::{
        bindings::windlass::plugin::workspaces::{Kind, Stat},
        resources::Template,
        types::{Body, Code, Error, Link, ResourceContents},
    },
    error::{Failure, Result, limit},
    policy::{Policy, caller_of, plugin_of},
};

/// No plugin has resources under it.
pub(super) const SCHEME: &str = "workspace";
/// How many links are listed of all workspaces together.
const MOST_LISTED: usize = 1000;
/// How many paths the listing of a directory has.
const MOST_ENTRIES: u32 = 1000;
/// What a client takes at once. A tool reads the rest in ranges.
const LARGEST: u64 = 4 << 20;

/// What the endings of names say. The rest is text where it is UTF-8.
const MIME_TYPES: &[(&str, &str)] = &[
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("html", "text/html"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("js", "text/javascript"),
    ("ts", "text/typescript"),
    ("py", "text/x-python"),
    ("rs", "text/x-rust"),
    ("sh", "application/x-sh"),
    ("json", "application/json"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("toml", "application/toml"),
    ("xml", "application/xml"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("tar", "application/x-tar"),
    ("gz", "application/gzip"),
];

impl Registry {
    /// The families of workspaces' resources, where some plugin has workspaces.
    pub fn workspace_templates(&self) -> Vec<Template> {
        if !self.has_workspaces() {
            return Vec::new();
        }
        vec![Template {
            uri: format!("{SCHEME}://{{id}}/{{+path}}"),
            name: "workspace".to_owned(),
            description: Some(
                "A file of a workspace, or what is in a directory of it, as JSON.".to_owned(),
            ),
            mime_type: None,
        }]
    }

    /// Every workspace, and what lies at its top.
    pub async fn workspace_links(&self, caller: &Arc<str>) -> Result<Vec<Link>, Error> {
        let mut links = Vec::new();
        if !self.has_workspaces() {
            return Ok(links);
        }
        let all = self.disk().workspaces().await.map_err(answer)?;
        for (id, owner) in all.into_iter().filter(|(_, owner)| caller_of(owner) == &**caller) {
            let left = MOST_LISTED.saturating_sub(links.len());
            if left == 0 {
                break;
            }
            links.push(Link {
                uri: uri(&id, ""),
                name: id.clone(),
                description: Some(format!("A workspace of plugin `{}`.", plugin_of(&owner))),
                mime_type: Some("application/json".to_owned()),
                size: None,
            });
            let most = u32::try_from(left - 1).unwrap_or_default();
            // One that is being destroyed is not there any more.
            if most > 0
                && let Ok(entries) = self.directory(&id, String::new(), most, caller).await
            {
                let files = entries.into_iter().filter(|entry| entry.kind == Kind::File);
                links.extend(files.map(|entry| link(&id, entry)));
            }
        }
        Ok(links)
    }

    /// What a URI holds. None: it is none of a workspace's.
    pub async fn read_workspace(
        &self,
        uri: &str,
        caller: &Arc<str>,
    ) -> Option<Result<ResourceContents, Error>> {
        let rest = uri.strip_prefix(SCHEME)?.strip_prefix("://")?;
        if !self.has_workspaces() {
            return None;
        }
        let (id, path) = rest.split_once('/').unwrap_or((rest, ""));
        let read = match decode(path) {
            Some(path) => self.contents(uri, id, path, caller).await,
            None => Err(Failure::Answer(Error::invalid("the URI's path is no UTF-8"))),
        };
        Some(read.map_err(answer))
    }

    async fn contents(
        &self,
        uri: &str,
        id: &str,
        path: String,
        caller: &Arc<str>,
    ) -> Result<ResourceContents> {
        let policy = Policy::of_clients(caller);
        self.disk().open(&policy.approve_opening_workspace(id.to_owned())?).await?;
        let stat = self.disk().stat(policy.approve_stat(id, path.clone())?).await?;
        if stat.kind == Kind::Directory {
            let entries = self.directory(id, path, MOST_ENTRIES, caller).await?;
            return Ok(listing(uri, id, &entries));
        }
        if stat.size > LARGEST {
            return Err(limit(format!(
                "`{path}` has {} bytes, more than the {LARGEST} of a resource; read it with a tool, in ranges",
                stat.size
            )));
        }
        let most = u32::try_from(LARGEST).ok();
        let part = self.disk().read(policy.approve_read(id, path.clone(), 0, most)?).await?;
        let mime_type = mime_type(&path).map(str::to_owned);
        Ok(match String::from_utf8(part.data) {
            Ok(text) => ResourceContents {
                uri: uri.to_owned(),
                mime_type: Some(mime_type.unwrap_or_else(|| "text/plain".to_owned())),
                body: Body::Text(text),
            },
            Err(error) => ResourceContents {
                uri: uri.to_owned(),
                mime_type: Some(mime_type.unwrap_or_else(|| "application/octet-stream".to_owned())),
                body: Body::Bytes(error.into_bytes()),
            },
        })
    }

    async fn directory(
        &self,
        id: &str,
        path: String,
        most: u32,
        caller: &Arc<str>,
    ) -> Result<Vec<Stat>> {
        let policy = Policy::of_clients(caller);
        let paths = policy.approve_list(id, path, false, String::new(), most)?;
        Ok(self.disk().list(paths).await?.entries)
    }

    fn has_workspaces(&self) -> bool {
        let catalog = self.catalog();
        catalog.plugins.values().any(|plugin| plugin.settings.grants.workspaces.is_some())
    }
}

fn link(id: &str, entry: Stat) -> Link {
    Link {
        uri: uri(id, &entry.path),
        mime_type: mime_type(&entry.path).map(str::to_owned),
        name: entry.path,
        description: None,
        size: Some(entry.size),
    }
}

fn listing(uri_of_it: &str, id: &str, entries: &[Stat]) -> ResourceContents {
    let entry = |entry: &Stat| {
        serde_json::json!({
            "uri": uri(id, &entry.path),
            "path": entry.path,
            "kind": match entry.kind {
                Kind::File => "file",
                Kind::Directory => "directory",
                Kind::Link => "link",
                Kind::Other => "other",
            },
            "size": entry.size,
            "modified": entry.modified,
            "etag": entry.etag,
        })
    };
    let entries: Vec<_> = entries.iter().map(entry).collect();
    ResourceContents {
        uri: uri_of_it.to_owned(),
        mime_type: Some("application/json".to_owned()),
        body: Body::Text(serde_json::json!({"entries": entries}).to_string()),
    }
}

fn answer(failure: Failure) -> Error {
    match failure {
        Failure::Answer(error) => error,
        Failure::Trap(trap) => Error::new(Code::Other, format!("{trap:#}")),
    }
}

fn mime_type(path: &str) -> Option<&'static str> {
    let (_, ending) = path.rsplit_once('.')?;
    let known = MIME_TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending));
    known.map(|(_, mime_type)| *mime_type)
}

fn uri(id: &str, path: &str) -> String {
    let mut uri = format!("{SCHEME}://{id}/");
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into());
            }
            byte => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}

/// A path without its percent signs, where it is text then.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_comes_back_from_its_uri() {
        for path in ["", "a/b.txt", "größe", "a b%c?d#e", "%2e%2e"] {
            let uri = uri("w", path);
            assert_eq!(decode(uri.strip_prefix("workspace://w/").unwrap()).as_deref(), Some(path));
        }
        assert_eq!(decode("%"), None);
        assert_eq!(decode("%fg"), None);
        assert_eq!(decode("%ff"), None);
    }
}
