//! What a component is, imports and offers: for `windlass plugins inspect`.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    explain::{imports_of, section},
    tools,
};
use crate::{capability::CONTRACT, plugin::Prepared};

/// All of it, as JSON.
pub(super) fn look(prepared: &Prepared, from: &str, wasm: &[u8]) -> Value {
    let description = &prepared.description;
    let plugin = &description.plugin;
    let offered = plugin.tools.iter().map(|tool| {
        json!({
            "name": tool.name,
            "hints": tools::hints(tool.hints),
            "summary": tool.description.lines().next().unwrap_or_default(),
        })
    });
    let prompts = description.prompts.iter().map(|prompt| prompt.name.clone());
    let resources = description.resources.as_ref();
    let templates =
        resources.map(|it| it.templates.iter().map(|it| it.uri.clone()).collect::<Vec<_>>());
    json!({
        "name": prepared.name,
        "calls_itself": plugin.name,
        "version": plugin.version,
        "contract": CONTRACT,
        "from": from,
        "size": wasm.len(),
        "sha256": crate::plugin::hex(&Sha256::digest(wasm)),
        "imports": imports_of(&prepared.imports),
        "tools": offered.collect::<Vec<_>>(),
        "prompts": prompts.collect::<Vec<_>>(),
        "schemes": resources.map(|it| it.schemes.clone()),
        "templates": templates,
        "asks": plugin.asks,
        "instructions": plugin.instructions,
    })
}

/// The same for people.
pub(super) fn sections(value: &Value) -> String {
    let text = |key: &str| value.get(key).map(as_text).unwrap_or_default();
    let mut out = format!("{} {}\n", text("name"), text("version"));
    for key in ["from", "contract", "size", "sha256"] {
        out += &section(key, &[text(key)]);
    }
    for key in ["imports", "tools", "prompts", "schemes", "templates", "asks", "instructions"] {
        out += &section(key, &lines(value.get(key)));
    }
    out
}

fn lines(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().map(as_text).collect(),
        Some(Value::String(text)) => text.lines().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(tool) => {
            let part = |key: &str| tool.get(key).map(as_text).unwrap_or_default();
            format!("{} [{}] {}", part("name"), part("hints"), part("summary"))
        }
        Value::Array(items) => items.iter().map(as_text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
