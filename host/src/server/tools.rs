//! `tools/list` and `tools/call`.

use std::sync::{Arc, atomic::AtomicBool};

use rmcp::{
    ErrorData,
    model::{CacheScope, CallToolRequestParams, CallToolResponse, ListToolsResult, Tool},
};
use serde_json::Value;

use super::{
    Context, Server, answer, authenticate, caller,
    consent::Round,
    convert,
    jobs::{knows_tasks, tasks_are_needed},
    measured::{self, Measured},
    meta,
    notes::observer,
    questions::{Refusal, Reply, Sent, Turn},
    seal::Binding,
};
use crate::{
    access::Caller,
    admission::Admission,
    capability::{
        tools::{Hints, Outcome, Output},
        types::{Abilities, Answers, Code, Error},
    },
    figures::Stage,
    plugin::Observer,
    registry::{Call, Entry, Object, OfferedTool},
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
        }
        tools.extend(self.authenticates().then(authenticate::tool));
        tools.sort_by(|one, other| one.name.cmp(&other.name));
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
        let mut request = match self.meta_request(request, &caller) {
            meta::Request::Tool(request) => request,
            meta::Request::Answered(result) => return Ok(result.into()),
        };
        if request.name == authenticate::NAME && self.authenticates() {
            return Ok(self.authenticate(request, &context).await.into());
        }
        let client = client(&context);
        let Some(tool) = self.offered(&caller, &request.name) else {
            self.registry.note_unknown(&caller, client, &request.name);
            measured::count_unknown(&self.registry);
            let message =
                format!("Unknown tool: `{}`; tools/list names all there are", request.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        let mut entry = self.registry.entry(&caller, client, &tool);
        let arguments = arguments_of(&tool, request.arguments.take().unwrap_or_default());
        let text = arguments.to_string();
        entry.with(&text);
        let token = context.meta.get_progress_token();
        let (observer, notes) = observer(&self.registry, tool.owner(), token, self.level(&context));
        let asked = Asked {
            tool: &tool,
            caller: &caller,
            context: &context,
            arguments: &arguments,
            text: &text,
            observer: &observer,
            entry: &entry,
        };
        let work = self.admitted(request, &asked);
        let work = async {
            match notes {
                Some(notes) => notes.along(&context.peer, work).await,
                None => work.await,
            }
        };
        let cancelled = context.ct.clone();
        let measured = Measured::begin(&self.registry, &tool, &context);
        tokio::select! {
            biased;
            replied = traces::within(measured.trace(), work) => {
                measured.end(&replied);
                record(entry, &replied);
                reply(replied)
            }
            () = cancelled.cancelled() => Err(ErrorData::internal_error("cancelled", None)),
        }
    }

    /// What a caller may not call at all is not there for it.
    fn offered(&self, caller: &Caller, name: &str) -> Option<Arc<OfferedTool>> {
        let offered = self.registry.catalog().tools.get(name).cloned();
        offered.filter(|tool| self.registry.shows(caller, tool))
    }

    /// The call, when it is its turn.
    async fn admitted(
        &self,
        request: CallToolRequestParams,
        asked: &Asked<'_>,
    ) -> Result<CallToolResponse, Refusal> {
        let Asked { tool, caller, context, arguments, observer, entry, .. } = *asked;
        let turn = self.registry.admit_call(caller, tool, &**observer);
        let admission = self.registry.figures().time(Stage::Queue, turn).await?;
        tracing::debug!(tool = tool.name.as_str(), plugin = tool.owner(), "called");
        if tool.hints.contains(Hints::NEEDS_TASKS) && !knows_tasks(context) {
            return Err(tasks_are_needed());
        }
        check_arguments(tool, arguments)?;
        let binding = Binding { caller, method: "tools/call", name: &tool.name, arguments };
        let sent = Sent {
            responses: request.input_responses,
            state: request.request_state,
            harmless: tool.hints.contains(Hints::READ_ONLY),
        };
        let conversation = self.converse(context, &binding, sent, |answers, client| {
            self.turn(asked, &admission, answers, client)
        });
        match conversation.await? {
            Reply::Done(Came::Output(output)) => {
                entry.answers(&output);
                Ok(answer::done(output).into())
            }
            Reply::InputRequired(required) => {
                entry.effects.add("the user is asked");
                Ok(required.into())
            }
            Reply::Done(Came::Job(id)) => {
                // Who only waits takes nobody's place.
                drop(admission);
                // Boxed, so that a call without a job is no larger for it.
                Box::pin(self.answer_with_job(tool, &id, caller, observer, context)).await
            }
        }
    }

    /// One round of a call: allowed or refused, and with the user's yes where that is needed.
    async fn turn(
        &self,
        asked: &Asked<'_>,
        admission: &Admission,
        answers: Option<Answers>,
        client: Abilities,
    ) -> Result<Turn<Came>, Error> {
        let Asked { tool, caller, arguments, .. } = *asked;
        let can_ask = client.contains(Abilities::FORMS);
        let asks = self.registry.check_call(caller, tool, arguments.as_object(), can_ask)?;
        admission.enter_plugin();
        let outcome = if asks {
            let round = Round::new(answers)?;
            let call = asked.call(client, round.answers(), round.trial());
            let came = self.registry.call(tool, call).await;
            round.end(came, tool, arguments)?
        } else {
            self.registry.call(tool, asked.call(client, answers, None)).await?
        };
        Ok(match outcome {
            Outcome::Done(output) => Turn::Done(Came::Output(output)),
            Outcome::Job(id) => Turn::Done(Came::Job(id)),
            Outcome::Ask(questions) => {
                admission.leave_plugin();
                Turn::Ask(questions)
            }
        })
    }
}

