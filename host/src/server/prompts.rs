//! `prompts/list`, `prompts/get`, and `completion/complete` for prompts and resources.

use rmcp::{
    ErrorData,
    model::{
        CacheScope, CompleteRequestParams, CompleteResult, CompletionInfo, GetPromptRequestParams,
        GetPromptResponse, GetPromptResult, ListPromptsResult, Prompt, PromptArgument, Reference,
    },
};
use serde_json::Value;

use super::{
    Context, Server, answer, authenticate, caller, convert, events,
    notes::observer,
    questions::{Refusal, Reply, Sent, Turn},
    seal::Binding,
};
use crate::{
    access::Caller,
    capability::{prompts, types::Error},
    plugin::{CompletePrompt, CompleteResource, Occasion},
    registry::{Entry, OfferedPrompt},
};

/// What a prompt came to.
fn got(
    replied: Result<Reply<Vec<prompts::Message>>, Refusal>,
    offered: &OfferedPrompt,
) -> Result<GetPromptResponse, ErrorData> {
    match replied {
        Ok(Reply::Done(messages)) => {
            let messages = messages.into_iter().map(convert::message).collect();
            let mut result = GetPromptResult::new(messages);
            result.description = Some(offered.prompt.description.clone());
            Ok(GetPromptResponse::Complete(result))
        }
        Ok(Reply::InputRequired(required)) => Ok(GetPromptResponse::InputRequired(required)),
        Err(Refusal::Failed(error)) => Err(answer::refused(error)),
        Err(Refusal::Protocol(error)) => Err(error),
    }
}

impl Server {
    /// A caller sees those of plugins that it may use.
    pub(super) fn prompts(&self, caller: &Caller) -> ListPromptsResult {
        let catalog = self.registry.catalog();
        let shown = |it: &&OfferedPrompt| self.registry.shows_plugin(caller, &it.plugin);
        let mut prompts: Vec<_> = catalog.prompts.values().filter(shown).map(to_mcp).collect();
        prompts.extend(self.authenticates().then(authenticate::prompt));
        prompts.extend(self.shows_events(caller).then(events::prompt));
        let result = ListPromptsResult { prompts, ..Default::default() };
        result.with_ttl_ms(0).with_cache_scope(CacheScope::Private)
    }

