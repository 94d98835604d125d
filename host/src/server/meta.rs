//! Three tools that never change, for clients that ignore list changes and for very long lists.

use std::{borrow::Cow, sync::Arc};

use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock, Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::{Server, answer, convert};
use crate::{
    access::Caller,
    capability::types::{Code, Error},
    registry::Schema,
};

const SEARCH: &str = "tools_search";
const DESCRIBE: &str = "tools_describe";
const CALL: &str = "tools_call";

/// How many tools a search names.
const MOST_FOUND: usize = 20;

/// What a request turns out to be.
pub(super) enum Request {
    /// A call of a plugin's tool, directly or through `tools_call`.
    Tool(CallToolRequestParams),
    Answered(CallToolResult),
}

/// The three. Where only reading tools are offered, the one that calls them only reads, too.
pub(super) fn tools(only_reads: bool) -> [Tool; 3] {
    let text = |what: &str| json!({"type": "string", "description": what});
    let name = text("The tool's name, as `tools_search` gives it.");
    [
        tool(
            SEARCH,
            "Finds tools by words in their names and descriptions.",
            &json!({"words": text("Words to look for; none names every tool.")}),
            &[],
            true,
        ),
        tool(
            DESCRIBE,
            "Tells what a tool does and which arguments it takes.",
            &json!({"name": name}),
            &["name"],
            true,
        ),
        tool(
            CALL,
            "Calls a tool that `tools_search` found.",
            &json!({"name": name, "arguments": {"type": "object", "description": "The tool's arguments."}}),
            &["name"],
            only_reads,
        ),
    ]
}

impl Server {
    pub(super) fn meta_request(
        &self,
        mut request: CallToolRequestParams,
        caller: &Caller,
    ) -> Request {
        let is_meta = [SEARCH, DESCRIBE, CALL].contains(&&*request.name);
        if !is_meta || !self.registry.config().server.meta_tools {
            return Request::Tool(request);
        }
        if let Err(error) = check_arguments(&mut request) {
            return Request::Answered(answer::failed(error));
        }
        let argument = |key: &str| request.arguments.as_ref().and_then(|it| it.get(key)).cloned();
        let text = |key: &str| argument(key).and_then(|it| it.as_str().map(str::to_owned));
        match &*request.name {
            SEARCH => Request::Answered(self.search(&text("words").unwrap_or_default(), caller)),
            DESCRIBE => Request::Answered(self.describe(&text("name").unwrap_or_default(), caller)),
            CALL => {
                let arguments = argument("arguments").and_then(|it| it.as_object().cloned());
                request.name = Cow::Owned(text("name").unwrap_or_default());
                request.arguments = arguments;
                Request::Tool(request)
            }
            _ => Request::Tool(request),
        }
    }

    /// Tools that hold every word, those first that have it in their name.
    fn search(&self, words: &str, caller: &Caller) -> CallToolResult {
        let words: Vec<_> = words.split_whitespace().map(str::to_lowercase).collect();
        let catalog = self.registry.catalog();
        let matches = |text: &str| {
            let text = text.to_lowercase();
            words.iter().filter(|word| text.contains(*word)).count()
        };
        let mut found: Vec<_> = catalog
            .tools
            .values()
            .filter(|tool| self.registry.shows(caller, tool))
            .filter(|tool| matches(&format!("{} {}", tool.name, tool.description)) == words.len())
            .collect();
        found.sort_by_key(|tool| std::cmp::Reverse(matches(&tool.name)));
        let found = found.iter().take(MOST_FOUND).map(|tool| {
            let summary = tool.description.lines().next().unwrap_or_default();
            json!({"name": tool.name, "summary": summary})
        });
        structured(&json!({"tools": found.collect::<Vec<_>>()}))
    }

    fn describe(&self, name: &str, caller: &Caller) -> CallToolResult {
        let catalog = self.registry.catalog();
        match catalog.tools.get(name).filter(|tool| self.registry.shows(caller, tool)) {
            Some(tool) => {
                structured(&serde_json::to_value(convert::tool(tool)).unwrap_or_default())
            }
            None => answer::failed(Error::new(
                Code::NotFound,
                format!("there is no tool `{name}`; `{SEARCH}` names those there are"),
            )),
        }
    }
}

/// Arguments that fit, or an error that says what does not.
fn check_arguments(request: &mut CallToolRequestParams) -> Result<(), Error> {
    let Some(tool) = tools(false).into_iter().find(|tool| tool.name == request.name) else {
        return Ok(());
    };
    let schema = Schema::new(&Value::Object((*tool.input_schema).clone()).to_string());
    let check = |schema: Schema| {
        let arguments = request.arguments.get_or_insert_default();
        schema.forget_nulls(arguments);
        schema.check(&Value::Object(arguments.clone()))
    };
    schema.and_then(check).map_err(|mistakes| {
        Error::invalid(format!("the arguments of `{}` do not fit: {mistakes}", tool.name))
    })
}

fn structured(value: &Value) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(value.to_string())]);
    result.structured_content = Some(value.clone());
    result
}

fn tool(
    name: &'static str,
    description: &'static str,
    properties: &Value,
    required: &[&str],
    read_only: bool,
) -> Tool {
    let schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    let annotations = ToolAnnotations::new()
        .read_only(read_only)
        .destructive(!read_only)
        .idempotent(read_only)
        .open_world(!read_only);
    let schema = schema.as_object().cloned().unwrap_or_default();
    Tool::new(name, description, Arc::new(schema)).with_annotations(annotations)
}
