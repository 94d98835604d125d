//! `windlass call`: one call of one tool, without a client.

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{Opening, output};
use crate::{
    access::Caller,
    bundled::Bundled,
    capability::{
        Level,
        tools::{Outcome, Output},
        types::{Abilities, Answer, Answers, Body, Content, Error, Question, Questions},
    },
    error::told,
    plugin::{Change, Observer, Progress},
    registry::{self, Entry, LOCAL, Object, OfferedTool, Registry, progress_to},
};

#[derive(Args)]
pub(super) struct Call {
    /// The tool's name.
    tool: String,
    /// Arguments as `key=value`; a value is JSON where it can be, else text. `-` reads a JSON object from stdin.
    arguments: Vec<String>,
    #[command(flatten)]
    opening: Opening,
    /// JSON, for programs.
    #[arg(long)]
    json: bool,
}

/// Who calls by hand waits for a job as long as it takes.
const FOREVER: Duration = Duration::from_secs(u64::MAX / 1000);

/// Shows progress to people.
struct Shown(bool);

impl Observer for Shown {
    fn progress(&self, progress: Progress) {
        if self.0 {
            let total = progress.total.map(|total| format!("/{total}")).unwrap_or_default();
            output::to_stderr(&format!("{}{total} {}", progress.done, progress.message));
        }
    }

    fn log(&self, _: Level, _: String) {}

    fn changed(&self, _: Change) {}
}

