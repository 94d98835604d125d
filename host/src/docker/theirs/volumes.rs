//! The user's volumes.

use std::collections::{HashMap, HashSet};

use bollard::{
    models::{Volume as Listed, VolumeCreateRequest},
    query_parameters::{ListVolumesOptions, RemoveVolumeOptions},
};

use super::{super::Docker, find::is_name, networks::sorted};
use crate::{
    capability::volumes::Volume,
    error::Result,
    policy::{Approved, Kind, Looking, NewVolume, Theirs},
    time,
};

impl Docker {
    pub async fn list_volumes(&self, _: &Approved<Looking>) -> Result<Vec<(Theirs, Volume)>> {
        let all = self.volumes(HashMap::new()).await?;
        let dangling = HashMap::from([("dangling".to_owned(), vec!["true".to_owned()])]);
        let unused: HashSet<_> =
            self.volumes(dangling).await?.into_iter().map(|it| it.name).collect();
        Ok(all.into_iter().map(|it| volume(it, &unused)).collect())
    }

    async fn volumes(&self, filters: HashMap<String, Vec<String>>) -> Result<Vec<Listed>> {
        let options = ListVolumesOptions { filters: Some(filters) };
        let listed = self.quickly(async |client| client.list_volumes(Some(options)).await).await?;
        let listed = listed.map_err(|trouble| trouble.doing("list the volumes"))?;
        Ok(listed.volumes.unwrap_or_default())
    }

    pub async fn find_volume(
        &self,
        _: &Approved<Looking>,
        name: &str,
    ) -> Result<Option<(Theirs, Volume)>> {
        if !is_name(name) {
            return Ok(None);
        }
        match self.quickly(async |client| client.inspect_volume(name).await).await? {
            Ok(found) => {
                let filters = HashMap::from([
                    ("dangling".to_owned(), vec!["true".to_owned()]),
                    ("name".to_owned(), vec![found.name.clone()]),
                ]);
                let unused: HashSet<_> =
                    self.volumes(filters).await?.into_iter().map(|it| it.name).collect();
                Ok(Some(volume(found, &unused)))
            }
            Err(trouble) if trouble.is(404) => Ok(None),
            Err(trouble) => Err(trouble.doing(&format!("look at volume `{name}`"))),
        }
    }

    pub async fn make_volume(&self, wanted: &Approved<NewVolume>) -> Result<()> {
        let spec = &wanted.request().0;
        let request = VolumeCreateRequest {
            name: Some(spec.name.clone()),
            driver: spec.driver.clone().filter(|it| !it.is_empty()),
            driver_opts: Some(spec.options.iter().cloned().collect()),
            labels: Some(spec.labels.iter().cloned().collect()),
            cluster_volume_spec: None,
        };
        let made = self.quickly(async |client| client.create_volume(request).await).await?;
        made.map_err(|trouble| trouble.doing(&format!("make volume `{}`", spec.name)))?;
        Ok(())
    }

    pub async fn remove_volume(&self, volume: &Approved<Theirs>) -> Result<()> {
        let Theirs { id, name, .. } = volume.request();
        let options = None::<RemoveVolumeOptions>;
        let done = self.quickly(async |client| client.remove_volume(id, options).await).await?;
        done.map_err(|trouble| trouble.doing(&format!("remove volume `{name}`")))
    }
}

fn volume(it: Listed, unused: &HashSet<String>) -> (Theirs, Volume) {
    let volume = Volume {
        unused: unused.contains(&it.name),
        driver: it.driver,
        mountpoint: it.mountpoint,
        created: it.created_at.as_deref().map_or(0, time::of_text),
        labels: sorted(&it.labels),
        name: it.name.clone(),
    };
    let theirs = Theirs {
        kind: Kind::Volume,
        id: it.name.clone(),
        name: it.name,
        labels: it.labels,
        breaches: Vec::new(),
    };
    (theirs, volume)
}
