//! `create-container`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Told, Tool,
    engine::{self, Act, Mount, Networking, Removal, Spec},
    images,
    log::{self, Level},
    networks, random,
    types::Code,
    volumes,
};

use crate::{
    amount::{self, Scalar},
    error::About,
    health::{self, Check},
    list::{self, Row, yes},
    mount, name, network, port,
    words::{self, Words},
};

/// Bytes of what tells containers of one image apart.
const SUFFIX_BYTES: u32 = 4;

/// Makes a container and starts it. The image is pulled where it is missing, and so are networks made. If anything
/// fails, nothing of it stays.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct CreateContainer {
    /// Such as `nginx:1.27` or `ghcr.io/me/app:2`.
    image: String,
    /// One is made up where there is none.
    name: Option<String>,
    /// Port of this machine to port of the container: `{"8080": "80"}`, `{"127.0.0.1:5353": "53/udp"}`. Port 0 is a free one.
    #[serde(default)]
    ports: BTreeMap<String, Scalar>,
    /// Variables and their values.
    #[serde(default)]
    environment: BTreeMap<String, Scalar>,
    /// Variables whose values are secrets that the operator has set, by the secret's name.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// Volume, or absolute folder of this machine, to path in the container: `{"data": "/var/lib/data", "/srv/site": "/site:ro"}`.
    #[serde(default)]
    volumes: BTreeMap<String, String>,
    /// Networks that it joins, made where they are missing. None: the engine's default bridge. `["none"]`: no network.
    #[serde(default)]
    networks: Vec<String>,
    health_check: Option<Check>,
    resources: Option<Resources>,
    /// `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`.
    restart_policy: Option<String>,
    /// In place of the image's: words, or a line that is parted as a shell would.
    command: Option<Words>,
    /// In place of the image's.
    entrypoint: Option<Words>,
    working_dir: Option<String>,
    user: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, Scalar>,
    hostname: Option<String>,
    /// Whether its root is read-only.
    #[serde(default)]
    read_only: bool,
    /// All that the machine's root may do. The operator has to grant it.
    #[serde(default)]
    privileged: bool,
    /// Capabilities of the kernel. The operator has to grant them.
    #[serde(default)]
    cap_add: Vec<String>,
    #[serde(default)]
    cap_drop: Vec<String>,
    /// Whether it is started.
    #[serde(default = "yes")]
    start: bool,
    #[serde(default)]
    pull: Pull,
}

/// How much it may use.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Resources {
    /// Processors, such as `0.5`.
    cpu: Option<Scalar>,
    /// Such as `512m`.
    memory: Option<Scalar>,
    /// Memory and swap together, such as `1g`; `-1` is without bound.
    memory_swap: Option<Scalar>,
    /// Processes.
    pids: Option<i64>,
}

/// When the image is pulled.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Pull {
    #[default]
    Missing,
    Always,
    Never,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Created {
    container_id: String,
    container_name: String,
    image: String,
    started: bool,
    /// Whether the image was pulled.
    pulled: bool,
    /// Networks that were made for it.
    networks_created: Vec<String>,
    /// Absent where it is gone already.
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<Row>,
}

/// What was made so far, and goes again if something fails.
#[derive(Default)]
struct Made {
    networks: Vec<String>,
    volumes: Vec<String>,
    container: Option<String>,
}

impl Tool for CreateContainer {
    const NAME: &'static str = "create-container";
    const TITLE: Option<&'static str> = Some("Create a container");
    const HINTS: Hints = Hints::OPEN_WORLD;
    type Output = Told<Created>;

    fn run(self, _: &Call) -> Result<Told<Created>> {
        let spec = self.spec()?;
        let name = spec.name.clone();
        let pulled = fetch(&self.image, self.pull)?;
        let mut made = Made::default();
        let id = match made.all(spec, self.start) {
            Ok(id) => id,
            Err(error) => {
                made.take_back();
                return Err(About::Container
                    .during(&format!("creating container '{name}'"), error)
                    .into());
            }
        };
        let found = list::find(&id).ok().flatten();
        let details = found.as_ref().map(|it| list::shown(std::slice::from_ref(it)));
        let text = format!(
            "Created container '{name}' (ID: {id})\n\nContainer details:\n{}",
            details.unwrap_or_else(|| "it is gone already".to_owned())
        );
        let rows = Created {
            container_id: id,
            container_name: name,
            image: self.image,
            started: self.start,
            pulled,
            networks_created: made.networks,
            container: found.map(Row::of),
        };
        Ok(Told { text, rows })
    }
}

impl CreateContainer {
    /// What is wanted, in the engine's terms. Whatever makes no sense is found here, before anything is made.
    fn spec(&self) -> Result<Spec, Error> {
        name::image("image", &self.image)?;
        let name = match &self.name {
            Some(name) => name.clone(),
            None => name::for_image(&self.image, &random::bytes(SUFFIX_BYTES)),
        };
        name::check("name", &name)?;
        let split = |field: &str, words: &Option<Words>| {
            words.as_ref().map(|it| it.split(field)).transpose()
        };
        let labels = self.labels.iter().map(|(name, value)| (name.clone(), value.to_string()));
        Ok(Spec {
            entrypoint: split("entrypoint", &self.entrypoint)?,
            command: split("command", &self.command)?,
            env: [words::plain(&self.environment)?, words::secret(&self.secrets)?].concat(),
            labels: labels.collect(),
            user: self.user.clone(),
            working_dir: self.working_dir.clone(),
            hostname: self.hostname.clone(),
            read_only: self.read_only,
            health: self
                .health_check
                .as_ref()
                .map_or(Ok(engine::Health::OfImage), Check::health)?,
            restart: health::restart(self.restart_policy.as_deref().unwrap_or("no"))?,
            ports: port::published(&self.ports)?,
            networking: network::networking(&self.networks)?,
            mounts: mount::mounts(&self.volumes)?,
            resources: self
                .resources
                .as_ref()
                .map_or(Ok(engine::Resources::default()), Resources::read)?,
            privileged: self.privileged,
            cap_add: self.cap_add.clone(),
            cap_drop: self.cap_drop.clone(),
            ..Spec::new(name, &self.image)
        })
    }
}