/// A call of a tool, with all that its rounds have in common.
#[derive(Clone, Copy)]
struct Asked<'a> {
    tool: &'a Arc<OfferedTool>,
    caller: &'a Caller,
    context: &'a Context,
    arguments: &'a Value,
    /// The same.
    text: &'a str,
    observer: &'a Arc<dyn Observer>,
    entry: &'a Entry,
}

impl<'a> Asked<'a> {
    fn call(
        &self,
        client: Abilities,
        answers: Option<Answers>,
        trial: Option<&'a Arc<AtomicBool>>,
    ) -> Call<'a> {
        Call {
            caller: &self.caller.space,
            arguments: self.text,
            client,
            answers,
            observer: self.observer.clone(),
            entry: self.entry,
            trial,
        }
    }
}

/// What a call came to, once there is nothing more to ask.
enum Came {
    Output(Output),
    Job(String),
}

fn record(entry: Entry, replied: &Result<CallToolResponse, Refusal>) {
    match replied {
        Ok(_) => entry.end(),
        Err(Refusal::Failed(error)) => entry.failed(&error.code_for_programs(), &error.message),
        Err(Refusal::Protocol(error)) => entry.failed("REFUSED", &error.message),
    }
}

fn reply(replied: Result<CallToolResponse, Refusal>) -> Result<CallToolResponse, ErrorData> {
    match replied {
        Err(Refusal::Failed(error)) => Ok(answer::failed(error).into()),
        Err(Refusal::Protocol(error)) => Err(error),
        Ok(response) => Ok(response),
    }
}

/// Who sends this, as the client says it.
fn client(context: &Context) -> String {
    context.client_info().map(|it| format!("{} {}", it.name, it.version)).unwrap_or_default()
}

fn arguments_of(tool: &OfferedTool, mut arguments: Object) -> Value {
    tool.input.forget_nulls(&mut arguments);
    Value::Object(arguments)
}

/// Fails where arguments do not fit the tool's schema, and says what does not.
fn check_arguments(tool: &OfferedTool, arguments: &Value) -> Result<(), Error> {
    tool.input.check(arguments).map_err(|mistakes| {
        let message = format!("the arguments of `{}` do not fit: {mistakes}", tool.name);
        Error::new(Code::Invalid, message)
    })
}
