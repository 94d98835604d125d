//! Which tools are there for a caller, and of which plugins the rest.

use super::{By, Object, OfferedTool, Registry};
use crate::{
    access::Caller,
    capability::types::{Code, Error},
    plugin::Plugin,
    policy::{Called, Verdict, judge},
};

impl Registry {
    /// Whether any call of this tool would be allowed.
    pub fn shows(&self, caller: &Caller, tool: &OfferedTool) -> bool {
        self.verdict(caller, tool, None, true).is_allowed()
    }

    /// Whether prompts and resources of this plugin are there: who may call none of its tools has nothing of it.
    pub fn shows_plugin(&self, caller: &Caller, plugin: &Plugin) -> bool {
        let tools = &plugin.description.plugin.tools;
        let may = |name: &str, hints| {
            let name = format!("{}{name}", plugin.settings.prefix);
            let plugin = plugin.name();
            let called = Called { name: &name, plugin, hints, arguments: None, can_ask: true };
            self.judge(caller, &called).is_allowed()
        };
        tools.is_empty() || tools.iter().any(|tool| may(&tool.name, tool.hints))
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
        let (name, plugin, hints) = (tool.name.as_str(), tool.owner(), tool.hints);
        self.judge(caller, &Called { name, plugin, hints, arguments, can_ask })
    }

    fn judge(&self, caller: &Caller, called: &Called<'_>) -> Verdict {
        let config = self.config();
        let access = &config.access;
        judge(access, caller.roles.as_deref().unwrap_or(&access.local), called)
    }
}
