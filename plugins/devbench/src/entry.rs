//! A file or directory, as the tools tell of it.

use schemars::JsonSchema;
use serde::Serialize;
use windlass_sdk::{
    clock,
    workspaces::{Kind, Stat},
};

use crate::{mime, place};

/// A file or directory.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Entry {
    /// As programs in the container see it.
    path: String,
    size: u64,
    is_dir: bool,
    /// Such as `644`.
    permissions: String,
    mtime: String,
    /// A tag of what the file holds; null for what is no file.
    etag: Option<String>,
    mime_type: Option<&'static str>,
    /// Whether it is a symbolic link.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_link: bool,
}

impl From<Stat> for Entry {
    fn from(stat: Stat) -> Self {
        Self {
            mime_type: (stat.kind == Kind::File).then(|| mime::of(&stat.path)),
            path: place::inside(&stat.path),
            size: stat.size,
            is_dir: stat.kind == Kind::Directory,
            permissions: format!("{:03o}", stat.mode),
            mtime: clock::iso(stat.modified),
            etag: stat.etag,
            is_link: stat.kind == Kind::Link,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(path: &str, kind: Kind, mode: u16, etag: Option<&str>, expected: serde_json::Value) {
        let etag = etag.map(str::to_owned);
        let stat = Stat { path: path.to_owned(), kind, size: 3, mode, modified: 0, etag };
        let mut expected = expected;
        expected["size"] = 3.into();
        expected["mtime"] = "1970-01-01T00:00:00.000Z".into();
        assert_eq!(serde_json::to_value(Entry::from(stat)).unwrap(), expected);
    }

    #[test]
    fn an_entry_has_the_fields_of_a_stat() {
        let file = json!({"path": "/workspace/a/b.py", "is_dir": false, "permissions": "644", "etag": "t", "mime_type": "text/x-python"});
        check("a/b.py", Kind::File, 0o644, Some("t"), file);
        let root = json!({"path": "/workspace", "is_dir": true, "permissions": "755", "etag": null, "mime_type": null});
        check("", Kind::Directory, 0o755, None, root);
        let link = json!({"path": "/workspace/l", "is_dir": false, "permissions": "007", "etag": null, "mime_type": null, "is_link": true});
        check("l", Kind::Link, 0o007, None, link);
    }
}
