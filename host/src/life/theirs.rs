//! The user's containers, with the values of secrets put in place.

use std::time::Duration;

use tokio::time::timeout;

use super::{Rooms, make::plain};
use crate::{
    capability::{
        engine::{File, FileContent, Ran},
        types::Value,
    },
    docker::{Content, Contents, Tail},
    error::Result,
    policy::{Approved, Entering, NewTheirs},
    secrets::Values,
};

impl Rooms {
    /// Makes a container of the user's. Gives its id.
    pub async fn make_theirs(&self, wanted: &Approved<NewTheirs>) -> Result<String> {
        let secrets = self.secrets(wanted.owner());
        let spec = &wanted.request().spec;
        let env = environment(&spec.env, &secrets)?;
        let content = |file: &File| content(file, &secrets);
        let files = spec.files.iter().map(content).collect::<Result<_>>()?;
        self.docker.make_theirs(wanted, Contents { env, files }).await
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