impl Call {
    pub(super) async fn run(self, bundled: &'static [Bundled]) -> anyhow::Result<ExitCode> {
        let arguments = read_arguments(&self.arguments)?;
        let registry = self.opening.open(bundled).await?;
        self.opening.begin_short_life(&registry)?;
        let catalog = registry.catalog();
        let Some(tool) = catalog.tools.get(&self.tool) else {
            for (name, failure) in registry.failures() {
                output::to_stderr(&format!("plugin `{name}` does not load: {failure}"));
            }
            bail!("there is no tool `{}`; `windlass tools` names those there are", self.tool);
        };
        let mut arguments = arguments;
        tool.input.forget_nulls(&mut arguments);
        let arguments = Value::Object(arguments);
        let text = arguments.to_string();
        tool.input
            .check(&arguments)
            .map_err(|mistakes| anyhow::anyhow!("the arguments do not fit: {mistakes}"))?;
        let mut entry = registry.entry(&Caller::local(), "windlass call".to_owned(), tool);
        entry.with(&text);
        let result = tokio::select! {
            result = converse(&registry, tool, &text, &entry) => result?,
            _ = tokio::signal::ctrl_c() => bail!("cancelled"),
        };
        match &result {
            Ok(output) => {
                entry.answers(output);
                entry.end();
            }
            Err(error) => entry.failed(&error.code_for_programs(), &error.message),
        }
        if let Err(failure) = registry.doors().audit.flush().await {
            output::to_stderr(&format!("the call is not recorded: {:#}", told(failure)));
        }
        match result {
            Ok(output) => self.show(output)?,
            Err(error) => {
                self.show_failure(&error)?;
                return Ok(ExitCode::FAILURE);
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn show(&self, output: Output) -> anyhow::Result<()> {
        let structured = output.structured.as_deref().map(serde_json::from_str::<Value>);
        let structured = structured.transpose()?;
        if self.json {
            let content: Vec<_> = output.content.iter().map(as_text).collect();
            return output::print_json(&json!({"content": content, "structured": structured}));
        }
        for content in &output.content {
            output::print(&as_text(content));
        }
        match structured {
            Some(structured) if output.content.is_empty() => output::print_json(&structured),
            _ => Ok(()),
        }
    }

    fn show_failure(&self, error: &Error) -> anyhow::Result<()> {
        if self.json {
            let (code, details) = (error.code_for_programs(), error.details_value());
            return output::print_json(
                &json!({"error": error.message, "error_code": code, "details": details}),
            );
        }
        output::to_stderr(&format!("{}: {}", error.code_for_programs(), error.message));
        Ok(())
    }
}

async fn converse(
    registry: &Arc<Registry>,
    tool: &OfferedTool,
    arguments: &str,
    entry: &Entry,
) -> anyhow::Result<Result<Output, Error>> {
    let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    let abilities = if terminal { Abilities::FORMS } else { Abilities::empty() };
    let observer = Arc::new(Shown(io::stderr().is_terminal()));
    let caller = Arc::from(LOCAL);
    let mut answers = None;
    loop {
        let call = registry::Call {
            caller: &caller,
            arguments,
            client: abilities,
            answers,
            observer: observer.clone(),
            entry,
            trial: None,
        };
        let called = registry.call(tool, call);
        match called.await {
            Ok(Outcome::Done(output)) => return Ok(Ok(output)),
            Ok(Outcome::Ask(questions)) if terminal => answers = Some(ask(questions)?),
            Ok(Outcome::Job(id)) => {
                return Ok(outcome_of_job(registry, tool, &id, &caller, &observer).await);
            }
            Ok(Outcome::Ask(_)) => {
                bail!("the tool asks its user something, and there is no terminal to ask on")
            }
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// Waits for the job that a call came to: nobody else runs it while this command has the state directory.
async fn outcome_of_job(
    registry: &Registry,
    tool: &OfferedTool,
    id: &str,
    caller: &Arc<str>,
    observer: &Shown,
) -> Result<Output, Error> {
    let jobs = registry.jobs_of_plugin(caller, tool.owner()).await?;
    jobs.name_tool(id, &tool.name).await?;
    let record = jobs.follow(id, FOREVER, progress_to(observer)).await?;
    tool.output_of(jobs.outcome(&record).await?)
}

/// Asks on the terminal: a yes or no, and then each field.
fn ask(questions: Questions) -> anyhow::Result<Answers> {
    let mut given = Vec::new();
    for (name, question) in questions.ask {
        let Question::Form(form) = question else {
            bail!("the tool asks something that only an MCP client can answer")
        };
        output::to_stderr(&form.message);
        let schema: Value = serde_json::from_str(&form.schema)?;
        given.push((name, fill_in(&schema)?));
    }
    Ok(Answers { given, state: questions.state })
}

fn fill_in(schema: &Value) -> anyhow::Result<Answer> {
    let fields = schema.get("properties").and_then(Value::as_object);
    let Some(fields) = fields.filter(|fields| !fields.is_empty()) else {
        let yes = read_line("y/n")?.eq_ignore_ascii_case("y");
        return Ok(if yes { Answer::Given("{}".to_owned()) } else { Answer::Declined });
    };
    let mut filled = Object::new();
    for name in fields.keys() {
        let line = read_line(name)?;
        if !line.is_empty() {
            filled.insert(name.clone(), value_of(&line));
        }
    }
    Ok(Answer::Given(Value::Object(filled).to_string()))
}

fn read_line(prompt: &str) -> anyhow::Result<String> {
    output::to_stderr(&format!("{prompt}:"));
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn read_arguments(written: &[String]) -> anyhow::Result<Object> {
    if written == ["-"] {
        let value: Value = serde_json::from_reader(io::stdin()).context("stdin holds no JSON")?;
        return match value {
            Value::Object(object) => Ok(object),
            _ => bail!("stdin holds JSON, but no object"),
        };
    }
    let mut arguments = Object::new();
    for argument in written {
        let (key, value) = argument
            .split_once('=')
            .with_context(|| format!("`{argument}` is not written as key=value"))?;
        arguments.insert(key.to_owned(), value_of(value));
    }
    Ok(arguments)
}

/// JSON where it can be, else text.
fn value_of(written: &str) -> Value {
    serde_json::from_str(written).unwrap_or_else(|_| Value::from(written))
}

fn as_text(content: &Content) -> String {
    match content {
        Content::Text(text) => text.clone(),
        Content::Image(blob) => format!("[image, {}, {} bytes]", blob.mime_type, blob.data.len()),
        Content::Audio(blob) => format!("[audio, {}, {} bytes]", blob.mime_type, blob.data.len()),
        Content::Link(link) => format!("[{}]({})", link.name, link.uri),
        Content::Embedded(contents) => match &contents.body {
            Body::Text(text) => text.clone(),
            Body::Bytes(bytes) => format!("[{}, {} bytes]", contents.uri, bytes.len()),
        },
    }
}
