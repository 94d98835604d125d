//! How opencode is started: its command, its environment and its configuration.

use serde_json::{Map, Value as Json, json};
use windlass_sdk::{processes::Spec, types::Value};

use crate::{
    extras,
    provider::Provider,
    session::Session,
    settings::{Permission, Settings},
};

/// Where opencode listens inside.
pub(crate) const PORT: u16 = 4096;
/// Where the second workspace of a session is.
pub(crate) const META: &str = "/session-meta";

/// The provider as opencode is told. Under its own name it may be one that opencode treats in its own way.
const PROVIDER: &str = "windlass";
/// The variable with the key of the model, of which only opencode's own process has the value.
const KEY_VARIABLE: &str = "WINDLASS_MODEL_KEY";
/// What opencode asks about where it is told to.
const ASKED: [&str; 6] =
    ["bash", "doom_loop", "edit", "external_directory", "webfetch", "websearch"];

/// What runs in the container: the server, after what is to be done once.
pub(crate) fn spec(
    id: &str,
    session: &Session,
    generation: u64,
    provider: &Provider,
    settings: &Settings,
) -> Spec {
    let mut command: Vec<String> = settings.command.split_whitespace().map(str::to_owned).collect();
    command.extend(["serve", "--hostname", "127.0.0.1", "--port"].map(str::to_owned));
    command.push(PORT.to_string());
    let command = match settings.extras() {
        Some(folder) => extras::before(folder, command),
        None => command,
    };
    let mut spec = Spec { key: Some(format!("{id}.{generation}")), ..Spec::new(command) };
    spec.env = environment(session, provider, settings);
    spec
}

/// The model, as opencode calls it.
pub(crate) fn model(provider: &Provider) -> Json {
    json!({"providerID": PROVIDER, "modelID": provider.model})
}

fn environment(
    session: &Session,
    provider: &Provider,
    settings: &Settings,
) -> Vec<(String, Value)> {
    let home = format!("{META}/home");
    let below = |folder: &str| format!("{home}/{folder}");
    let mut plain = vec![
        ("HOME", home.clone()),
        ("XDG_CONFIG_HOME", below(".config")),
        ("XDG_DATA_HOME", below(".local/share")),
        ("XDG_STATE_HOME", below(".local/state")),
        ("XDG_CACHE_HOME", below(".cache")),
        ("PYTHONUSERBASE", below(".local")),
        ("OPENCODE_SERVER_PASSWORD", session.password.clone()),
        ("OPENCODE_CONFIG_CONTENT", config(provider, settings).to_string()),
        ("OPENCODE_PERMISSION", rules(settings.permission).to_string()),
        // Whoever made the files, this is the session's repository.
        ("GIT_CONFIG_COUNT", "1".to_owned()),
        ("GIT_CONFIG_KEY_0", "safe.directory".to_owned()),
        ("GIT_CONFIG_VALUE_0", "*".to_owned()),
    ];
    let off = ["MODELS_FETCH", "AUTOUPDATE", "LSP_DOWNLOAD", "SHARE", "DEFAULT_PLUGINS"];
    let off = off.map(|name| (format!("OPENCODE_DISABLE_{name}"), Value::Plain("1".to_owned())));
    if settings.permission != Permission::Allow {
        // A repository must not say yes in the user's place.
        plain.push(("OPENCODE_DISABLE_PROJECT_CONFIG", "1".to_owned()));
    }
    let plain = plain.into_iter().map(|(name, value)| (name.to_owned(), Value::Plain(value)));
    let own = settings.environment.iter();
    let own = own.map(|(name, value)| (name.clone(), Value::Plain(value.clone())));
    let key =
        provider.secret.map(|secret| (KEY_VARIABLE.to_owned(), Value::Secret(secret.to_owned())));
    plain.chain(off).chain(own).chain(key).collect()
}

/// opencode's configuration. No key is in it.
fn config(provider: &Provider, settings: &Settings) -> Json {
    let limit = json!({"context": settings.context_tokens, "output": settings.output_tokens});
    let model =
        |name: &str| (name.to_owned(), json!({"name": name, "tool_call": true, "limit": limit}));
    let models: Map<_, _> =
        [&provider.model, &provider.small_model].map(|name| model(name)).into_iter().collect();
    let mut options = json!({"baseURL": provider.base_url});
    let reference = provider.secret.map(|_| format!("{{env:{KEY_VARIABLE}}}"));
    if let Some(key) = reference.or_else(|| provider.usual_key().map(str::to_owned)) {
        options["apiKey"] = key.into();
    }
    let name = &provider.name;
    let own = json!({"npm": "@ai-sdk/openai-compatible", "name": name, "options": options, "models": models});
    let mut config = json!({
        "$schema": "https://opencode.ai/config.json",
        "provider": {PROVIDER: own},
        "enabled_providers": [PROVIDER],
        "model": format!("{PROVIDER}/{}", provider.model),
        "small_model": format!("{PROVIDER}/{}", provider.small_model),
        "share": "disabled",
        "autoupdate": false,
    });
    merge(&mut config, &Json::Object(settings.opencode.clone()));
    config
}

