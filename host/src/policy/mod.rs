//! Every yes and no of the host. Pure: nothing here waits, reads or writes.
//!
//! A yes is a value: the doors take an [`Approved`] request, and only this module makes one.

mod access;
mod quota;
mod containers;
mod beside;
mod going_on;
mod processes;
mod jobs;
mod egress;
mod engine;
mod reach;
mod images;
mod network;
mod store;
mod workspaces;
mod workspace_path;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    capability::tools::Hints,
    config::Grants,
    error::{Result, denied},
};

pub use access::{Called, Verdict, judge};
pub use beside::Beside;
pub use containers::{AskedContainer, Named, NewContainer};
pub use egress::{PROXY_PORT, Peer};
pub use engine::{
    BindPlace, Breach, Entering, Fetching, FilePlace, Kind, Looking, MADE_FOR, NewNetwork,
    NewTheirs, NewVolume, Theirs,
};
pub use images::Image;
pub use jobs::{AskedJob, JobsOf, NewJob, Note, page_of_jobs};
pub use network::{Place, Target, is_private};
pub use processes::NewProcess;
pub use quota::{Bound, Over, Quota, Taken, quota_of, quota_of_all, quota_of_local};
pub use reach::Reach;
pub use store::{Document, Page};
pub use workspace_path::WorkspacePath;
pub use workspaces::{
    CopyFrom, InWorkspace, ListPaths, NewWorkspace, OpenWorkspace, PackPaths, ReadPart, Step,
    Unpack, WholeWorkspace,
};

/// Who calls where nobody says who: whoever started the host.
pub const LOCAL: &str = "local";
/// Stands between a plugin and the caller that it made something for.
const FOR: char = '@';

/// What one plugin may do in one call.
#[derive(Clone, Debug)]
pub struct Policy {
    plugin: Arc<str>,
    grants: Arc<Grants>,
    places: Arc<[Place]>,
    egress: Arc<egress::Egress>,
    reach: Reach,
    tool: Option<ToolPromise>,
    caller: Arc<str>,
    /// Whose all is that is made: the plugin's, on the caller's behalf.
    owner: Arc<str>,
}

/// What the tool at hand said of itself. It is held to it.
#[derive(Clone, Debug)]
struct ToolPromise {
    name: Arc<str>,
    hints: Hints,
    /// Set where it would have changed something, had the user been asked.
    trial: Option<Arc<AtomicBool>>,
}

/// A request that the policy allows, and for which plugin.
#[derive(Debug)]
pub struct Approved<T> {
    owner: Arc<str>,
    request: T,
}

impl Policy {
    /// The policy of a plugin. Fails where a grant cannot be understood, and says which.
    pub fn new(plugin: &str, grants: Grants) -> Result<Self, String> {
        let places = grants.http.iter().map(Place::new).collect::<Result<_, _>>()?;
        let egress = Arc::new(egress::Egress::new(grants.containers.as_ref())?);
        Ok(Self {
            plugin: plugin.into(),
            grants: Arc::new(grants),
            places,
            egress,
            reach: Reach::Granted,
            tool: None,
            caller: LOCAL.into(),
            owner: plugin.into(),
        })
    }

    /// The same policy for the call of one tool.
    #[must_use]
    pub fn for_tool(&self, name: &Arc<str>, hints: Hints) -> Self {
        let promise = ToolPromise { name: name.clone(), hints, trial: None };
        Self { tool: Some(promise), ..self.clone() }
    }

    /// The same policy for finding out whether the tool at hand changes anything: it is refused, and the flag is set.
    #[must_use]
    pub fn on_trial(mut self, changes: &Arc<AtomicBool>) -> Self {
        if let Some(tool) = &mut self.tool {
            tool.trial = Some(changes.clone());
        }
        self
    }

    /// The same policy on behalf of a caller.
    #[must_use]
    pub fn for_caller(&self, caller: &Arc<str>) -> Self {
        let owner = owner_for(&self.plugin, caller);
        Self { caller: caller.clone(), owner, ..self.clone() }
    }

    /// The same policy for one container's way out.
    #[must_use]
    pub fn within(&self, reach: Reach) -> Self {
        Self { reach, ..self.clone() }
    }

    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// On whose behalf it is asked.
    pub fn caller(&self) -> &str {
        &self.caller
    }

    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    fn approved<T>(&self, request: T) -> Approved<T> {
        Approved { owner: self.owner.clone(), request }
    }

    /// A tool that says it changes nothing changes nothing.
    fn may_write(&self, what: &str) -> Result<()> {
        match &self.tool {
            Some(tool) if tool.hints.contains(Hints::READ_ONLY) => Err(denied(format!(
                "tool `{}` says it is read-only: `{what}` is refused",
                tool.name
            ))),
            Some(ToolPromise { trial: Some(changes), .. }) => {
                changes.store(true, Ordering::Relaxed);
                Err(denied(format!("the user has to be asked before `{what}`")))
            }
            _ => Ok(()),
        }
    }

    /// A tool that says it stays on this host stays on it.
    fn may_leave(&self, what: &str) -> Result<()> {
        match &self.tool {
            Some(tool) if !tool.hints.contains(Hints::OPEN_WORLD) => Err(denied(format!(
                "tool `{}` does not say it is open-world: `{what}` is refused",
                tool.name
            ))),
            _ => Ok(()),
        }
    }
}

/// Whose it is what a plugin makes for a caller. For whoever started the host it is the plugin's alone.
fn owner_for(plugin: &Arc<str>, caller: &str) -> Arc<str> {
    if caller == LOCAL { plugin.clone() } else { format!("{plugin}{FOR}{caller}").into() }
}

/// The plugin of an owner.
pub fn plugin_of(owner: &str) -> &str {
    owner.split_once(FOR).map_or(owner, |(plugin, _)| plugin)
}

/// The caller of an owner.
pub fn caller_of(owner: &str) -> &str {
    owner.split_once(FOR).map_or(LOCAL, |(_, caller)| caller)
}

impl<T> Approved<T> {
    /// Whose it is: the plugin's that asked, for the caller that it asked for.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The plugin that asked.
    pub fn plugin(&self) -> &str {
        plugin_of(&self.owner)
    }

    pub fn request(&self) -> &T {
        &self.request
    }
}
