//! Containers that the user has in the engine, by the names that people gave them.

use crate::types::Value;

pub use crate::bindings::windlass::plugin::engine::{
    Act, Address, Attachment, Bind, Command, Details, Device, File, FileContent, Filter, Health,
    HealthCheck, LogWish, Logging, Mount, Mounted, Networking, Output, Piece, Published, Ran,
    Removal, Resources, Restart, Spec, State, Summary, Tmpfs, Ulimit, Usage, VolumeMount, Wellness,
    create, each, exec, inspect, list, logs, measure,
};

use crate::Error;

impl Spec {
    /// A container of this image, and all else as the image and the engine have it.
    pub fn new(name: impl Into<String>, image: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            image: image.into(),
            platform: None,
            entrypoint: None,
            command: None,
            env: Vec::new(),
            labels: Vec::new(),
            user: None,
            groups: Vec::new(),
            working_dir: None,
            hostname: None,
            domainname: None,
            tty: false,
            stdin_open: false,
            init: None,
            read_only: false,
            stop_signal: None,
            stop_timeout_s: None,
            health: Health::OfImage,
            restart: Restart::Never,
            ports: Vec::new(),
            expose: Vec::new(),
            networking: Networking::Networks(Vec::new()),
            dns: Vec::new(),
            dns_search: Vec::new(),
            dns_options: Vec::new(),
            extra_hosts: Vec::new(),
            mounts: Vec::new(),
            files: Vec::new(),
            resources: Resources::default(),
            logging: None,
            privileged: false,
            cap_add: Vec::new(),
            cap_drop: Vec::new(),
            security: Vec::new(),
            devices: Vec::new(),
            sysctls: Vec::new(),
            pid: None,
            ipc: None,
        }
    }

    /// Adds a variable to the environment of its programs.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), Value::Plain(value.into())));
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }
}

impl Default for Resources {
    /// Without bounds.
    fn default() -> Self {
        Self {
            memory_bytes: None,
            memory_reservation_bytes: None,
            memory_swap_bytes: None,
            nano_cpus: None,
            cpu_shares: None,
            cpuset: None,
            pids: None,
            shm_bytes: None,
            oom_score_adj: None,
            ulimits: Vec::new(),
        }
    }
}

impl Attachment {
    /// This network, under the container's own name alone.
    pub fn to(network: impl Into<String>) -> Self {
        Self { network: network.into(), aliases: Vec::new(), ipv4: None, ipv6: None }
    }
}

/// Does something to one container, by name or id.
pub fn act(name: &str, act: &Act) -> Result<(), Error> {
    let mut outcomes = each(&[name.to_owned()], act)?;
    outcomes.pop().unwrap_or(Ok(()))
}

/// Makes one container, and does not start it. Gives its id.
pub fn create_one(spec: Spec) -> Result<String, Error> {
    let mut outcomes = create(&[spec])?;
    outcomes.pop().unwrap_or_else(|| {
        Err(Error::new(crate::types::Code::Other, "the host said nothing of the container"))
    })
}
