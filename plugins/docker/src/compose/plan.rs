//! What a Compose file comes to: the networks, volumes and containers that are wanted.

use std::collections::BTreeSet;

use windlass_sdk::{engine, networks, volumes};

/// A stack as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) project: String,
    pub(crate) networks: Vec<Network>,
    pub(crate) volumes: Vec<Volume>,
    /// Those that are wanted, in the order of their names.
    pub(crate) services: Vec<Service>,
    /// All that the file has, those too that no profile asks for.
    pub(crate) known: BTreeSet<String>,
    /// Paths of keys that nothing looks at.
    pub(crate) ignored: Vec<String>,
    /// What the user should know.
    pub(crate) warnings: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// As the file calls it.
    pub(crate) key: String,
    /// Whether it is there, and not the stack's own.
    pub(crate) external: bool,
    pub(crate) spec: networks::Spec,
}

#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) external: bool,
    pub(crate) spec: volumes::Spec,
}

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    /// Whether the file says how its image is made.
    pub(crate) built: bool,
    pub(crate) pull: Pull,
    pub(crate) replicas: u32,
    /// What its container is called, where that is not made of project and service.
    pub(crate) container_name: Option<String>,
    pub(crate) needs: Vec<Need>,
    pub(crate) ports: Vec<Port>,
    /// All but its name, its ports and the labels of Compose.
    pub(crate) spec: engine::Spec,
}

/// When an image is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pull {
    Missing,
    Always,
    Never,
}

/// A service that has to be there before another one starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) service: String,
    pub(crate) condition: Condition,
    /// Whether the other one cannot do without.
    pub(crate) required: bool,
    /// Whether the other one starts again with it.
    pub(crate) restart: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Started,
    Healthy,
    Completed,
}

/// A port that is published: by each container of a service at a place of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) address: Option<String>,
    /// The first and the last port of the machine that it may have. None: a free one.
    pub(crate) published: Option<(u16, u16)>,
    pub(crate) target: u16,
    pub(crate) protocol: String,
}

impl Plan {
    pub(crate) fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|it| it.name == name)
    }
}

impl Service {
    /// What its container of this number is called.
    pub(crate) fn container(&self, project: &str, number: u32) -> String {
        match &self.container_name {
            Some(name) => name.clone(),
            None => format!("{project}-{}-{number}", self.name),
        }
    }
}

impl Port {
    /// The port as the container of this number has it.
    pub(crate) fn of_number(&self, number: u32) -> Option<engine::Published> {
        let port = match self.published {
            None => None,
            Some((first, last)) => {
                let port = u32::from(first).checked_add(number.checked_sub(1)?)?;
                Some(u16::try_from(port).ok().filter(|port| *port <= last)?)
            }
        };
        let (address, protocol) = (self.address.clone(), self.protocol.clone());
        Some(engine::Published { address, port, target: self.target, protocol })
    }
}

impl Condition {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Started => "service_started",
            Self::Healthy => "service_healthy",
            Self::Completed => "service_completed_successfully",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        [Self::Started, Self::Healthy, Self::Completed].into_iter().find(|it| it.word() == word)
    }
}
