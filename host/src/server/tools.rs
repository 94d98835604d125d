//! `tools/list` and `tools/call`.

use std::sync::Arc;

use rmcp::{
    ErrorData,
    model::{CacheScope, CallToolRequestParams, CallToolResponse, ListToolsResult, Tool},
};
use serde_json::Value;

use super::{
    Context, Server, answer, caller, convert,
    jobs::{knows_tasks, tasks_are_needed},
    measured::{self, Measured},
    meta,
    notes::observer,
    questions::{Refusal, Reply, Sent, Turn},
    seal::Binding,
};
use crate::{
    access::Caller,
    capability::{
        tools::{Hints, Outcome, Output},
        types::{Abilities, Code, Error},
    },
    figures::Stage,
    registry::{Object, OfferedTool},
    traces,
};

impl Server {
    /// Never enters a guest: all is known since the plugins were loaded.
    /// A caller sees those that it may call.
    pub(super) fn tools(&self, caller: &Caller) -> ListToolsResult {
        let catalog = self.registry.catalog();
        let shown = catalog.tools.values().filter(|tool| self.registry.shows(caller, tool));
        let mut tools: Vec<_> = shown.map(|tool| convert::tool(tool)).collect();
        let config = self.registry.config();
        let server = &config.server;
        if server.meta_tools {
            tools.extend(meta::tools(server.read_only));
            tools.sort_by(|one, other| one.name.cmp(&other.name));
        }
        let result = ListToolsResult { tools, ..Default::default() };
        result.with_ttl_ms(0).with_cache_scope(CacheScope::Private)
    }

    pub(super) fn tool(&self, name: &str) -> Option<Tool> {
        let catalog = self.registry.catalog();
        catalog.tools.get(name).map(|tool| convert::tool(tool))
    }

    /// A call, until it is done, refused or cancelled.
    pub(super) async fn call(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = caller(&context);
        let request = match self.meta_request(request, &caller) {
            meta::Request::Tool(request) => request,
            meta::Request::Answered(result) => return Ok(result.into()),
        };
        // What a caller may not call at all is not there for it.
        let offered = self.registry.catalog().tools.get(&*request.name).cloned();
        let Some(tool) = offered.filter(|tool| self.registry.shows(&caller, tool)) else {
            let message =
                format!("Unknown tool: `{}`; tools/list names all there are", request.name);
            measured::count_unknown(&self.registry);
            return Err(ErrorData::invalid_params(message, None));
        };
        let cancelled = context.ct.clone();
        let measured = Measured::begin(&self.registry, &tool, &context);
        let work = self.call_tool_of(&tool, request, &caller, &context);
        tokio::select! {
            biased;
            replied = traces::within(measured.trace(), work) => {
                measured.end(&replied);
                reply(replied)
            }
            () = cancelled.cancelled() => Err(ErrorData::internal_error("cancelled", None)),
        }
    }

    async fn call_tool_of(
        &self,
        tool: &Arc<OfferedTool>,
        request: CallToolRequestParams,
        caller: &Caller,
        context: &Context,
    ) -> Result<CallToolResponse, Refusal> {
        let figures = self.registry.figures();
        let admission = figures.time(Stage::Queue, async { self.registry.admit() }).await?;
        tracing::debug!(tool = tool.name.as_str(), plugin = tool.owner(), "called");
        if tool.hints.contains(Hints::NEEDS_TASKS) && !knows_tasks(context) {
            return Err(tasks_are_needed());
        }
        let arguments = check_arguments(tool, request.arguments.unwrap_or_default())?;
        let text = arguments.to_string();
        let binding =
            Binding { caller, method: "tools/call", name: &tool.name, arguments: &arguments };
        let sent = Sent {
            responses: request.input_responses,
            state: request.request_state,
            harmless: tool.hints.contains(Hints::READ_ONLY),
        };
        let token = context.meta.get_progress_token();
        let (observer, notes) = observer(&self.registry, tool.owner(), token, self.level(context));
        let conversation = self.converse(context, &binding, sent, |answers, client| {
            let (text, observer) = (text.clone(), observer.clone());
            let allowed = self.registry.check_call(
                caller,
                tool,
                arguments.as_object(),
                client.contains(Abilities::FORMS),
            );
            async move {
                allowed?;
                let caller = &caller.space;
                match self
                    .registry
                    .call(tool, caller, text, client, answers, observer.clone())
                    .await?
                {
                    Outcome::Done(output) => Ok(Turn::Done(Came::Output(output))),
                    Outcome::Job(id) => Ok(Turn::Done(Came::Job(id))),
                    Outcome::Ask(questions) => Ok(Turn::Ask(questions)),
                }
            }
        });
        let work = async {
            match conversation.await? {
                Reply::Done(Came::Output(output)) => Ok(answer::done(output).into()),
                Reply::InputRequired(required) => Ok(required.into()),
                Reply::Done(Came::Job(id)) => {
                    // Who only waits takes nobody's place.
                    drop(admission);
                    // Boxed, so that a call without a job is no larger for it.
                    Box::pin(self.answer_with_job(tool, &id, caller, &observer, context)).await
                }
            }
        };
        match notes {
            Some(notes) => notes.along(&context.peer, work).await,
            None => work.await,
        }
    }
}

/// What a call came to, once there is nothing more to ask.
enum Came {
    Output(Output),
    Job(String),
}

fn reply(replied: Result<CallToolResponse, Refusal>) -> Result<CallToolResponse, ErrorData> {
    match replied {
        Err(Refusal::Failed(error)) => Ok(answer::failed(error).into()),
        Err(Refusal::Protocol(error)) => Err(error),
        Ok(response) => Ok(response),
    }
}

/// Arguments that fit the tool's schema, or an error that says what does not.
fn check_arguments(tool: &OfferedTool, mut arguments: Object) -> Result<Value, Error> {
    tool.input.forget_nulls(&mut arguments);
    let arguments = Value::Object(arguments);
    match tool.input.check(&arguments) {
        Ok(()) => Ok(arguments),
        Err(mistakes) => Err(Error::new(
            Code::Invalid,
            format!("the arguments of `{}` do not fit: {mistakes}", tool.name),
        )),
    }
}
