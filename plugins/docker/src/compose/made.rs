//! A service's container, ready to be made: its name, its port, its labels, and what it is known by again.

use windlass_sdk::engine::Spec;

use super::{
    found::{HASH, NEEDS, NUMBER, ONE_OFF, PROJECT, SERVICE, needs_label},
    load::Source,
    plan::Service,
    top::{VERSION, VERSION_LABEL, digest},
};

/// What a service comes to with this image: whatever changes in a container changes it.
pub(crate) fn hash(service: &Service, image_id: &str) -> String {
    let Service { spec, ports, container_name, .. } = service;
    digest(&format!("{spec:?} {ports:?} {container_name:?} {image_id}"))
}

/// What the containers of a project have in common.
pub(crate) struct Stamp<'a> {
    pub(crate) project: &'a str,
    pub(crate) source: &'a Source,
}

impl Stamp<'_> {
    /// The container of this number.
    pub(crate) fn spec(&self, service: &Service, number: u32, hash: &str, image_id: &str) -> Spec {
        let mut spec = service.spec.clone();
        spec.name = service.container(self.project, number);
        spec.ports = service.ports.iter().filter_map(|port| port.of_number(number)).collect();
        let number = number.to_string();
        let needs = needs_label(&service.needs);
        let folder = self.source.place.0.as_deref().unwrap_or_default();
        let file = if folder.is_empty() { "" } else { &self.source.name };
        let labels = [
            (PROJECT, self.project),
            (SERVICE, &service.name),
            (NUMBER, &number),
            (ONE_OFF, "False"),
            (HASH, hash),
            (NEEDS, &needs),
            ("com.docker.compose.image", image_id),
            ("com.docker.compose.project.working_dir", folder),
            ("com.docker.compose.project.config_files", file),
            (VERSION_LABEL, VERSION),
        ];
        spec.labels.extend(labels.map(|(name, value)| (name.to_owned(), value.to_owned())));
        spec
    }
}
