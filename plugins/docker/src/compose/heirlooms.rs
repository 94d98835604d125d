//! Volumes without a name: they go on in the container that takes the place of the one that had them.

use windlass_sdk::{
    Error,
    engine::{self, Mount, Mounted, Spec, VolumeMount},
    volumes,
};

use super::stage::Stage;
use crate::error::About;

/// Names that the engine makes up for volumes have so many letters.
const ANONYMOUS: usize = 64;

/// The volumes without a name of each container that is replaced, by its id.
#[derive(Default)]
pub(crate) struct Heirlooms {
    of: Vec<(String, Vec<Mounted>)>,
    /// What cannot go on, and where it stays.
    pub(crate) warnings: Vec<String>,
}

impl Heirlooms {
    pub(crate) fn look(stage: &Stage<'_>) -> Result<Self, Error> {
        let mut heirlooms = Self::default();
        for before in stage.changes.make.iter().filter_map(|it| it.replaces.as_ref()) {
            let details =
                engine::inspect(&before.id).map_err(|error| About::Container.of(error))?;
            let mut own = Vec::new();
            for mounted in details.volumes {
                let Some(name) = mounted.volume.as_ref().filter(|it| is_anonymous(it)) else {
                    continue;
                };
                // A grant says which names are within reach, and this one nobody chose.
                if matches!(volumes::find(name), Ok(Some(_))) {
                    own.push(mounted);
                } else {
                    heirlooms.warnings.push(format!(
                        "`{}` begins with nothing at `{}`: what was there stays in the volume `{name}`, which `grants.engine.names` does not reach",
                        before.name, mounted.target
                    ));
                }
            }
            heirlooms.of.push((before.id.clone(), own));
        }
        Ok(heirlooms)
    }

    /// Gives a container what the one had whose place it takes.
    pub(crate) fn keep(&self, before: Option<&str>, spec: &mut Spec) {
        let own = self.of.iter().find(|(id, _)| Some(id.as_str()) == before);
        keep(spec, own.map_or(&[], |(_, own)| own));
    }
}

fn is_anonymous(name: &str) -> bool {
    name.len() == ANONYMOUS && name.chars().all(|sign| sign.is_ascii_hexdigit())
}

/// Mounts what another container had, where there is nothing else.
fn keep(spec: &mut Spec, had: &[Mounted]) {
    for mounted in had {
        let place = spec.mounts.iter().position(|it| target(it) == mounted.target);
        let kept = VolumeMount {
            name: mounted.volume.clone(),
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
        keep(&mut spec, &had);
        let names = spec.mounts.iter().map(|it| match it {
            Mount::Volume(it) => (it.name.as_deref(), it.target.as_str()),
            _ => (None, ""),
        });
        let expected = [(Some(&*id), "/open"), (Some("mine"), "/named"), (Some(&*id), "/of-image")];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
}
