//! The ways into a guest: one [`Entry`] for each function that the host calls.

use wasmtime::{Store, component::Instance};

use super::Exports;
use crate::capability::{
    CallState, prompts, resources, tools,
    types::{Body, Code, Content, Error, Link, Question, Questions, ResourceContents},
    work,
};

/// What a guest's function comes to: its answer, its error, or a trap.
type Entered<T> = wasmtime::Result<Result<T, Error>>;

/// One function of a guest, with its arguments.
pub trait Entry: Send + 'static {
    type Exit: Send + 'static;

    fn enter(
        self,
        store: &mut Store<CallState>,
        instance: &Instance,
        exports: &Exports,
    ) -> impl Future<Output = Entered<Self::Exit>> + Send;

    /// About how many bytes an answer has.
    fn size(exit: &Self::Exit) -> usize;
}

/// `resources.all`.
pub struct ListResources {
    pub config: String,
}

/// `resources.read`.
pub struct ReadResource {
    pub uri: String,
    pub config: String,
}

/// `prompts.complete`.
pub struct CompletePrompt {
    pub prompt: String,
    pub argument: String,
    pub typed: String,
    pub others: Vec<(String, String)>,
}

/// `resources.complete`.
pub struct CompleteResource {
    pub template: String,
    pub variable: String,
    pub typed: String,
    pub others: Vec<(String, String)>,
}

/// `work.run`.
pub struct Run(pub work::Job);

/// `work.stopped`.
pub struct Stopped(pub work::Job);

impl Entry for tools::Request {
    type Exit = tools::Outcome;

    async fn enter(
        self,
        store: &mut Store<CallState>,
        instance: &Instance,
        exports: &Exports,
    ) -> Entered<Self::Exit> {
        exports.tools.load(&mut *store, instance)?.call_call(store, &self).await
    }

    fn size(exit: &Self::Exit) -> usize {
        match exit {
            tools::Outcome::Done(output) => {
                let structured = output.structured.as_ref().map_or(0, String::len);
                structured + output.content.iter().map(content_size).sum::<usize>()
            }
            tools::Outcome::Ask(questions) => questions_size(questions),
            tools::Outcome::Job(id) => id.len(),
        }
    }
}

impl Entry for prompts::Request {
    type Exit = prompts::Outcome;

    async fn enter(
        self,
        store: &mut Store<CallState>,
        instance: &Instance,
        exports: &Exports,
    ) -> Entered<Self::Exit> {
        let Some(prompts) = &exports.prompts else { return Ok(Err(absent("prompts"))) };
        prompts.load(&mut *store, instance)?.call_get(store, &self).await
    }

    fn size(exit: &Self::Exit) -> usize {
        match exit {
            prompts::Outcome::Done(messages) => {
                messages.iter().map(|message| content_size(&message.content)).sum()
            }
            prompts::Outcome::Ask(questions) => questions_size(questions),
        }
    }
}

impl Entry for Run {
    type Exit = work::Outcome;

    async fn enter(
        self,
        store: &mut Store<CallState>,
        instance: &Instance,
        exports: &Exports,
    ) -> Entered<Self::Exit> {
        let Some(work) = &exports.work else { return Ok(Err(absent("work"))) };
        work.load(&mut *store, instance)?.call_run(store, &self.0).await
    }

    fn size(exit: &Self::Exit) -> usize {
        match exit {
            work::Outcome::Done(result) => result.len(),
            work::Outcome::Ask(questions) => questions_size(questions),
        }
    }
}

impl Entry for Stopped {
    type Exit = ();

    async fn enter(
        self,
        store: &mut Store<CallState>,
        instance: &Instance,
        exports: &Exports,
    ) -> Entered<Self::Exit> {
        let Some(work) = &exports.work else { return Ok(Err(absent("work"))) };
        work.load(&mut *store, instance)?.call_stopped(store, &self.0).await
    }

    fn size((): &Self::Exit) -> usize {
        0
    }
}

impl Entry for CompletePrompt {
    type Exit = Vec<String>;

    async fn enter(
        self,
        store: &mut Store<CallState>,
        instance: &Instance,
        exports: &Exports,
    ) -> Entered<Self::Exit> {
        let Some(prompts) = &exports.prompts else { return Ok(Err(absent("prompts"))) };
        let Self { prompt, argument, typed, others } = &self;
        let guest = prompts.load(&mut *store, instance)?;
        guest.call_complete(store, prompt, argument, typed, others).await
    }

    fn size(exit: &Self::Exit) -> usize {
        exit.iter().map(String::len).sum()
    }
}

impl Entry for ListResources {
    type Exit = Vec<Link>;

    async fn enter(
        self,
        store: &mut Store<CallState>,
        instance: &Instance,
        exports: &Exports,
    ) -> Entered<Self::Exit> {
        let Some(resources) = &exports.resources else { return Ok(Ok(Vec::new())) };
        resources.load(&mut *store, instance)?.call_all(store, &self.config).await
    }

    fn size(exit: &Self::Exit) -> usize {
        exit.iter().map(|link| link.uri.len() + link.name.len()).sum()
    }
}

impl Entry for ReadResource {
    type Exit = Vec<ResourceContents>;

    async fn enter(
        self,
        store: &mut Store<CallState>,
        instance: &Instance,
        exports: &Exports,
    ) -> Entered<Self::Exit> {
        let Some(resources) = &exports.resources else { return Ok(Err(absent("resources"))) };
        resources.load(&mut *store, instance)?.call_read(store, &self.uri, &self.config).await
    }

    fn size(exit: &Self::Exit) -> usize {
        exit.iter().map(|contents| body_size(&contents.body)).sum()
    }
}

impl Entry for CompleteResource {
    type Exit = Vec<String>;

    async fn enter(
        self,
        store: &mut Store<CallState>,
        instance: &Instance,
        exports: &Exports,
    ) -> Entered<Self::Exit> {
        let Some(resources) = &exports.resources else { return Ok(Err(absent("resources"))) };
        let Self { template, variable, typed, others } = &self;
        let guest: resources::Guest = resources.load(&mut *store, instance)?;
        guest.call_complete(store, template, variable, typed, others).await
    }

    fn size(exit: &Self::Exit) -> usize {
        exit.iter().map(String::len).sum()
    }
}

fn content_size(content: &Content) -> usize {
    match content {
        Content::Text(text) => text.len(),
        Content::Image(blob) | Content::Audio(blob) => blob.data.len(),
        Content::Link(link) => link.uri.len() + link.name.len(),
        Content::Embedded(contents) => body_size(&contents.body),
    }
}

fn body_size(body: &Body) -> usize {
    match body {
        Body::Text(text) => text.len(),
        Body::Bytes(bytes) => bytes.len(),
    }
}

fn questions_size(questions: &Questions) -> usize {
    let size = |question: &Question| match question {
        Question::Form(form) => form.message.len() + form.schema.len(),
        Question::Sample(parameters) => parameters.len(),
        Question::Roots => 0,
    };
    questions.state.len() + questions.ask.iter().map(|(_, question)| size(question)).sum::<usize>()
}

fn absent(interface: &str) -> Error {
    Error::new(Code::NotFound, format!("this plugin has no {interface}"))
}
