//! Who may call what, as the operator writes it.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;

use super::{OAuthConfig, QuotaConfig};
use crate::secrets::Reference;

/// Roles, and who has them without being asked who they are.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct AccessConfig {
    /// What each role may do. `admin` and `user` are there without being written, and can be written anew.
    pub roles: BTreeMap<String, Role>,
    /// Tools that everybody may call who is let in, by name, `*` for any part.
    pub auto_approve: Vec<String>,
    /// Whether what one caller makes is there for all others.
    pub shared: bool,
    /// The roles of whoever started the host, or has the token of its state directory.
    pub local: Vec<String>,
    /// How much each caller may take whose roles say nothing of it. Whoever started the host is not meant.
    pub quota: QuotaConfig,
    /// Who makes tokens for callers, besides the host itself.
    pub oauth: Option<OAuthConfig>,
    /// The roles of who has a certificate with this name in it.
    pub certificates: BTreeMap<String, Vec<String>>,
    /// Whether callers can change the secret of their token for a token of an hour.
    pub authenticate: bool,
    /// What such tokens are signed with. Absent: something that ends with the host.
    pub authenticate_secret: Option<Reference>,
}

/// What a role may do. What both lists name is refused.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Role {
    pub allow: Vec<Rule>,
    pub deny: Vec<Rule>,
    /// Whether it may call destructive tools through a client that cannot ask the user.
    pub unasked: bool,
    /// How much each caller may take who has it.
    pub quota: Option<QuotaConfig>,
}

/// Calls that are meant: all that fit each of its parts. A part that is absent fits all.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(from = "Written")]
pub struct Rule {
    /// By name, `*` for any part.
    pub tools: Vec<String>,
    pub plugins: Vec<String>,
    /// Tools that change nothing, or those that do.
    pub read_only: Option<bool>,
    /// Tools that may destroy what cannot be had back, or the others.
    pub destructive: Option<bool>,
    /// Arguments by name, each as text, `*` for any part.
    pub arguments: BTreeMap<String, String>,
}

/// Most rules are only a name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Name(String),
    Whole(Whole),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    #[serde(default)]
    tools: Vec<String>,
    #[serde(default)]
    plugins: Vec<String>,
    read_only: Option<bool>,
    destructive: Option<bool>,
    #[serde(default)]
    arguments: BTreeMap<String, String>,
}

impl From<Written> for Rule {
    fn from(written: Written) -> Self {
        match written {
            Written::Name(name) => Self { tools: vec![name], ..Self::default() },
            Written::Whole(Whole { tools, plugins, read_only, destructive, arguments }) => {
                Self { tools, plugins, read_only, destructive, arguments }
            }
        }
    }
}

impl Default for AccessConfig {
    fn default() -> Self {
        Self {
            roles: BTreeMap::new(),
            auto_approve: Vec::new(),
            shared: false,
            local: vec!["admin".to_owned()],
            quota: QuotaConfig::default(),
            oauth: None,
            certificates: BTreeMap::new(),
            authenticate: false,
            authenticate_secret: None,
        }
    }
}

/// What the role `user` may call where nobody says otherwise: it looks and changes nothing.
const USER: [&str; 6] = [
    "list-containers",
    "get-logs",
    "network-list",
    "network-inspect",
    "compose-ps",
    "compose-logs",
];

impl AccessConfig {
    /// The role of this name, if there is one.
    pub fn role(&self, name: &str) -> Option<Cow<'_, Role>> {
        if let Some(role) = self.roles.get(name) {
            return Some(Cow::Borrowed(role));
        }
        let tools = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
        let allow = |names: &[&str]| vec![Rule { tools: tools(names), ..Rule::default() }];
        let built_in = match name {
            "admin" => Role { allow: allow(&["*"]), unasked: true, ..Role::default() },
            "user" => Role { allow: allow(&USER), ..Role::default() },
            _ => return None,
        };
        Some(Cow::Owned(built_in))
    }
}
