//! Where a Compose file comes from: text, or a file in a folder that a grant names.

use serde::{Deserialize, Serialize};
use windlass_sdk::{Error, files, types::Code};

use super::{load::Source, place::Place};
use crate::error::validation;

/// What messages call a file that came as text.
const TEXT: &str = "compose_yaml";

/// A Compose file as it was given.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Given {
    Text(String),
    Path(String),
}

impl Given {
    /// From the two arguments that may hold one.
    pub(crate) fn from(yaml: Option<String>, file: Option<String>) -> Result<Option<Self>, Error> {
        match (yaml, file) {
            (Some(_), Some(_)) => Err(validation(
                "compose_file",
                "`compose_yaml` and `compose_file` do not go together: give one",
            )),
            (Some(yaml), None) => Ok(Some(Self::Text(yaml))),
            (None, Some(file)) => Self::text_or_path(file).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// A text begins with a key of a Compose file; a path is absolute.
    fn text_or_path(file: String) -> Result<Self, Error> {
        if is_text(&file) {
            return Ok(Self::Text(file));
        }
        if file.starts_with('/') && !file.contains('\n') {
            return Ok(Self::Path(file));
        }
        Err(validation(
            "compose_file",
            "`compose_file` is the text of a Compose file, or its absolute path in a folder that `grants.files` names",
        ))
    }

    pub(crate) fn read(&self) -> Result<Source, Error> {
        match self {
            Self::Text(text) => {
                Ok(Source { text: text.clone(), name: TEXT.to_owned(), place: Place(None) })
            }
            Self::Path(path) => {
                let path =
                    Place(None).absolute(path).map_err(|why| validation("compose_file", why))?;
                let bytes = read(&path)?
                    .ok_or_else(|| validation("compose_file", format!("`{path}` is not there")))?;
                let text = String::from_utf8(bytes);
                let text =
                    text.map_err(|_| validation("compose_file", format!("`{path}` is no text")))?;
                Ok(Source { text, place: Place::of_file(&path), name: path })
            }
        }
    }
}

/// A file's bytes, if it is there.
pub(crate) fn read(path: &str) -> Result<Option<Vec<u8>>, Error> {
    match files::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.code == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_text(file: &str) -> bool {
    let mut lines = file.lines().map(str::trim_end);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#') && *line != "---");
    let Some((key, _)) = first.and_then(|line| line.split_once(':')) else { return false };
    let known = ["version", "services", "name", "networks", "volumes", "configs", "secrets"];
    let key = key.trim_matches(['"', '\'', '{', ' ']);
    known.contains(&key) || key.starts_with("x-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, expected: Option<Given>) {
        assert_eq!(Given::text_or_path(file.to_owned()).ok(), expected, "{file}");
    }

    #[test]
    fn a_file_is_a_text_or_a_path() {
        let text = |it: &str| Some(Given::Text(it.to_owned()));
        for it in [
            "services:\n  a: {}",
            "# why\n\nversion: '3'",
            "x-a: 1",
            "{\"services\": {}}",
            "name: a",
            "---\nvolumes:",
        ] {
            check(it, text(it));
        }
        check("/srv/a.yaml", Some(Given::Path("/srv/a.yaml".to_owned())));
        for wrong in ["a.yaml", "../a", "/a\nb", "", "hello: you", "--help"] {
            check(wrong, None);
        }
    }
}
