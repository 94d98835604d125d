//! A host with the plugin `docker`, on an engine that others use too: what a test makes there carries its mark.

use std::{
    fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::support::{
    Host, Setup,
    bench::merged,
    engine::{
        IMAGE,
        api::{Api, encoded},
        docker,
    },
    failure,
    inside::inside,
    text_of,
};

/// What a container does that waits to be ended, and ends at once when it is told to.
pub(super) const WAIT: &str = "trap 'exit 0' TERM; while :; do sleep 1 & wait; done";

pub(super) struct Desk {
    host: Option<Host>,
    pub(super) engine: Api,
    /// What all names begin with that this test may touch.
    pub(super) mark: String,
    /// A folder of this test's own, which `{folder}` stands for in a wish.
    pub(super) folder: PathBuf,
}

/// How the host is to be.
pub(super) struct Wish<'a> {
    /// In the table `grants.engine` of the plugin, in which `{mark}` stands for what names begin with.
    pub(super) grant: &'a str,
    /// In the list `grants.files`.
    pub(super) files: &'a str,
    /// In the table `config`.
    pub(super) config: &'a str,
    /// In the table `secrets`.
    pub(super) secrets: &'a str,
    /// What the client says that it can do.
    pub(super) capabilities: Value,
}

impl Default for Wish<'_> {
    fn default() -> Self {
        let grant = "names = ['{mark}-*']\nnetworks = ['{mark}-*', 'bridge']\nregistries = ['docker.io']\n\
                     ports = ['127.0.0.1:1024-65535']";
        Self { grant, files: "", config: "", secrets: "", capabilities: json!({}) }
    }
}

impl Desk {
    pub(super) fn new() -> Option<Self> {
        Self::with(&Wish::default())
    }

    pub(super) fn with(wish: &Wish<'_>) -> Option<Self> {
        let engine = docker()?;
        inside("docker")?;
        let mark = mark();
        let setup = Setup::new();
        let folder = setup.path("folder");
        fs::create_dir(&folder).unwrap();
        // For whoever wants a secret: `file:{folder}/token`.
        fs::write(folder.join("token"), "hidden").unwrap();
        let here = folder.display().to_string();
        let said = |text: &str| text.replace("{mark}", &mark).replace("{folder}", &here);
        let config = format!(
            "[plugins.docker.grants]\nstore = true\njobs = true\nfiles = [{}]\n\
             [plugins.docker.grants.engine]\n{}\n[plugins.docker.config]\n{}\n[plugins.docker.secrets]\n{}\n",
            said(wish.files),
            said(wish.grant),
            said(wish.config),
            said(wish.secrets)
        );
        let setup = setup.arguments(&["--plugins", "docker"]).config(&config);
        let mut host = setup.environment("DOCKER_HOST", engine.address()).modern();
        host.capabilities = wish.capabilities.clone();
        Some(Self { host: Some(host), engine, mark, folder })
    }

    pub(super) fn host(&mut self) -> &mut Host {
        self.host.as_mut().unwrap()
    }

    /// Kills the host, and starts it again in the same place.
    pub(super) fn killed(&mut self) {
        self.host().signal("-KILL");
        self.host().wait();
        let capabilities = self.host().capabilities.clone();
        let setup = self.host.take().unwrap().restart();
        self.host = Some(setup.modern());
        self.host().capabilities = capabilities;
    }

    /// A name that this test may use.
    pub(super) fn name(&self, end: &str) -> String {
        format!("{}-{end}", self.mark)
    }

    /// Calls a tool that must succeed; gives its text and its structured result.
    #[track_caller]
    pub(super) fn told(&mut self, tool: &str, arguments: Value) -> (String, Value) {
        let result = self.host().call(tool, arguments);
        assert_ne!(result["isError"], true, "`{tool}` failed: {result}");
        (text_of(&result), result["structuredContent"].clone())
    }

    /// The same; gives its structured result.
    #[track_caller]
    pub(super) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.told(tool, arguments).1
    }

    /// Calls a tool that must fail; gives its code and message.
    #[track_caller]
    pub(super) fn fails(&mut self, tool: &str, arguments: Value) -> String {
        failure(&self.host().call(tool, arguments))
    }

    /// Makes a container of this name that waits; gives its whole name.
    #[track_caller]
    pub(super) fn container(&mut self, end: &str) -> String {
        self.container_with(end, json!({}))
    }

    /// The same with these arguments besides.
    #[track_caller]
    pub(super) fn container_with(&mut self, end: &str, more: Value) -> String {
        let name = self.name(end);
        let arguments = json!({"image": IMAGE, "name": name, "command": ["sh", "-c", WAIT]});
        self.call("create-container", merged(arguments, more));
        name
    }

    /// What the engine itself says of a container, network, volume or image. None: it has none.
    pub(super) fn seen(&self, kind: &str, name: &str) -> Option<Value> {
        let path = match kind {
            "networks" | "volumes" => format!("/{kind}/{name}"),
            _ => format!("/{kind}/{name}/json"),
        };
        self.engine.get(&path).ok()
    }

    /// Makes a container by the engine's own hand.
    pub(super) fn made_beside(&self, name: &str, labels: &Value) -> String {
        let body = json!({"Image": IMAGE, "Cmd": ["sleep", "1000"], "Labels": labels, "HostConfig": {"NetworkMode": "none"}});
        let made = self.engine.post(&format!("/containers/create?name={name}"), &body).unwrap();
        made["Id"].as_str().unwrap().to_owned()
    }
}

impl Drop for Desk {
    /// It is called where a panic would end all tests, and somebody else may have removed what is listed.
    fn drop(&mut self) {
        let marked = |it: &Value| it.as_str().is_some_and(|it| it.contains(&self.mark));
        let listed = |path: &str| self.engine.get(path).unwrap_or_default();
        let filters = encoded(&json!({"name": [self.mark]}).to_string());
        let containers = listed(&format!("/containers/json?all=1&filters={filters}"));
        for it in containers.as_array().into_iter().flatten() {
            if let Some(id) = it["Id"].as_str().filter(|_| marked(&it["Names"][0])) {
                let _ = self.engine.delete(&format!("/containers/{id}?force=1&v=1"));
            }
        }
        let networks = listed(&format!("/networks?filters={filters}"));
        for it in networks.as_array().into_iter().flatten().filter(|it| marked(&it["Name"])) {
            let network = format!("/networks/{}", it["Id"].as_str().unwrap_or_default());
            // An engine may keep the place of a container that is gone.
            for member in listed(&network)["Containers"].as_object().into_iter().flatten() {
                let leaving = json!({"Container": member.1["Name"], "Force": true});
                let _ = self.engine.post(&format!("{network}/disconnect"), &leaving);
            }
            let _ = self.engine.delete(&network);
        }
        let volumes = listed(&format!("/volumes?filters={filters}"));
        for it in volumes["Volumes"].as_array().into_iter().flatten() {
            if let Some(name) = it["Name"].as_str().filter(|_| marked(&it["Name"])) {
                let _ = self.engine.delete(&format!("/volumes/{name}?force=1"));
            }
        }
    }
}

/// Like no other test's, on whatever machine and in whatever run.
fn mark() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("wlt{:x}x{:x}x{count}", process::id(), now.subsec_nanos())
}

/// The names in a list of rows.
pub(super) fn names(rows: &Value) -> Vec<String> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("no rows: {rows}"));
    let mut names: Vec<_> = rows.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}
