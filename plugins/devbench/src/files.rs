//! Files of containers as resources: `workspace://<id>/<path>`.

use windlass_sdk::{
    Error, Resources, containers,
    resource::Template,
    types::{Link, ResourceContents},
    workspaces::{self, Kind, Workspace},
};

use crate::{
    entry::Entry,
    error::{self, About},
    mime, read,
};

const SCHEME: &str = "workspace";
/// How much of a directory a resource shows.
const MOST_ENTRIES: u32 = 1000;

pub(crate) struct Files;

impl Resources for Files {
    const SCHEMES: &'static [&'static str] = &[SCHEME];

    fn templates() -> Vec<Template> {
        let description = "A file of a workspace, or a directory as a JSON list. `spawn` and `attach` answer the id.";
        vec![Template {
            uri: format!("{SCHEME}://{{id}}/{{path}}"),
            name: "file".to_owned(),
            description: Some(description.to_owned()),
            mime_type: None,
        }]
    }

    fn all(_: &str) -> Result<Vec<Link>, Error> {
        Ok(containers::list()?.into_iter().map(root).collect())
    }

    fn read(uri: &str, _: &str) -> Result<Vec<ResourceContents>, Error> {
        let Some((id, path)) = parse(uri) else {
            return Err(Error::not_found(format!("`{uri}` is not `{SCHEME}://<id>/<path>`")));
        };
        let contents = Workspace::open(&id).and_then(|workspace| contents(uri, &workspace, &path));
        Ok(vec![contents.map_err(|error| About::File.of(error))?])
    }

    fn complete(
        _: &str,
        variable: &str,
        typed: &str,
        _: &[(String, String)],
    ) -> Result<Vec<String>, Error> {
        if variable != "id" {
            return Ok(Vec::new());
        }
        Ok(workspaces::list()?.into_iter().filter(|id| id.starts_with(typed)).collect())
    }
}

fn root(info: containers::Info) -> Link {
    let name = info.alias.unwrap_or(info.id);
    let mut link = Link::new(&format!("{SCHEME}://{}/", info.workspace), &name);
    link.description = Some(format!("The files of a container of `{}`", info.image));
    link.mime_type = Some("application/json".to_owned());
    link
}

fn contents(uri: &str, workspace: &Workspace, path: &str) -> Result<ResourceContents, Error> {
    let stat = workspace.stat(path)?;
    if stat.kind == Kind::Directory {
        let page = workspace.list(path, false, "", MOST_ENTRIES)?;
        let entries: Vec<Entry> = page.entries.into_iter().map(Entry::from).collect();
        let text = serde_json::to_string(&entries)?;
        return Ok(ResourceContents::text(uri, "application/json", text));
    }
    if stat.size > u64::from(read::LARGEST) {
        return Err(error::limit(format!(
            "the file has {} bytes, more than a resource shows: read it in parts with `fs_read`",
            stat.size
        )));
    }
    let part = workspace.read(path, 0, Some(read::LARGEST))?;
    Ok(match String::from_utf8(part.data) {
        Ok(text) => ResourceContents::text(uri, mime::of(path), text),
        Err(error) => ResourceContents::bytes(uri, mime::of(path), error.into_bytes()),
    })
}

/// The workspace's id and the path in it.
fn parse(uri: &str) -> Option<(String, String)> {
    let rest = uri.strip_prefix(SCHEME)?.strip_prefix("://")?;
    let (id, path) = rest.split_once('/').unwrap_or((rest, ""));
    (!id.is_empty()).then_some(())?;
    Some((id.to_owned(), decoded(path)?))
}

/// With every `%20` as the byte that it stands for.
fn decoded(path: &str) -> Option<String> {
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, expected: Option<(&str, &str)>) {
        let parsed = parse(uri);
        assert_eq!(parsed.as_ref().map(|(id, path)| (id.as_str(), path.as_str())), expected);
    }

    #[test]
    fn a_uri_names_a_workspace_and_a_path() {
        check("workspace://w_1/a/b.txt", Some(("w_1", "a/b.txt")));
        check("workspace://w_1/", Some(("w_1", "")));
        check("workspace://w_1", Some(("w_1", "")));
        check("workspace://w_1/a%20b%C3%BC", Some(("w_1", "a bü")));
        check("workspace://w_1/%2e%2e/x", Some(("w_1", "../x")));
        check("workspace://w_1/%zz", None);
        check("workspace://w_1/%f", None);
        check("workspace://w_1/%ff", None);
        check("workspace:///x", None);
        check("notes://w_1/x", None);
    }
}
