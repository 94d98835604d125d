//! `cargo xtask openhands`: the real OpenHands in both forms, for the tests that hold the plugin to it.
//!
//! A Debian of its own with a Python that is new enough, and in it what the vendor's images have in the same places.
//! It takes minutes and gigabytes, so it is made once and kept outside the repository.

use std::{env, fs};

use anyhow::Result;

use crate::{
    debian::{self, Base, Root},
    kept::{APP, Kept, SERVER},
};

/// Has a Python that both forms take, what the vendor's images have of Debian, and what installs.
const BASE: Base = Base {
    suite: "trixie",
    packages: "ca-certificates,git,procps,python3,python3-venv,tini,tmux",
    tools: &[],
};

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
    image: Kept,
    packages: &'static [&'static str],
    /// Nothing that appeared later is installed, so that it is what it was.
    until: &'static str,
    folder: &'static str,
    /// Brought in once while it is built, so that a container need not compile them each time.
    modules: &'static str,
}

const RECIPES: [Recipe; 2] = [
    Recipe {
        image: SERVER,
        packages: &["openhands-agent-server", "openhands-tools"],
        until: "2026-11-20",
        folder: "agent-server",
        modules: "openhands.agent_server.api, openhands.tools.terminal, openhands.tools.file_editor",
    },
    Recipe {
        image: APP,
        packages: &["openhands-ai"],
        until: "2025-08-01",
        folder: "app",
        modules: "openhands.core.main",
    },
];

/// Builds what is not there, and says where it is.
pub(crate) fn build() -> Result<()> {
    let [server, app] = &RECIPES;
    debian::build(&BASE, &[&server.image, &app.image], |root, missing| {
        fill(root)?;
        let wanted = |it: &&Recipe| missing.iter().any(|image| image.image() == it.image.image());
        RECIPES.iter().filter(wanted).try_for_each(|recipe| add(root, recipe))
    })?;
    for recipe in RECIPES {
        println!("{}", recipe.image.archive()?.display());
    }
    Ok(())
}

/// What both forms stand on.
fn fill(root: &mut Root) -> Result<()> {
    fs::copy("/etc/resolv.conf", root.path.join("etc/resolv.conf"))?;
    let tools = root.path.join(TOOLS);
    fs::create_dir(&tools)?;
    fs::copy(CERTIFICATES, tools.join("certificates"))?;
    inside(root, &format!("{USERS} && python3 -m venv /{TOOLS}/uv"))?;
    inside(root, &format!("/{TOOLS}/uv/bin/pip install uv"))
}

/// Installs one form, and packs it without the others.
fn add(root: &mut Root, recipe: &Recipe) -> Result<()> {
    let Recipe { image, packages, folder, modules, until } = recipe;
    eprintln!("{}", image.image());
    let packages: Vec<_> =
        packages.iter().map(|package| format!("{package}=={}", image.version)).collect();
    let python = format!("/{folder}/.venv/bin/python");
    inside(root, &format!("mkdir /{folder} && python3 -m venv /{folder}/.venv"))?;
    let install = format!(
        "/{TOOLS}/uv/bin/uv pip install --system-certs --exclude-newer {until} --no-progress \
         --cache-dir /{TOOLS}/cache --python {python} {}",
        packages.join(" ")
    );
    inside(root, &install)?;
    let compile = format!("LITELLM_LOCAL_MODEL_COST_MAP=True {python} -c 'import {modules}'");
    inside(root, &format!("cd /tmp && {compile}"))?;
    inside(root, &format!("chown -R openhands:app /{folder} && chmod -R g=u,o= /{folder}"))?;
    let others = RECIPES.iter().map(|other| other.folder).filter(|other| other != folder);
    root.pack(image, &others.chain([TOOLS]).collect::<Vec<_>>())
}

/// Runs a line of shell in it, with this machine's way to its packages and nothing else of it.
fn inside(root: &mut Root, line: &str) -> Result<()> {
    let certificates = format!("/{TOOLS}/certificates");
    let mut shell = root.inside(line);
    shell.env("HOME", format!("/{TOOLS}"));
    shell.env("PIP_CERT", &certificates).env("SSL_CERT_FILE", &certificates);
    shell.envs(PASSED_ON.iter().filter_map(|name| Some((name, env::var_os(name)?))));
    root.run(&mut shell)
}
