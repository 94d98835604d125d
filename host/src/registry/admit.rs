//! A call's way in: counted, and then given a place when it is the caller's turn.

use std::sync::Arc;

use super::{By, OfferedTool, Registry};
use crate::{
    access::Caller,
    admission::{Admission, Queue, Quotas},
    capability::types::Error,
    plugin::{Nobody, Observer, Plugin},
};

impl Registry {
    pub fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// Counts a call of a tool, and takes one of the places that calls have. The observer hears how many are before it.
    pub async fn admit_call(
        &self,
        caller: &Caller,
        tool: &OfferedTool,
        observer: &dyn Observer,
    ) -> Result<Admission, Error> {
        let quota = self.quotas.of_caller(caller);
        self.quotas.count_call(caller, &quota)?;
        let plugin = match &tool.by {
            By::Plugin { plugin, .. } => Some(&**plugin),
            By::Host(_) => None,
        };
        self.queue.enter((&caller.name, &quota), plugin, observer).await
    }

    /// The same for what is no call of a tool, and is not counted.
    pub async fn admit(&self, caller: &Caller, plugin: &Plugin) -> Result<Admission, Error> {
        let quota = self.quotas.of_caller(caller);
        self.queue.enter((&caller.name, &quota), Some(plugin), &Nobody).await
    }
}
