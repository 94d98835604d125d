//! What the operator can set: the image, the identity, the credentials, the limits.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// An image with git, git's HTTP helper and a POSIX shell.
const IMAGE: &str = "alpine/git:2.47.2";
/// Longer than most clones take, and shorter than a call may.
const TIMEOUT_S: u32 = 240;

/// How repositories are worked on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The image that git runs in. It needs `git`, `git-remote-http` and `sh`.
    pub image: String,
    /// Whom commits are by, where the repository does not say.
    pub user_name: String,
    /// The mail address of the same.
    pub user_email: String,
    /// Who clones, fetches and pushes where: by `host` or `host:port` for HTTPS, and `http://host:port` where passwords may
    /// travel in the open. `host.docker.internal`, which is this machine, needs no `http://`.
    pub credentials: BTreeMap<String, Credential>,
    /// After how many seconds a git command is ended.
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_s: u32,
    /// Sub-commands that the tool `git` takes beside its nine: `fetch`, `merge`, `show` and such.
    pub commands: Vec<String>,
}

/// Who somebody is to a host.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// For tokens often a fixed word, such as `x-access-token`.
    #[serde(default = "token_user")]
    pub username: String,
    /// The name of the secret that is the password or token. `grants.containers.secrets` has to name it too.
    pub secret: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            image: IMAGE.to_owned(),
            user_name: "Windlass".to_owned(),
            user_email: "windlass@localhost".to_owned(),
            credentials: BTreeMap::new(),
            timeout_s: TIMEOUT_S,
            commands: Vec::new(),
        }
    }
}

fn token_user() -> String {
    "x-access-token".to_owned()
}
