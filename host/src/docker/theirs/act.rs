//! What is done to the user's containers: made, started, stopped, named anew, removed, entered.

use bollard::{
    body_full,
    models::{EndpointSettings, NetworkConnectRequest},
    query_parameters::{
        CreateContainerOptions, RemoveContainerOptions, RenameContainerOptions,
        RestartContainerOptions, StartContainerOptions, StopContainerOptions,
        UploadToContainerOptions,
    },
};

use super::{
    super::{Docker, Exec, Running, failure::Trouble},
    body::{self, Contents},
};
use crate::{
    capability::engine::Removal,
    error::{Result, conflict},
    policy::{Approved, Entering, NewTheirs, Theirs},
};

impl Docker {
    /// Makes a container, and leaves nothing where that fails half-way. Gives its id.
    pub async fn make_theirs(
        &self,
        wanted: &Approved<NewTheirs>,
        contents: Contents,
    ) -> Result<String> {
        let name = &wanted.request().spec.name;
        let what = format!("make container `{name}`");
        let made = body::container(wanted.request(), &contents);
        let options = CreateContainerOptions {
            name: Some(name.clone()),
            platform: wanted.request().spec.platform.clone().unwrap_or_default(),
        };
        let created = self
            .quickly(async |client| client.create_container(Some(options), made.body).await)
            .await?;
        let id = match created {
            Ok(created) => created.id,
            Err(trouble) if trouble.is(409) || trouble.says(&["already in use"]) => {
                return Err(conflict(format!("cannot {what}: {trouble}"))
                    .with_detail("error_code", "CONFLICT"));
            }
            Err(trouble) => return Err(trouble.doing(&what)),
        };
        let finished = self.finish_theirs(&id, wanted, made.others, &contents).await;
        if let Err(failure) = finished {
            self.take_back_theirs(&id).await;
            return Err(failure);
        }
        Ok(id)
    }

    /// Removes what was made a moment ago and nobody wants.
    pub async fn take_back_theirs(&self, id: &str) {
        let options = RemoveContainerOptions { force: true, v: true, link: false };
        let removed =
            self.slowly(async |client| client.remove_container(id, Some(options)).await).await;
        if let Ok(Err(trouble)) = removed {
            tracing::warn!(container = id, "it is half made and stays behind: {trouble}");
        }
    }

    /// Older engines take one network when a container is made, and the others afterwards.
    async fn finish_theirs(
        &self,
        id: &str,
        wanted: &Approved<NewTheirs>,
        others: Vec<(String, EndpointSettings)>,
        contents: &Contents,
    ) -> Result<()> {
        for (network, endpoint) in others {
            let what = format!("join network `{network}`");
            let request =
                NetworkConnectRequest { container: id.to_owned(), endpoint_config: Some(endpoint) };
            let joined = self
                .quickly(async |client| client.connect_network(&network, request).await)
                .await?;
            joined.map_err(|trouble| trouble.doing(&what))?;
        }
        for (folder, archive) in contents.archives(wanted.request().spec.read_only)? {
            let options = UploadToContainerOptions { path: folder.clone(), ..Default::default() };
            let body = body_full(archive.into());
            let put = self
                .slowly(async |client| client.upload_to_container(id, Some(options), body).await)
                .await?;
            put.map_err(|trouble| trouble.doing(&format!("put files into `{folder}`")))?;
        }
        Ok(())
    }

    pub async fn start_theirs(&self, theirs: &Approved<Theirs>) -> Result<()> {
        let options = None::<StartContainerOptions>;
        let id = &theirs.request().id;
        let done = self.slowly(async |client| client.start_container(id, options).await).await?;
        done.map_err(|trouble| doing(trouble, "start", theirs))
    }

    pub async fn stop_theirs(&self, theirs: &Approved<Theirs>, grace_s: Option<u32>) -> Result<()> {
        let t = grace_s.map(grace);
        let options = StopContainerOptions { t, ..StopContainerOptions::default() };
        let id = &theirs.request().id;
        let done =
            self.slowly(async |client| client.stop_container(id, Some(options)).await).await?;
        done.map_err(|trouble| doing(trouble, "stop", theirs))
    }

    pub async fn restart_theirs(
        &self,
        theirs: &Approved<Theirs>,
        grace_s: Option<u32>,
    ) -> Result<()> {
        let t = grace_s.map(grace);
        let options = RestartContainerOptions { t, ..RestartContainerOptions::default() };
        let id = &theirs.request().id;
        let done =
            self.slowly(async |client| client.restart_container(id, Some(options)).await).await?;
        done.map_err(|trouble| doing(trouble, "restart", theirs))
    }

    /// What is gone already is removed.
    pub async fn remove_theirs(&self, theirs: &Approved<Theirs>, removal: Removal) -> Result<()> {
        let options =
            RemoveContainerOptions { force: removal.force, v: removal.volumes, link: false };
        let id = &theirs.request().id;
        let done =
            self.slowly(async |client| client.remove_container(id, Some(options)).await).await?;
        match done {
            Err(trouble) if trouble.is(404) || trouble.says(&["already in progress"]) => Ok(()),
            done => done.map_err(|trouble| doing(trouble, "remove", theirs)),
        }
    }

    pub async fn rename_theirs(&self, theirs: &Approved<Theirs>, name: &str) -> Result<()> {
        let options = RenameContainerOptions { name: name.to_owned() };
        let id = &theirs.request().id;
        let done = self.quickly(async |client| client.rename_container(id, options).await).await?;
        done.map_err(|trouble| doing(trouble, "rename", theirs))
    }

    /// Starts a command. `env` has the values of secrets in it.
    pub async fn exec_theirs(
        &self,
        entering: &Approved<Entering>,
        env: Vec<String>,
    ) -> Result<Running> {
        let Entering { into, command } = entering.request();
        let exec = Exec {
            command: command.argv.clone(),
            env,
            cwd: command.working_dir.clone(),
            stdin: command.stdin.clone(),
            user: command.user.clone(),
        };
        self.exec_in(&into.id, &into.name, exec).await
    }
}

fn doing(trouble: Trouble, act: &str, theirs: &Approved<Theirs>) -> crate::error::Failure {
    trouble.doing(&format!("{act} container `{}`", theirs.request().name))
}

fn grace(seconds: u32) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}
