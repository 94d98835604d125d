//! Folders and volumes, as `create-container` is told of them. Pure.

use std::collections::BTreeMap;

use windlass_sdk::{
    Error,
    engine::{Bind, Mount, VolumeMount},
};

use crate::{error::validation, name};

/// From `{"data": "/var/lib/data", "/srv/site": "/usr/share/nginx/html:ro"}`.
pub(crate) fn mounts(volumes: &BTreeMap<String, String>) -> Result<Vec<Mount>, Error> {
    volumes.iter().map(|(source, target)| mount(source, target)).collect()
}

fn mount(source: &str, place: &str) -> Result<Mount, Error> {
    let (target, read_only) = match place.rsplit_once(':') {
        None | Some((_, "")) => (place, false),
        Some((target, "rw")) => (target, false),
        Some((target, "ro")) => (target, true),
        Some((_, option)) => {
            let message = format!(
                "`volumes` has `{place}`: after the path, `{option}` is neither `ro` nor `rw`"
            );
            return Err(validation("volumes", message));
        }
    };
    if !is_absolute(target) {
        let message =
            format!("`volumes` leads to `{target}`: give an absolute path in the container");
        return Err(validation("volumes", message));
    }
    let target = target.to_owned();
    if source.starts_with('/') {
        let bind =
            Bind { source: folder(source)?, target, read_only, create: true, propagation: None };
        return Ok(Mount::Bind(bind));
    }
    volume(source)?;
    let name = Some(source.to_owned());
    Ok(Mount::Volume(VolumeMount { name, target, read_only, no_copy: false }))
}

/// A folder of this machine. A grant counts for a path as it reads, so it has to read as it is.
fn folder(source: &str) -> Result<String, Error> {
    if !is_absolute(source) {
        let message = format!("`volumes` has `{source}`: give the path without `.` and `..`");
        return Err(validation("volumes", message));
    }
    Ok(source.to_owned())
}

fn volume(source: &str) -> Result<(), Error> {
    if source.starts_with(['~', '.']) || source.contains('/') {
        let message = format!(
            "`volumes` has `{source}`: a folder of this machine is named by its absolute path, as nobody here has a home or a \
             working directory; a volume by its name"
        );
        return Err(validation("volumes", message));
    }
    name::check("volumes", source)
}

fn is_absolute(path: &str) -> bool {
    let plain = |part: &str| part != ".." && part != "." && !part.contains(['\0', ':']);
    path.starts_with('/') && path.split('/').all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, target: &str, expected: &str) {
        let volumes = BTreeMap::from([(source.to_owned(), target.to_owned())]);
        let shown = match mounts(&volumes).as_deref() {
            Ok([Mount::Bind(it)]) => format!("bind {} {} {}", it.source, it.target, it.read_only),
            Ok([Mount::Volume(it)]) => {
                format!("volume {} {} {}", it.name.as_deref().unwrap(), it.target, it.read_only)
            }
            Ok(other) => format!("{other:?}"),
            Err(error) => error.message.clone(),
        };
        assert!(shown.starts_with(expected), "{source}: {target} is {shown}");
    }

    #[test]
    fn a_path_is_a_folder_and_a_name_a_volume() {
        check("/srv/site", "/data", "bind /srv/site /data false");
        check("/srv/site", "/data:ro", "bind /srv/site /data true");
        check("/", "/host", "bind / /host false");
        check("data", "/data:rw", "volume data /data false");
        check("data.1", "/data:ro", "volume data.1 /data true");
    }

    #[test]
    fn what_is_neither_is_refused_with_a_reason() {
        for source in ["~/data", "./data", "../data", "~", ".", "a/b"] {
            check(source, "/data", &format!("`volumes` has `{source}`: a folder of this machine"));
        }
        check("--help", "/data", "`volumes` is `--help`: a name begins");
        check("", "/data", "`volumes` is ``: a name begins");
        check("/srv/../etc", "/data", "`volumes` has `/srv/../etc`: give the path without");
        check("data", "data", "`volumes` leads to `data`: give an absolute path");
        check("data", "/a/../b", "`volumes` leads to `/a/../b`: give an absolute path");
        check("data", "/data:z", "`volumes` has `/data:z`: after the path, `z` is neither");
        check("data", "", "`volumes` leads to ``: give an absolute path");
    }
}