impl Resources {
    fn read(&self) -> Result<engine::Resources, Error> {
        let bytes = |field: &str, value: &Option<Scalar>| {
            let read = |it: &Scalar| amount::bytes(&format!("resources.{field}"), &it.to_string());
            value.as_ref().map(read).transpose()
        };
        let cpus = self.cpu.as_ref().map(|it| amount::nano_cpus("resources.cpu", &it.to_string()));
        let swap = match &self.memory_swap {
            Some(it) if it.to_string() == "-1" => Some(-1),
            swap => bytes("memory_swap", swap)?.map(|it| i64::try_from(it).unwrap_or(i64::MAX)),
        };
        Ok(engine::Resources {
            memory_bytes: bytes("memory", &self.memory)?,
            memory_swap_bytes: swap,
            nano_cpus: cpus.transpose()?,
            pids: self.pids,
            ..engine::Resources::default()
        })
    }
}

/// Sees to it that the engine has the image. Whether it was pulled.
fn fetch(image: &str, pull: Pull) -> Result<bool, Error> {
    let during = |error| About::Image.during(&format!("pulling image '{image}'"), error);
    if pull != Pull::Always {
        if images::find(image).map_err(during)?.is_some() {
            return Ok(false);
        }
        if pull == Pull::Never {
            return Err(About::Image.missing(image));
        }
    }
    images::pull(image, None).map_err(during)?;
    Ok(true)
}

impl Made {
    fn all(&mut self, spec: Spec, start: bool) -> Result<String, Error> {
        self.networks(&spec.networking)?;
        self.volumes = missing_volumes(&spec.mounts)?;
        let id = engine::create_one(spec)?;
        self.container = Some(id.clone());
        if start {
            engine::act(&id, &Act::Start)?;
        }
        Ok(id)
    }

    fn networks(&mut self, networking: &Networking) -> Result<(), Error> {
        let Networking::Networks(wanted) = networking else { return Ok(()) };
        for name in wanted.iter().map(|it| &it.network) {
            if networks::find(name)?.is_some() {
                continue;
            }
            match networks::create(&network::plain(name)) {
                Ok(_) => self.networks.push(name.clone()),
                // Somebody else was faster.
                Err(error) if error.code == Code::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What cannot be taken away is in the log, as the caller is told of what went wrong first.
    fn take_back(self) {
        let removal = Removal { force: true, volumes: true };
        let container = self.container.map(|id| engine::act(&id, &Act::Remove(removal)));
        let volumes = self.volumes.iter().map(|name| volumes::remove(name, true));
        let networks = self.networks.iter().map(|name| networks::remove(name));
        for error in container.into_iter().chain(volumes).chain(networks).filter_map(Result::err) {
            log::write(Level::Warn, &format!("it stays behind: {}", error.message));
        }
    }
}

/// Volumes that come into being with the container.
fn missing_volumes(mounts: &[Mount]) -> Result<Vec<String>, Error> {
    let named = mounts.iter().filter_map(|mount| match mount {
        Mount::Volume(volume) => volume.name.as_ref(),
        _ => None,
    });
    let mut missing = Vec::new();
    for name in named {
        if volumes::find(name)?.is_none() {
            missing.push(name.clone());
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let wish: CreateContainer = serde_json::from_str(json).unwrap();
        let shown = wish.spec().map_or_else(|error| error.message, |spec| format!("{spec:?}"));
        assert!(shown.contains(expected), "{json} is {shown}");
    }

    #[test]
    fn arguments_are_read_before_anything_is_made() {
        let named = |more: &str| format!(r#"{{"image": "nginx", "name": "web", {more}}}"#);
        check(&named(r#""environment": {"A": 1, "B": true}"#), r#"("A", Value::Plain("1"))"#);
        check(&named(r#""secrets": {"A": "key"}"#), r#"("A", Value::Secret("key"))"#);
        check(&named(r#""resources": {"cpu": 0.5, "memory": "1m"}"#), "nano-cpus: Some(500000000)");
        check(&named(r#""resources": {"memory_swap": -1}"#), "memory-swap-bytes: Some(-1)");
        check(&named(r#""command": "echo 'a b'""#), r#"command: Some(["echo", "a b"])"#);
        check(&named(r#""environment": {"A=B": "c"}"#), "`environment` has a variable `A=B`");
        check(&named(r#""resources": {"memory": "much"}"#), "`resources.memory` is `much`");
        check(&named(r#""networks": ["--help"]"#), "`networks` is `--help`");
        check(r#"{"image": "nginx", "name": "--help"}"#, "`name` is `--help`");
        check(
            r#"{"image": "--privileged nginx", "name": "web"}"#,
            "`image` is `--privileged nginx`",
        );
    }
}