/// Lays one configuration over the other.
fn merge(under: &mut Json, over: &Json) {
    match (under, over) {
        (Json::Object(under), Json::Object(over)) => {
            for (name, value) in over {
                merge(under.entry(name.clone()).or_insert(Json::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

/// What opencode may do. Nobody is there whom it could ask a question in the middle.
fn rules(permission: Permission) -> Json {
    let asked = match permission {
        Permission::Allow => "allow",
        Permission::Deny => "deny",
        Permission::Ask => "ask",
    };
    let mut rules = json!({"*": "allow", "question": "deny"});
    for name in ASKED {
        rules[name] = asked.into();
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: Json) -> (Provider, Settings) {
        let settings: Settings = serde_json::from_value(settings).unwrap();
        (Provider::of(&settings).unwrap(), settings)
    }

    fn of(settings: Json) -> Spec {
        let (provider, settings) = read(settings);
        spec(
            "w_1",
            &Session { password: "p".to_owned(), ..Session::default() },
            3,
            &provider,
            &settings,
        )
    }

    fn said(spec: &Spec, name: &str) -> Option<String> {
        spec.env.iter().find(|(known, _)| known == name).map(|(_, value)| match value {
            Value::Plain(text) => text.clone(),
            Value::Secret(name) => format!("secret {name}"),
        })
    }

    #[test]
    fn the_server_is_started_once_for_each_generation() {
        let spec = of(json!({"command": "node /opt/opencode"}));
        assert_eq!(
            spec.command,
            ["node", "/opt/opencode", "serve", "--hostname", "127.0.0.1", "--port", "4096"]
        );
        assert_eq!(spec.key.as_deref(), Some("w_1.3"));
        assert_eq!(said(&spec, "HOME").as_deref(), Some("/session-meta/home"));
        assert_eq!(said(&spec, "OPENCODE_DISABLE_MODELS_FETCH").as_deref(), Some("1"));
    }

    #[test]
    fn the_key_of_the_model_goes_by_name() {
        let spec = of(json!({"provider": "openai", "secrets": ["api_key"]}));
        assert_eq!(said(&spec, "WINDLASS_MODEL_KEY").as_deref(), Some("secret api_key"));
        let config: Json =
            serde_json::from_str(&said(&spec, "OPENCODE_CONFIG_CONTENT").unwrap()).unwrap();
        let options = &config["provider"]["windlass"]["options"];
        assert_eq!(
            options,
            &json!({"baseURL": "https://api.openai.com/v1", "apiKey": "{env:WINDLASS_MODEL_KEY}"})
        );
        assert_eq!(
            (&config["model"], &config["small_model"]),
            (&json!("windlass/gpt-4.1"), &json!("windlass/gpt-4.1-mini"))
        );
        let without = of(json!({"provider": "openai"}));
        assert!(!said(&without, "OPENCODE_CONFIG_CONTENT").unwrap().contains("apiKey"));
        assert_eq!(said(&without, "WINDLASS_MODEL_KEY"), None);
        assert!(
            said(&of(json!({})), "OPENCODE_CONFIG_CONTENT")
                .unwrap()
                .contains("\"apiKey\":\"ollama\"")
        );
    }

    #[test]
    fn the_operator_may_add_to_the_configuration() {
        let own = json!({"opencode": {"provider": {"windlass": {"options": {"timeout": 7}}}, "share": "manual"}});
        let (provider, settings) = read(own);
        let config = config(&provider, &settings);
        let options = &config["provider"]["windlass"]["options"];
        assert_eq!((&options["timeout"], &config["share"]), (&json!(7), &json!("manual")));
        assert_eq!(options["baseURL"], "http://host.docker.internal:11434/v1");
    }

    #[test]
    fn what_may_be_done_is_said_to_opencode() {
        let rule = |permission: &str| {
            let spec = of(json!({"permission": permission}));
            let rules: Json =
                serde_json::from_str(&said(&spec, "OPENCODE_PERMISSION").unwrap()).unwrap();
            let project = said(&spec, "OPENCODE_DISABLE_PROJECT_CONFIG").is_none();
            (rules["bash"].clone(), rules["read"].clone(), rules["question"].clone(), project)
        };
        assert_eq!(rule("allow"), (json!("allow"), json!(null), json!("deny"), true));
        assert_eq!(rule("deny"), (json!("deny"), json!(null), json!("deny"), false));
        assert_eq!(rule("ask"), (json!("ask"), json!(null), json!("deny"), false));
    }
}
