//! Directories of this machine that are granted, held against what the host itself has on it.

use anyhow::{Context as _, anyhow};

use crate::{
    config::{self, Config, Grants, Mount},
    disk::Disk,
    docker::Places,
};

/// Fails where the operator's own words would let a container see the host's own state, or the socket of an engine.
pub(super) fn check(config: &Config, disk: &Disk) -> anyhow::Result<()> {
    for (plugin, mount) in config.mounts() {
        let apart = |it: Option<Mount>| it.map_or(Ok(()), |it| check_apart(&it, disk));
        mount.expanded().and_then(apart).with_context(|| key(plugin))?;
    }
    Ok(())
}

/// The same for what one plugin is granted, also by what ships beside it: of that nobody has looked at any directory yet.
pub(super) fn check_granted(plugin: &str, grants: &Grants, disk: &Disk) -> anyhow::Result<()> {
    for mount in grants.containers.iter().flat_map(|it| &it.mounts) {
        let looked = mount.look().map_err(|why| anyhow!(why));
        looked.and_then(|()| check_apart(mount, disk)).with_context(|| key(plugin))?;
    }
    let binds = grants
        .engine
        .iter()
        .flat_map(|it| &it.binds)
        .map(|it| ("engine.binds", "mounted", it.path.as_str()));
    let files = grants.files.iter().flatten().map(|it| ("files", "read", it.as_str()));
    for (key, done, path) in binds.chain(files) {
        let real = config::check_real(path, done);
        let apart = || config::check_apart(path, "the host's own state", disk.state());
        real.and_then(|()| apart())
            .map_err(|why| anyhow!("plugins.{plugin}.grants.{key}: {why}"))?;
    }
    Ok(())
}

fn check_apart(mount: &Mount, disk: &Disk) -> anyhow::Result<()> {
    let told = |why| anyhow!("{why}");
    mount.check_apart("the host's own state", disk.state()).map_err(told)?;
    for socket in Places::from_environment().sockets() {
        mount.check_without("the socket of an engine", socket).map_err(told)?;
    }
    Ok(())
}

fn key(plugin: &str) -> String {
    format!("plugins.{plugin}.grants.containers.mounts")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{bundled::Defaults, config, database::Database, disk::Disk, registry::grants};

    #[test]
    fn what_ships_beside_a_plugin_is_held_to_the_same() {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let (shelf, state) = (folder.join("shelf"), folder.join("state"));
        fs::create_dir_all(&shelf).unwrap();
        fs::create_dir_all(state.join("workspaces")).unwrap();
        fs::write(folder.join("file"), "").unwrap();
        let disk = Disk::at(&state.join("workspaces"), Database::at(&state.join("windlass.db")));
        let told = |path: &str| {
            let mounts = format!("[grants.containers]\nmounts = ['${{WINDLASS_NOWHERE:-{path}}}']");
            let defaults: Defaults = config::parse(&mounts).unwrap();
            let granted = grants::expand("it", defaults.grants);
            let checked = granted.and_then(|it| super::check_granted("it", &it, &disk));
            checked.map_or_else(|error| format!("{error:#}"), |()| "yes".to_owned())
        };
        let path = |name: &str| folder.join(name).display().to_string();
        assert_eq!(told(""), "yes");
        assert_eq!(told(&path("shelf")), "yes");
        for (path, why) in [
            (path("none"), "No such file"),
            (path("file"), "is no directory"),
            (path("state"), "the host's own state"),
            (folder.display().to_string(), "the host's own state"),
            ("/etc".to_owned(), "the machine's settings"),
        ] {
            let told = told(&path);
            assert!(told.starts_with("plugins.it.grants.containers"), "{told}");
            assert!(told.contains(why), "{path}: {told}");
        }
    }

    #[test]
    fn folders_for_the_user_s_containers_are_there_and_hold_nothing_of_the_host_s() {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let (shelf, state, link) =
            (folder.join("shelf"), folder.join("state"), folder.join("link"));
        fs::create_dir_all(&shelf).unwrap();
        fs::create_dir_all(state.join("workspaces")).unwrap();
        std::os::unix::fs::symlink(&shelf, &link).unwrap();
        let disk = Disk::at(&state.join("workspaces"), Database::at(&state.join("windlass.db")));
        let told = |grants: String| {
            let grants = config::parse(&grants).unwrap();
            let checked = super::check_granted("it", &grants, &disk);
            checked.map_or_else(|error| format!("{error:#}"), |()| "yes".to_owned())
        };
        for (path, why) in [
            (shelf.clone(), "yes"),
            (link, "leads over a link"),
            (folder.join("none"), "No such file"),
            (state.join("workspaces"), "lies in the host's own state"),
            (folder.clone(), "holds the host's own state"),
            ("/".into(), "holds the host's own state"),
        ] {
            let path = path.display();
            let binds = told(format!("[engine]\nbinds = ['{path}:ro']"));
            assert!(binds.contains(why), "{path}: {binds}");
            let files = told(format!("files = ['{path}']"));
            assert!(files.contains(why), "{path}: {files}");
        }
    }
}
