//! `cargo xtask openhands`: the real OpenHands in both forms, for the tests that hold the plugin to it.
//!
//! A Debian of its own with a Python that is new enough, and in it what the vendor's images have in the same places.
//! It takes minutes and gigabytes, so it is made once and kept outside the repository.

pub(crate) mod form;

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::geteuid;

use crate::{command, engine, report::Absent};
use form::{APP, Form, SERVER};

/// Has a Python that both forms take.
const DEBIAN: &str = "trixie";

/// What the vendor's images have of Debian, and what installs.
const PACKAGES: &str = "ca-certificates,git,procps,python3,python3-venv,tini,tmux";

/// A machine that takes longer does without.
const LIMIT: Duration = Duration::from_secs(600);

/// Whom this machine trusts, where its packages are fetched by way of a mirror.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The folder of what is only needed while it is built.
const TOOLS: &str = "windlass-build";

/// The users of the vendor's image: it is run by others of the group.
const USERS: &str = "groupadd --gid 1000 app && \
    useradd --uid 42420 --gid 1000 --create-home --shell /bin/bash openhands";

/// How a package index or a proxy is named to pip and uv.
const PASSED_ON: [&str; 9] = [
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
];

/// How a form is made: it lies where it does in the vendor's image.
struct Recipe {
    form: Form,
    packages: &'static [&'static str],
    /// Nothing that appeared later is installed, so that it is what it was.
    until: &'static str,
    folder: &'static str,
    /// Brought in once while it is built, so that a container need not compile them each time.
    modules: &'static str,
}

const RECIPES: [Recipe; 2] = [
    Recipe {
        form: SERVER,
        packages: &["openhands-agent-server", "openhands-tools"],
        until: "2026-11-20",
        folder: "agent-server",
        modules: "openhands.agent_server.api, openhands.tools.terminal, openhands.tools.file_editor",
    },
    Recipe {
        form: APP,
        packages: &["openhands-ai"],
        until: "2025-08-01",
        folder: "app",
        modules: "openhands.core.main",
    },
];

/// Builds what is not there, and says where it is.
pub(crate) fn build() -> Result<()> {
    let mut missing = Vec::new();
    for recipe in RECIPES {
        if !recipe.form.archive()?.is_file() {
            missing.push(recipe);
        }
    }
    if !missing.is_empty() {
        build_these(&missing)?;
    }
    for recipe in RECIPES {
        println!("{}", recipe.form.archive()?.display());
    }
    Ok(())
}

/// A root that is being filled.
struct Root {
    path: PathBuf,
    log: File,
    begin: Instant,
}

fn build_these(recipes: &[Recipe]) -> Result<()> {
    if !geteuid().is_root() {
        return Err(Absent("only root can make a Debian: run it as root".to_owned()).into());
    }
    engine::need(&["debootstrap", "tar", "chroot"], &["debootstrap", "tar", "coreutils"])?;
    let cache = form::cache()?;
    fs::create_dir_all(&cache).with_context(|| format!("cannot make `{}`", cache.display()))?;
    let log = cache.join("build.log");
    let folder = tempfile::Builder::new().prefix("building-").tempdir_in(&cache)?;
    let mut root =
        Root { path: folder.path().join("root"), log: File::create(&log)?, begin: Instant::now() };
    let built = root.fill().and_then(|()| recipes.iter().try_for_each(|it| root.add(it)));
    built.with_context(|| format!("see `{}`", log.display()))
}

impl Drop for Root {
    fn drop(&mut self) {
        clear(&self.path);
    }
}

/// Takes away a root, also one in which somebody was killed who had mounted something there.
fn clear(root: &Path) {
    for mounted in ["proc", "sys"] {
        let mut unmount = Command::new("umount");
        // Mostly there is none.
        command::succeeded_within(LIMIT, unmount.arg("--lazy").arg(root.join(mounted)));
    }
    // Somebody may hold on to a part of it. The folder that it lies in goes all the same, or says so in its name: `building-`.
    let _ = fs::remove_dir_all(root);
}

