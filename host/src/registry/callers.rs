//! Which tools are there for a caller.

use super::{By, Object, OfferedTool, Registry};
use crate::{
    access::Caller,
    capability::types::{Code, Error},
    policy::{Called, Verdict, judge},
};

impl Registry {
    /// Whether any call of this tool would be allowed.
    pub fn shows(&self, caller: &Caller, tool: &OfferedTool) -> bool {
        self.verdict(caller, tool, None, true).is_allowed()
    }

    /// Fails where the caller may not do this. Tells whether the user has to agree before anything is changed.
    pub fn check_call(
        &self,
        caller: &Caller,
        tool: &OfferedTool,
        arguments: Option<&Object>,
        can_ask: bool,
    ) -> Result<bool, Error> {
        // The host's own tools end and change nothing but the caller's own.
        let own = matches!(tool.by, By::Host(_));
        match self.verdict(caller, tool, arguments, can_ask || own) {
            Verdict::Allowed { asks, .. } => Ok(asks && !own),
            Verdict::Refused(why) => Err(Error::new(Code::Denied, why)),
        }
    }

    fn verdict(
        &self,
        caller: &Caller,
        tool: &OfferedTool,
        arguments: Option<&Object>,
        can_ask: bool,
    ) -> Verdict {
        let config = self.config();
        let access = &config.access;
        let roles = caller.roles.as_deref().unwrap_or(&access.local);
        let (name, plugin, hints) = (tool.name.as_str(), tool.owner(), tool.hints);
        judge(access, roles, &Called { name, plugin, hints, arguments, can_ask })
    }
}