    pub(super) async fn prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        if let Some(told) = self.events_by_prompt(&request, &context).await {
            return told;
        }
        let mut entry = self.registry.entry_of_reading(&caller(&context), &request.name);
        entry.with(&request.arguments.clone().map(Value::Object).unwrap_or_default().to_string());
        let got = self.prompt_of(request, context, &entry).await;
        match &got {
            Ok(_) => entry.end(),
            Err(error) => entry.failed("REFUSED", &error.message),
        }
        got
    }

    async fn prompt_of(
        &self,
        request: GetPromptRequestParams,
        context: Context,
        entry: &Entry,
    ) -> Result<GetPromptResponse, ErrorData> {
        let catalog = self.registry.catalog();
        let caller = caller(&context);
        let shown = |it: &&OfferedPrompt| self.registry.shows_plugin(&caller, &it.plugin);
        let Some(offered) = catalog.prompts.get(&request.name).filter(shown) else {
            let message = format!("Unknown prompt: `{}`", request.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        let arguments = request.arguments.unwrap_or_default();
        check_arguments(offered, &arguments)?;
        let texts: Vec<_> =
            arguments.iter().map(|(name, value)| (name.clone(), text(value))).collect();
        let arguments = Value::Object(arguments);
        let binding = Binding {
            caller: &caller,
            method: "prompts/get",
            name: &request.name,
            arguments: &arguments,
        };
        let sent = Sent {
            responses: request.input_responses,
            state: request.request_state,
            harmless: true,
        };
        let admitted = self.registry.admit(&caller, &offered.plugin).await;
        let admission = admitted.map_err(answer::refused)?;
        let (observer, _) = observer(&self.registry, offered.plugin.name(), None, None);
        let replied = self.converse(&context, &binding, sent, |answers, client| {
            let request = prompts::Request {
                prompt: offered.own_name.clone(),
                arguments: texts.clone(),
                config: offered.plugin.settings.config.to_string(),
                client,
                answers,
            };
            let (plugin, observer) = (offered.plugin.clone(), observer.clone());
            let occasion = Occasion::call(&caller.space).noting(&entry.effects);
            let admission = &admission;
            async move {
                admission.enter_plugin();
                match plugin.enter(request, occasion, observer).await? {
                    prompts::Outcome::Done(messages) => Ok(Turn::Done(messages)),
                    prompts::Outcome::Ask(questions) => {
                        admission.leave_plugin();
                        Ok(Turn::Ask(questions))
                    }
                }
            }
        });
        got(replied.await, offered)
    }

    pub(super) async fn completions(
        &self,
        request: CompleteRequestParams,
        caller: &Caller,
    ) -> Result<CompleteResult, ErrorData> {
        let others: Vec<_> =
            request.context.and_then(|it| it.arguments).into_iter().flatten().collect();
        let typed = Typed { name: request.argument.name, value: request.argument.value, others };
        let values = match request.r#ref {
            Reference::Prompt(prompt) => self.complete_prompt(&prompt.name, typed, caller).await,
            Reference::Resource(resource) => {
                self.complete_resource(resource.uri, typed, caller).await
            }
            _ => Err(Error::invalid("only prompts and resource templates are completed")),
        };
        let mut values = values.map_err(answer::refused)?;
        let total = u32::try_from(values.len()).ok();
        let more = values.len() > CompletionInfo::MAX_VALUES;
        values.truncate(CompletionInfo::MAX_VALUES);
        let mut info = CompletionInfo::default();
        (info.values, info.total, info.has_more) = (values, total, Some(more));
        Ok(CompleteResult::new(info))
    }

    async fn complete_prompt(
        &self,
        name: &str,
        typed: Typed,
        caller: &Caller,
    ) -> Result<Vec<String>, Error> {
        let catalog = self.registry.catalog();
        let shown = |it: &&OfferedPrompt| self.registry.shows_plugin(caller, &it.plugin);
        let Some(offered) = catalog.prompts.get(name).filter(shown) else {
            return Err(Error::invalid(format!("there is no prompt `{name}`")));
        };
        let _admission = self.registry.admit(caller, &offered.plugin).await?;
        let (observer, _) = observer(&self.registry, offered.plugin.name(), None, None);
        let Typed { name: argument, value: typed, others } = typed;
        let entry = CompletePrompt { prompt: offered.own_name.clone(), argument, typed, others };
        offered.plugin.enter(entry, Occasion::call(&caller.space), observer).await
    }

    async fn complete_resource(
        &self,
        template: String,
        typed: Typed,
        caller: &Caller,
    ) -> Result<Vec<String>, Error> {
        let catalog = self.registry.catalog();
        let mut shown =
            catalog.templates().filter(|(_, plugin)| self.registry.shows_plugin(caller, plugin));
        let known = shown.find(|(known, _)| known.uri == template);
        let Some((_, plugin)) = known else {
            return Err(Error::invalid(format!("there is no template `{template}`")));
        };
        let _admission = self.registry.admit(caller, plugin).await?;
        let (observer, _) = observer(&self.registry, plugin.name(), None, None);
        let Typed { name: variable, value: typed, others } = typed;
        let entry = CompleteResource { template, variable, typed, others };
        plugin.enter(entry, Occasion::call(&caller.space), observer).await
    }
}

/// What is to be completed.
struct Typed {
    name: String,
    value: String,
    /// The other arguments, as far as they are known.
    others: Vec<(String, String)>,
}

fn to_mcp(offered: &OfferedPrompt) -> Prompt {
    let prompt = &offered.prompt;
    let arguments = prompt.arguments.iter().map(|argument| {
        PromptArgument::new(argument.name.clone())
            .with_description(argument.description.clone())
            .with_required(argument.required)
    });
    let description = Some(prompt.description.clone());
    let mut converted = Prompt::new(prompt.name.clone(), description, Some(arguments.collect()));
    converted.title.clone_from(&prompt.title);
    converted
}

fn check_arguments(
    offered: &OfferedPrompt,
    given: &serde_json::Map<String, Value>,
) -> Result<(), ErrorData> {
    let name = &offered.prompt.name;
    let known = &offered.prompt.arguments;
    let wrong =
        |what: String| Err(ErrorData::invalid_params(format!("prompt `{name}`: {what}"), None));
    if let Some(missing) = known.iter().find(|it| it.required && !given.contains_key(&it.name)) {
        return wrong(format!("the argument `{}` is missing", missing.name));
    }
    if let Some((unknown, _)) =
        given.iter().find(|(key, _)| !known.iter().any(|it| it.name == **key))
    {
        return wrong(format!("there is no argument `{unknown}`"));
    }
    if let Some((key, _)) = given.iter().find(|(_, value)| !value.is_string()) {
        return wrong(format!("the argument `{key}` must be text"));
    }
    Ok(())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