impl Root {
    /// What both forms stand on.
    fn fill(&mut self) -> Result<()> {
        eprintln!("a Debian");
        let mut debootstrap = Command::new("debootstrap");
        let packages = format!("--include={PACKAGES}");
        debootstrap.args(["--variant=minbase", &packages, DEBIAN]).arg(&self.path);
        self.run(&mut debootstrap)?;
        fs::copy("/etc/resolv.conf", self.path.join("etc/resolv.conf"))?;
        let tools = self.path.join(TOOLS);
        fs::create_dir(&tools)?;
        fs::copy(CERTIFICATES, tools.join("certificates"))?;
        self.inside(&format!("{USERS} && python3 -m venv /{TOOLS}/uv"))?;
        self.inside(&format!("/{TOOLS}/uv/bin/pip install uv"))
    }

    /// Installs one form, and packs it without the others.
    fn add(&mut self, recipe: &Recipe) -> Result<()> {
        eprintln!("{}", recipe.form.image());
        let Recipe { form, folder, modules, until, .. } = recipe;
        let version = form.version;
        let packages: Vec<_> =
            recipe.packages.iter().map(|package| format!("{package}=={version}")).collect();
        let python = format!("/{folder}/.venv/bin/python");
        self.inside(&format!("mkdir /{folder} && python3 -m venv /{folder}/.venv"))?;
        self.inside(&format!(
            "/{TOOLS}/uv/bin/uv pip install --system-certs --exclude-newer {until} --no-progress \
             --cache-dir /{TOOLS}/cache --python {python} {}",
            packages.join(" ")
        ))?;
        self.inside(&format!(
            "cd /tmp && LITELLM_LOCAL_MODEL_COST_MAP=True {python} -c 'import {modules}'"
        ))?;
        self.inside(&format!("chown -R openhands:app /{folder} && chmod -R g=u,o= /{folder}"))?;
        self.pack(recipe)
    }

    /// It has its name when it is whole.
    fn pack(&mut self, recipe: &Recipe) -> Result<()> {
        let part = self.path.with_extension("tar");
        let others =
            RECIPES.iter().map(|other| other.folder).filter(|other| *other != recipe.folder);
        let mut tar = Command::new("tar");
        for left_out in others.chain([TOOLS, "dev/*", "tmp/*", "proc/*", "var/cache/apt/*"]) {
            tar.arg(format!("--exclude=./{left_out}"));
        }
        tar.arg("--create").arg("--file").arg(&part).arg("--directory").arg(&self.path).arg(".");
        self.run(&mut tar)?;
        Ok(fs::rename(part, recipe.form.archive()?)?)
    }

    /// Runs a line of shell in it, with this machine's way to its packages and nothing else of it.
    fn inside(&mut self, line: &str) -> Result<()> {
        let mut chroot = Command::new("chroot");
        chroot.arg(&self.path).args(["/bin/sh", "-euxc", line]).env_clear();
        chroot.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", format!("/{TOOLS}"));
        let certificates = format!("/{TOOLS}/certificates");
        chroot.env("PIP_CERT", &certificates).env("SSL_CERT_FILE", &certificates);
        let given = PASSED_ON.iter().filter_map(|name| Some((name, env::var_os(name)?)));
        chroot.envs(given);
        self.run(&mut chroot)
    }

    /// Runs with what is left of the time.
    fn run(&mut self, command: &mut Command) -> Result<()> {
        let name = command.get_program().to_string_lossy().into_owned();
        let left = LIMIT.saturating_sub(self.begin.elapsed());
        if !command::logged_within(left, command, &self.log)? {
            let seconds = LIMIT.as_secs();
            bail!("`{name}` failed, or {seconds} seconds were over");
        }
        Ok(())
    }
}
