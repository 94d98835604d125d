//! The user's containers, with the values of secrets put in place.

use std::time::Duration;

use tokio::{sync::oneshot, time::timeout};

use super::{Rooms, make::plain};
use crate::{
    capability::{
        engine::{Details, File, FileContent, Ran},
        types::Value,
    },
    docker::{Content, Contents, FoundTheirs, Tail},
    error::{Result, trap},
    policy::{Approved, Entering, NewTheirs, Theirs, caller_of},
    secrets::Values,
};

/// What stands in place of a secret.
const HIDDEN: &str = "***";

impl Rooms {
    /// Makes a container of the user's. Gives its id. What has begun is finished, and taken back where nobody waits for it any more.
    pub async fn make_theirs(&self, wanted: Approved<NewTheirs>) -> Result<String> {
        let secrets = self.secrets(wanted.owner());
        let spec = &wanted.request().spec;
        let env = environment(&spec.env, &secrets)?;
        let content = |file: &File| content(file, &secrets);
        let files = spec.files.iter().map(content).collect::<Result<_>>()?;
        let labels = self.docker.taken_labels(caller_of(wanted.owner()), wanted.request());
        let (docker, contents) = (self.docker.clone(), Contents { env, files, labels });
        let taking = self.room_for_theirs(&wanted).await?;
        let (told, hear) = oneshot::channel();
        self.inside.spawn(async move {
            let _taking = taking;
            let made = docker.make_theirs(&wanted, contents).await;
            if let Err(Ok(id)) = told.send(made) {
                docker.take_back_theirs(&id).await;
            }
        });
        hear.await.map_err(|_| trap("making a container broke off"))?
    }

    /// All that is known of one, without the values of secrets.
    pub fn details_of_theirs(&self, theirs: &Approved<Theirs>, found: FoundTheirs) -> Details {
        let mut details = found.details();
        for value in self.secrets(theirs.owner()).all().filter(|value| !value.is_empty()) {
            // In JSON a value may be written in another way than it is.
            let written = serde_json::to_string(value).unwrap_or_default();
            details.json = details.json.replace(written.trim_matches('"'), HIDDEN);
        }
        details
    }

    /// Runs a command in one, and waits for it as long as is said.
    pub async fn enter_theirs(&self, entering: &Approved<Entering>) -> Result<Ran> {
        let command = &entering.request().command;
        let env = environment(&command.env, &self.secrets(entering.owner()))?;
        let mut running = self.docker.exec_theirs(entering, env).await?;
        let mut tail = Tail::new(command.most_bytes);
        let reading = async {
            while let Some(piece) = running.next().await {
                let piece = piece?;
                tail.push(piece.stderr, piece.bytes);
            }
            running.code().await
        };
        let waited = timeout(Duration::from_millis(command.timeout_ms.into()), reading).await;
        let timed_out = waited.is_err();
        let exit_code = waited.unwrap_or(Ok(None))?;
        Ok(Ran { exit_code, timed_out, output: tail.output() })
    }
}

fn environment(env: &[(String, Value)], secrets: &Values) -> Result<Vec<String>> {
    let variable =
        |(name, value): &(String, Value)| Ok(format!("{name}={}", plain(value, secrets)?));
    env.iter().map(variable).collect()
}

fn content(file: &File, secrets: &Values) -> Result<Content> {
    let bytes = match &file.content {
        FileContent::Bytes(bytes) => bytes.clone(),
        FileContent::Secret(name) => {
            plain(&Value::Secret(name.clone()), secrets)?.as_bytes().to_vec()
        }
    };
    Ok(Content { path: file.path.clone(), bytes, mode: file.mode, uid: file.uid, gid: file.gid })
}
