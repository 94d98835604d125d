//! A service's container, ready to be made: its name, its port, its labels, and what it is known by again.

use windlass_sdk::engine::{Mount, Mounted, Spec, VolumeMount};

use super::{
    found::{HASH, NEEDS, NUMBER, ONE_OFF, PROJECT, SERVICE, needs_label},
    load::Source,
    plan::Service,
    top::{VERSION, VERSION_LABEL, digest},
};

/// Names that the engine makes up for volumes have so many letters.
const ANONYMOUS: usize = 64;

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

/// Mounts the volumes without a name that a container had, where its successor has nothing else.
pub(crate) fn keep_volumes(spec: &mut Spec, had: &[Mounted]) {
    let is_anonymous =
        |name: &str| name.len() == ANONYMOUS && name.chars().all(|sign| sign.is_ascii_hexdigit());
    for mounted in had {
        let Some(name) = mounted.volume.as_ref().filter(|name| is_anonymous(name)) else {
            continue;
        };
        let place = spec.mounts.iter().position(|it| target(it) == mounted.target);
        let kept = VolumeMount {
            name: Some(name.clone()),
            target: mounted.target.clone(),
            read_only: false,
            no_copy: false,
        };
        match place.and_then(|at| spec.mounts.get_mut(at)) {
            None => spec.mounts.push(Mount::Volume(kept)),
            Some(Mount::Volume(volume)) if volume.name.is_none() => volume.name = kept.name,
            Some(_) => {}
        }
    }
}

fn target(mount: &Mount) -> &str {
    match mount {
        Mount::Bind(bind) => &bind.target,
        Mount::Volume(volume) => &volume.target,
        Mount::Tmpfs(tmpfs) => &tmpfs.target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_without_a_name_go_on_in_the_next_container() {
        let mounted = |volume: Option<&str>, target: &str| Mounted {
            volume: volume.map(str::to_owned),
            target: target.to_owned(),
        };
        let volume = |name: Option<&str>, target: &str| {
            let name = name.map(str::to_owned);
            Mount::Volume(VolumeMount {
                name,
                target: target.to_owned(),
                read_only: false,
                no_copy: false,
            })
        };
        let id = "ab".repeat(32);
        let mut spec = Spec::new("a", "b");
        spec.mounts = vec![volume(None, "/open"), volume(Some("mine"), "/named")];
        let had = ["/open", "/named", "/of-image"].map(|it| mounted(Some(&id), it));
        keep_volumes(&mut spec, &had);
        keep_volumes(&mut spec, &[mounted(Some("other"), "/x"), mounted(None, "/bind")]);
        let names = spec.mounts.iter().map(|it| match it {
            Mount::Volume(it) => (it.name.as_deref(), it.target.as_str()),
            _ => (None, ""),
        });
        let expected = [(Some(&*id), "/open"), (Some("mine"), "/named"), (Some(&*id), "/of-image")];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
}
