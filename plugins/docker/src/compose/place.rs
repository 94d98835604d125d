//! The folder that relative paths of a Compose file start from.

/// The folder of a file; None for what came as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place(pub(crate) Option<String>);

impl Place {
    /// The folder that a file is in.
    pub(crate) fn of_file(path: &str) -> Self {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        Self(Some(if folder.is_empty() { "/".to_owned() } else { folder.to_owned() }))
    }

    /// A path from here, without `.` and `..`; or why there is none.
    pub(crate) fn absolute(&self, path: &str) -> Result<String, String> {
        if path.starts_with('~') {
            return Err(format!(
                "`{path}` is in a home folder, which nobody has here: give the absolute path"
            ));
        }
        let whole = match &self.0 {
            _ if path.starts_with('/') => path.to_owned(),
            Some(folder) => format!("{folder}/{path}"),
            None => {
                return Err(format!(
                    "`{path}` is relative, and a Compose file that came as text is in no folder: \
                    give the absolute path, or name the file in `compose_file`"
                ));
            }
        };
        let mut steps: Vec<&str> = Vec::new();
        for step in whole.split('/') {
            match step {
                "" | "." => {}
                ".." => drop(steps.pop()),
                step => steps.push(step),
            }
        }
        Ok(format!("/{}", steps.join("/")))
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[track_caller]
    fn check(file: &str, path: &str, expected: &str) {
        assert_eq!(Place::of_file(file).absolute(path).unwrap(), expected);
    }

    #[test]
    fn paths_start_from_the_folder_of_their_file() {
        check("/srv/shop/compose.yaml", "./data", "/srv/shop/data");
        check("/srv/shop/compose.yaml", "../other/./x", "/srv/other/x");
        check("/srv/shop/compose.yaml", "/etc//x/", "/etc/x");
        check("/compose.yaml", "../../x", "/x");
        check("/compose.yaml", ".", "/");
    }

    #[test]
    fn a_text_is_in_no_folder() {
        assert!(Place(None).absolute("./x").unwrap_err().contains("is relative"));
        assert!(Place(None).absolute("~/x").unwrap_err().contains("home folder"));
        assert_eq!(Place(None).absolute("/x").unwrap(), "/x");
    }
}
