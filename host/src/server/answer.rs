//! What a call comes to, as the client reads it.

use rmcp::{
    ErrorData,
    model::{CallToolResult, ContentBlock},
};
use serde_json::{Value, json};

use super::convert;
use crate::{
    capability::{
        tools::Output,
        types::{Code, Error},
    },
    visible::shown,
};

/// A tool's result. Structured JSON without content is the text as well, for clients that read only text.
pub(super) fn done(output: Output) -> CallToolResult {
    let mut content: Vec<_> = output.content.into_iter().map(convert::content).collect();
    let structured = output.structured.and_then(|text| {
        let value = serde_json::from_str::<Value>(&text).ok();
        if content.is_empty() {
            content.push(ContentBlock::text(text));
        }
        value
    });
    let mut result = CallToolResult::success(content);
    result.structured_content = structured;
    result
}

/// A tool's failure: a sentence for the model, and the same for programs.
pub(super) fn failed(mut error: Error) -> CallToolResult {
    error.message = shown(error.message);
    let structured = json!({
        "success": false,
        "error": error.message,
        "error_code": error.code_for_programs(),
        "details": error.details_value(),
    });
    let mut result = CallToolResult::error(vec![ContentBlock::text(error.message)]);
    result.structured_content = Some(structured);
    result
}

/// A failure of something that is no tool.
pub(super) fn refused(error: Error) -> ErrorData {
    let message = shown(error.message);
    match error.code {
        Code::Invalid => ErrorData::invalid_params(message, None),
        Code::NotFound => ErrorData::resource_not_found(message, None),
        _ => ErrorData::internal_error(message, None),
    }
}
