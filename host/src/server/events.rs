//! `audit-logs` as a prompt: the latest of what happened, for those who may call the tool of that name.

use rmcp::{
    ErrorData,
    model::{
        GetPromptRequestParams, GetPromptResponse, GetPromptResult, Prompt, PromptArgument,
        PromptMessage, Role,
    },
};
use serde_json::{Map, Value};

use super::{Context, Server, answer, caller};
use crate::{
    access::Caller,
    capability::{
        tools::Outcome,
        types::{Abilities, Error},
    },
    plugin::Nobody,
    registry::Call,
};

/// Also the tool's.
const NAME: &str = "audit-logs";
/// How many where nobody says it.
const LISTED: u32 = 10;
const FILTERS: [&str; 3] = ["username", "tool_name", "status"];

pub(super) fn prompt() -> Prompt {
    let argument = |name: &str, what: &str| {
        PromptArgument::new(name).with_description(what).with_required(false)
    };
    let arguments = vec![
        argument("username", "Only of this caller."),
        argument("tool_name", "Only of this tool."),
        argument("status", "Only with this outcome: `success` or `error`."),
        argument("limit", "How many at most, 10 if nobody says it."),
    ];
    let description = "Looks at what was done through this host of late, and by whom.";
    Prompt::new(NAME, Some(description), Some(arguments))
}

impl Server {
    pub(super) fn shows_events(&self, caller: &Caller) -> bool {
        let catalog = self.registry.catalog();
        catalog.tools.get(NAME).is_some_and(|tool| self.registry.shows(caller, tool))
    }

    /// None: another prompt is asked for, or there is none of this name for the caller.
    pub(super) async fn events_by_prompt(
        &self,
        request: &GetPromptRequestParams,
        context: &Context,
    ) -> Option<Result<GetPromptResponse, ErrorData>> {
        let caller = caller(context);
        if request.name != NAME || !self.shows_events(&caller) {
            return None;
        }
        let given = request.arguments.clone().unwrap_or_default();
        let told = self.events(&caller, &given).await.map_err(answer::refused);
        Some(told.map(|text| {
            let text = format!(
                "This happened of late:\n\n{text}\n\nSummarize it, and name what looks unusual."
            );
            let message = PromptMessage::new_text(Role::User, text);
            GetPromptResponse::Complete(GetPromptResult::new(vec![message]))
        }))
    }

    /// By the tool, so that it is allowed and recorded as that is.
    async fn events(&self, caller: &Caller, given: &Map<String, Value>) -> Result<String, Error> {
        let text = |name: &str| given.get(name).and_then(Value::as_str).filter(|it| !it.is_empty());
        let limit = match text("limit").map(str::parse::<u32>) {
            None => LISTED,
            Some(Ok(limit @ 1..=1000)) => limit,
            Some(_) => return Err(Error::invalid("`limit` is a number from 1 to 1000")),
        };
        let mut arguments = Map::from_iter([("limit".to_owned(), limit.into())]);
        for name in FILTERS {
            arguments.extend(text(name).map(|value| (name.to_owned(), value.into())));
        }
        let catalog = self.registry.catalog();
        let Some(tool) = catalog.tools.get(NAME) else {
            return Err(Error::invalid("there is no such prompt"));
        };
        let arguments = Value::Object(arguments);
        self.registry.check_call(caller, tool, arguments.as_object(), false)?;
        let arguments = arguments.to_string();
        let mut entry = self.registry.entry(caller, String::new(), tool);
        entry.with(&arguments);
        let call = Call {
            caller: &caller.space,
            arguments: &arguments,
            client: Abilities::empty(),
            answers: None,
            observer: std::sync::Arc::new(Nobody),
            entry: &entry,
            trial: None,
        };
        let told = self.registry.call(tool, call).await;
        match told {
            Ok(Outcome::Done(output)) => {
                entry.answers(&output);
                entry.end();
                Ok(output.structured.unwrap_or_default())
            }
            Ok(_) => Err(Error::invalid("it comes to no list")),
            Err(error) => {
                entry.failed(&error.code_for_programs(), &error.message);
                Err(error)
            }
        }
    }
}
