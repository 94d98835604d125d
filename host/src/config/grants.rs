//! What one plugin may do, as the operator writes it.

use serde::{Deserialize, Serialize};

use super::{ContainersGrant, EngineGrant, Folder, WorkspacesGrant};

/// An absent grant is a refusal.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// Documents of its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub store: bool,
    /// Where it may send requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
    /// Directories that containers work in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspaces: Option<WorkspacesGrant>,
    /// Programs in containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub containers: Option<ContainersGrant>,
    /// Work that outlives a call.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub jobs: bool,
    /// Folders whose files it may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<Folder>>,
    /// What the user has in the engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineGrant>,
}

impl Grants {
    /// Links every interface. What may be done with them is another question.
    pub fn of_everything() -> Self {
        let everywhere =
            HttpGrant { to: "https://*".to_owned(), private: false, secrets: Vec::new() };
        Self {
            store: true,
            http: vec![everywhere],
            workspaces: Some(WorkspacesGrant::Shared),
            containers: Some(ContainersGrant::default()),
            jobs: true,
            files: Some(Vec::new()),
            engine: Some(EngineGrant::default()),
        }
    }
}

/// One place that a plugin may send requests to.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(from = "Written")]
pub struct HttpGrant {
    /// `scheme://host[:port]`; `*.` before the host stands for every name below it, `:*` for every port.
    pub to: String,
    /// Whether the name may lead to a loopback, link-local or private address.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
    /// Secrets that may travel there in a header.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
}

/// Most grants are only a place: `http = ["https://example.com"]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Place(String),
    Whole(Whole),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    to: String,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    secrets: Vec<String>,
}

impl From<Written> for HttpGrant {
    fn from(written: Written) -> Self {
        match written {
            Written::Place(to) => Self { to, private: false, secrets: Vec::new() },
            Written::Whole(Whole { to, private, secrets }) => Self { to, private, secrets },
        }
    }
}
