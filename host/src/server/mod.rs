//! MCP in and out: the only place that knows rmcp.
//!
//! One [`Server`] serves one client. What it offers comes from the `registry`; this folder turns it into the
//! protocol's words, for both of the protocol's eras.

#![allow(
    deprecated,
    reason = "sampling, roots and logging are on their way out, and clients still use them"
)]

mod answer;
mod authenticate;
mod consent;
mod convert;
mod entrance;
mod events;
mod gate;
mod http;
mod jobs;
mod listen;
mod measured;
mod meta;
mod notes;
mod prompts;
mod questions;
mod resources;
mod said;
mod seal;
mod sessions;
mod stdio;
mod tasks;
mod tls;
mod tools;
mod watch;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams,
        CompleteResult, CustomRequest, CustomResult, ErrorCode, Extensions, GetPromptRequestParams,
        GetPromptResponse, GetTaskParams, GetTaskResult, Implementation, InitializeRequestParams,
        InitializeResult, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
        ListToolsResult, LoggingLevel, PaginatedRequestParams, ReadResourceRequestParams,
        ReadResourceResponse, ServerCapabilities, ServerConfig, SetLevelRequestParams,
        SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
        UpdateTaskParams,
    },
    service::{NotificationContext, RequestContext, SubscriptionContext},
};

use crate::{
    access::{Access, Caller},
    registry::Registry,
};

pub use http::{Address, serve as serve_http};
pub use seal::Seal;
pub use stdio::serve as serve_stdio;
pub use watch::Lookout;

/// What models read of all plugins together is cut here: clients cut it anyway.
const LONGEST_INSTRUCTIONS: usize = 2 << 10;

/// What is served. rmcp takes a request for none of these where its parameters are wrong.
const METHODS: &[&str] =
    &["completion/complete", "prompts/get", "resources/read", "subscriptions/listen", "tools/call"];
/// The same for what only the second era has.
const SECOND_ERA_METHODS: &[&str] = &["tasks/cancel", "tasks/get", "tasks/update"];
/// The same for what only the first era has.
const FIRST_ERA_METHODS: &[&str] =
    &["logging/setLevel", "resources/subscribe", "resources/unsubscribe"];

type Context = RequestContext<RoleServer>;

/// Serves one client.
#[derive(Clone)]
pub struct Server {
    registry: Arc<Registry>,
    access: Arc<Access>,
    seal: Arc<Seal>,
    session: Arc<Session>,
    /// How many subscriptions of the second era are open, of all clients.
    subscribers: Arc<AtomicUsize>,
}

/// What a client of the protocol's first era has asked for once and for all.
struct Session {
    /// The least [`LoggingLevel`] that it wants to hear, or [`SILENT`].
    level: AtomicU8,
    subscriptions: Mutex<BTreeSet<String>>,
}

/// No level: the client has not asked for log messages.
const SILENT: u8 = u8::MAX;

impl Server {
    pub fn new(registry: Arc<Registry>, access: Arc<Access>, seal: Arc<Seal>) -> Self {
        let session = Session { level: AtomicU8::new(SILENT), subscriptions: Mutex::default() };
        Self { registry, access, seal, session: Arc::new(session), subscribers: Arc::default() }
    }

    /// The same host for another client.
    fn for_another(&self) -> Self {
        let subscribers = self.subscribers.clone();
        Self {
            subscribers,
            ..Self::new(self.registry.clone(), self.access.clone(), self.seal.clone())
        }
    }

    fn instructions(&self) -> Option<String> {
        let catalog = self.registry.catalog();
        let texts = catalog.plugins.values().map(|it| it.description.plugin.instructions.trim());
        let mut text = texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n");
        let end = (0..=LONGEST_INSTRUCTIONS.min(text.len())).rev();
        text.truncate(end.into_iter().find(|&end| text.is_char_boundary(end)).unwrap_or_default());
        (!text.is_empty()).then_some(text)
    }

    fn level(&self, context: &Context) -> Option<LoggingLevel> {
        if is_modern(context) {
            return context.meta.log_level();
        }
        convert::level_of(self.session.level.load(Ordering::Relaxed))
    }
}

impl Session {
    fn subscriptions(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the request belongs to the protocol's second era, in which servers ask nothing by themselves.
fn is_modern(context: &Context) -> bool {
    context.protocol_version().is_some_and(|version| !version.has_initialize())
}

/// Who sent this request. Behind stdio and without authentication it is whoever started the host.
fn caller(context: &Context) -> Caller {
    caller_of(&context.extensions)
}

fn caller_of(extensions: &Extensions) -> Caller {
    let parts = extensions.get::<::http::request::Parts>();
    let said = extensions.get::<Caller>();
    let caller = said.or_else(|| parts.and_then(|parts| parts.extensions.get::<Caller>()));
    caller.cloned().unwrap_or_else(Caller::local)
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_completions()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_resources_list_changed()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_tasks()
            .build();
        let mut info = ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("windlass", env!("CARGO_PKG_VERSION")));
        info.instructions = self.instructions();
        info
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let caller = caller_of(&context.extensions);
        self.tell_of_changes(context.peer, caller);
    }

    /// The tasks are the second era's alone.
    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: Context,
    ) -> Result<InitializeResult, ErrorData> {
        context.peer.set_peer_info(request.clone());
        let mut info = self.negotiate_initialize(&request)?;
        info.capabilities.extensions = None;
        Ok(info)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(self.tools(&caller(&context)))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tool(name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        // Boxed, so that a request that waits for its turn is small.
        Box::pin(self.call(request, context)).await
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(self.prompts(&caller(&context)))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        if request.name == authenticate::NAME && self.authenticates() {
            return Box::pin(self.authenticate_by_prompt(request, &context)).await;
        }
        Box::pin(self.prompt(request, context)).await
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        Box::pin(self.resources(&caller(&context))).await
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(self.templates(&caller(&context)))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Box::pin(self.resource(&request.uri, &caller(&context))).await
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: Context,
    ) -> Result<CompleteResult, ErrorData> {
        Box::pin(self.completions(request, &caller(&context))).await
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: Context,
    ) -> Result<GetTaskResult, ErrorData> {
        Box::pin(self.look_at_task(&request.task_id, &context)).await
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        Box::pin(self.answer_task(&request.task_id, request.input_responses, &context)).await
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        Box::pin(self.cancel_task_of(&request.task_id, &context)).await
    }

    async fn set_level(&self, request: SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        self.session.level.store(convert::rank_of(request.level), Ordering::Relaxed);
        Ok(())
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        _: Context,
    ) -> Result<(), ErrorData> {
        self.subscribe_to(request.uri)
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: Context,
    ) -> Result<(), ErrorData> {
        self.session.subscriptions().remove(&request.uri);
        Ok(())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: Context,
    ) -> Result<CustomResult, ErrorData> {
        let method = request.method;
        let of_its_era = if is_modern(&context) { SECOND_ERA_METHODS } else { FIRST_ERA_METHODS };
        Err(if of_its_era.contains(&&*method) || METHODS.contains(&&*method) {
            let message = format!("the parameters are none that `{method}` takes");
            ErrorData::invalid_params(message, None)
        } else {
            let message = format!("there is no method `{method}`");
            ErrorData::new(ErrorCode::METHOD_NOT_FOUND, message, None)
        })
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        self.tell_subscriber(subscription).await
    }
}
