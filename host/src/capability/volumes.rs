//! `volumes`: volumes in the engine.

use super::{CallState, bindings::windlass::plugin::volumes as wit};
use crate::error::{Result, not_found};

pub use wit::{Spec, Volume};

impl wit::Host for CallState {
    async fn list(&mut self) -> Result<Vec<Volume>> {
        let looking = self.policy.approve_looking_around("volumes.list")?;
        let listed = self.docker().await?.list_volumes(&looking).await?;
        let within = listed.into_iter().filter(|(theirs, _)| self.policy.reaches(theirs));
        Ok(within.map(|(_, volume)| volume).collect())
    }

    async fn find(&mut self, name: String) -> Result<Option<Volume>> {
        let looking = self.policy.approve_looking_around("volumes.find")?;
        let found = self.docker().await?.find_volume(&looking, &name).await?;
        let Some((theirs, volume)) = found else { return Ok(None) };
        self.policy.approve_seeing(theirs)?;
        Ok(Some(volume))
    }

    async fn create(&mut self, spec: Spec) -> Result<()> {
        let name = spec.name.clone();
        let wanted = self.policy.approve_new_volume(spec)?;
        self.effects.add(format!("volume create {name}"));
        self.docker().await?.make_volume(&wanted).await
    }

    async fn remove(&mut self, name: String, force: bool) -> Result<()> {
        let looking = self.policy.approve_looking_around("volumes.remove")?;
        let docker = self.docker().await?;
        let Some((theirs, _)) = docker.find_volume(&looking, &name).await? else {
            if force {
                return Ok(());
            }
            return Err(not_found(format!("there is no volume `{}`", name.escape_debug())));
        };
        let volume = self.policy.approve_handling("volumes.remove", theirs)?;
        self.effects.add(format!("volume remove {name}"));
        docker.remove_volume(&volume).await
    }
}
