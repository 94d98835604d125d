//! Between the contract's words and the protocol's.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rmcp::model::{
    ClientCapabilities, ContentBlock, LoggingLevel, PromptMessage, Resource, ResourceContents,
    ResourceTemplate, Role, Tool, ToolAnnotations,
};

use crate::{
    capability::{
        Level, prompts, resources,
        tools::Hints,
        types::{Abilities, Body, Content, Link, ResourceContents as Contents},
    },
    registry::OfferedTool,
    visible::shown,
};

/// All levels of the protocol, from the least.
const LEVELS: &[LoggingLevel] = &[
    LoggingLevel::Debug,
    LoggingLevel::Info,
    LoggingLevel::Notice,
    LoggingLevel::Warning,
    LoggingLevel::Error,
    LoggingLevel::Critical,
    LoggingLevel::Alert,
    LoggingLevel::Emergency,
];

pub(super) fn tool(offered: &OfferedTool) -> Tool {
    let has = |hint| offered.hints.contains(hint);
    let annotations = ToolAnnotations::new()
        .read_only(has(Hints::READ_ONLY))
        .destructive(has(Hints::DESTRUCTIVE))
        .idempotent(has(Hints::IDEMPOTENT) || has(Hints::READ_ONLY))
        .open_world(has(Hints::OPEN_WORLD));
    let input = Arc::new(offered.input.value().clone());
    let mut tool = Tool::new(offered.name.clone(), offered.description.clone(), input)
        .with_annotations(annotations);
    tool.title = offered.title.clone();
    // Of what may come to a job, how to get its result may come in the place of that.
    let published = offered.output.as_ref().filter(|_| !has(Hints::JOB));
    tool.output_schema = published.map(|it| Arc::new(it.value().clone()));
    tool
}

pub(super) fn content(content: Content) -> ContentBlock {
    match content {
        Content::Text(text) => ContentBlock::text(shown(text)),
        Content::Image(blob) => {
            ContentBlock::image(BASE64_STANDARD.encode(blob.data), blob.mime_type)
        }
        Content::Audio(blob) => {
            ContentBlock::audio(BASE64_STANDARD.encode(blob.data), blob.mime_type)
        }
        Content::Link(link) => ContentBlock::resource_link(resource(link)),
        Content::Embedded(contents) => ContentBlock::resource(resource_contents(contents)),
    }
}

pub(super) fn resource(link: Link) -> Resource {
    let mut resource = Resource::new(link.uri, shown(link.name));
    resource.description = link.description.map(shown);
    resource.mime_type = link.mime_type;
    resource.size = link.size;
    resource
}

pub(super) fn resource_contents(contents: Contents) -> ResourceContents {
    let converted = match contents.body {
        Body::Text(text) => ResourceContents::text(text, contents.uri),
        Body::Bytes(bytes) => ResourceContents::blob(BASE64_STANDARD.encode(bytes), contents.uri),
    };
    match contents.mime_type {
        Some(mime_type) => converted.with_mime_type(mime_type),
        None => converted,
    }
}

pub(super) fn template(template: &resources::Template) -> ResourceTemplate {
    let mut converted = ResourceTemplate::new(template.uri.clone(), template.name.clone());
    converted.description.clone_from(&template.description);
    converted.mime_type.clone_from(&template.mime_type);
    converted
}

pub(super) fn message(message: prompts::Message) -> PromptMessage {
    let role = match message.role {
        prompts::Role::User => Role::User,
        prompts::Role::Assistant => Role::Assistant,
    };
    PromptMessage::new(role, content(message.content))
}

/// What the client can be asked for.
pub(super) fn abilities(capabilities: Option<&ClientCapabilities>) -> Abilities {
    let Some(client) = capabilities else { return Abilities::empty() };
    let mut abilities = Abilities::empty();
    // An empty declaration means forms: it is older than the choice between forms and URLs.
    let forms = |it: &rmcp::model::ElicitationCapability| it.form.is_some() || it.url.is_none();
    if client.elicitation.as_ref().is_some_and(forms) {
        abilities |= Abilities::FORMS;
    }
    if client.sampling.is_some() {
        abilities |= Abilities::SAMPLING;
    }
    if client.roots.is_some() {
        abilities |= Abilities::ROOTS;
    }
    abilities
}

pub(super) fn level(level: Level) -> LoggingLevel {
    match level {
        Level::Debug => LoggingLevel::Debug,
        Level::Info => LoggingLevel::Info,
        Level::Warn => LoggingLevel::Warning,
        Level::Error => LoggingLevel::Error,
    }
}

/// How much a level matters: higher is more.
pub(super) fn rank_of(level: LoggingLevel) -> u8 {
    let position = LEVELS.iter().position(|&it| it == level);
    position.and_then(|it| u8::try_from(it).ok()).unwrap_or_default()
}

pub(super) fn level_of(rank: u8) -> Option<LoggingLevel> {
    LEVELS.get(usize::from(rank)).copied()
}
