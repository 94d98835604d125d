//! `authenticate`, as a tool and as a prompt: the secret of a token for a token of an hour.
//!
//! It is no tool of the registry's, so neither what it takes nor what it gives passes where calls are recorded.

use std::{net::IpAddr, sync::Arc};

use rmcp::{
    ErrorData,
    model::{
        CallToolRequestParams, CallToolResult, ContentBlock, GetPromptRequestParams,
        GetPromptResponse, GetPromptResult, Prompt, PromptArgument, PromptMessage, Role, Tool,
        ToolAnnotations,
    },
};
use serde_json::{Value, json};

use super::{Context, Server, answer};
use crate::{
    access::{Granted, Origin, Refused},
    capability::types::{Code, Error},
    registry::Object,
    time::iso,
};

pub(super) const NAME: &str = "authenticate";
const USERNAME: &str = "username";
const API_KEY: &str = "api_key";
const DESCRIPTION: &str = "Gives a token for an hour. Send it as `_meta.authorization` of the requests that are to be that user's.";

/// Where a request comes from.
#[derive(Clone, Copy)]
pub(super) struct From(pub(super) IpAddr);

pub(super) fn tool() -> Tool {
    let text = |what: &str| json!({"type": "string", "description": what});
    let input = json!({
        "type": "object",
        "properties": {
            USERNAME: text("The name of the token that the operator made."),
            API_KEY: text("That token: `wl_` and what follows."),
        },
        "required": [USERNAME, API_KEY],
        "additionalProperties": false,
    });
    let output = json!({
        "type": "object",
        "properties": {"token": {"type": "string"}, "expires": {"type": "string"}},
        "required": ["token", "expires"],
    });
    let object = |value: Value| Arc::new(value.as_object().cloned().unwrap_or_default());
    let annotations = ToolAnnotations::new()
        .read_only(true)
        .destructive(false)
        .idempotent(true)
        .open_world(false);
    Tool::new(NAME, DESCRIPTION, object(input))
        .with_raw_output_schema(object(output))
        .with_annotations(annotations)
}

pub(super) fn prompt() -> Prompt {
    let argument = |name: &str, what: &str| {
        PromptArgument::new(name).with_description(what).with_required(true)
    };
    let arguments = vec![
        argument(USERNAME, "The name of the token that the operator made."),
        argument(API_KEY, "That token: `wl_` and what follows."),
    ];
    Prompt::new(NAME, Some(DESCRIPTION), Some(arguments))
}

impl Server {
    /// Whether the operator offers it.
    pub(super) fn authenticates(&self) -> bool {
        self.access.authenticates()
    }

    pub(super) async fn authenticate(
        &self,
        request: CallToolRequestParams,
        context: &Context,
    ) -> CallToolResult {
        match self.grant(&request.arguments.unwrap_or_default(), context).await {
            Ok(Granted { token, expires }) => {
                let given = json!({"token": token, "expires": iso(expires)});
                let mut result =
                    CallToolResult::success(vec![ContentBlock::text(given.to_string())]);
                result.structured_content = Some(given);
                result
            }
            Err(error) => answer::failed(error),
        }
    }

    pub(super) async fn authenticate_by_prompt(
        &self,
        request: GetPromptRequestParams,
        context: &Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let granted = self.grant(&request.arguments.unwrap_or_default(), context).await;
        let Granted { token, expires } =
            granted.map_err(|error| ErrorData::invalid_params(error.message, None))?;
        let text = format!(
            "The token is {token}\n\nIt is good until {}. Send it as `_meta.authorization`.",
            iso(expires)
        );
        let mut result = GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]);
        result.description = Some(DESCRIPTION.to_owned());
        Ok(GetPromptResponse::Complete(result))
    }

    async fn grant(&self, arguments: &Object, context: &Context) -> Result<Granted, Error> {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        let (Some(name), Some(secret)) = (text(USERNAME), text(API_KEY)) else {
            let message = format!("`{NAME}` takes the texts `{USERNAME}` and `{API_KEY}`");
            return Err(Error::new(Code::Invalid, message));
        };
        let granted = self.access.authenticate(name, secret, origin(context)).await;
        granted.map_err(|refused| match refused {
            Refused::TooOften(_) => Error::new(Code::Limit, refused.told()),
            Refused::Unavailable => Error::new(Code::Unavailable, refused.told()),
            _ => Error::new(Code::Denied, "the username or the api_key is wrong"),
        })
    }
}

fn origin(context: &Context) -> Origin {
    let parts = context.extensions.get::<http::request::Parts>()?;
    parts.extensions.get::<From>().map(|From(address)| *address)
}
