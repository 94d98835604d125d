//! Where the model is: providers that are known by name, and any other that speaks as OpenAI does.

use windlass_sdk::Error;

use crate::settings::Settings;

/// The secret that is the key of the model.
pub(crate) const KEY: &str = "api_key";
/// The same where the provider is `ollama`.
pub(crate) const OLLAMA_KEY: &str = "ollama_api_key";

const OLLAMA: &str = "ollama";

/// A provider that needs no more than its name.
struct Known {
    name: &'static str,
    base_url: &'static str,
    model: &'static str,
    small_model: &'static str,
}

const KNOWN: [Known; 7] = [
    Known {
        name: OLLAMA,
        base_url: "http://host.docker.internal:11434/v1",
        model: "ollama/gpt-oss:20b",
        small_model: "ollama/gpt-oss:20b",
    },
    Known {
        name: "openrouter",
        base_url: "https://openrouter.ai/api/v1",
        model: "openrouter/openai/gpt-4o",
        small_model: "openrouter/openai/gpt-4o-mini",
    },
    Known {
        name: "gemini",
        base_url: "https://generativelanguage.googleapis.com/v1beta/openai",
        model: "gemini/gemini-2.5-pro",
        small_model: "gemini/gemini-2.5-flash",
    },
    Known {
        name: "openai",
        base_url: "https://api.openai.com/v1",
        model: "openai/gpt-4.1",
        small_model: "openai/gpt-4.1-mini",
    },
    Known {
        name: "mistral",
        base_url: "https://api.mistral.ai/v1",
        model: "mistral/mistral-large-latest",
        small_model: "mistral/mistral-small-latest",
    },
    Known {
        name: "deepseek",
        base_url: "https://api.deepseek.com/v1",
        model: "deepseek/deepseek-chat",
        small_model: "deepseek/deepseek-chat",
    },
    Known {
        name: "qwen",
        base_url: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        model: "qwen/qwen-plus",
        small_model: "qwen/qwen-flash",
    },
];

/// A model, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) base_url: String,
    /// The `host:port` of that.
    pub(crate) place: String,
    /// As the provider calls it, without the provider's name.
    pub(crate) model: String,
    pub(crate) small_model: String,
    /// The secret that is its key, if the operator has one.
    pub(crate) secret: Option<&'static str>,
}

impl Provider {
    pub(crate) fn of(settings: &Settings) -> Result<Self, Error> {
        let name = settings.provider.trim();
        let known = KNOWN.iter().find(|known| known.name == name);
        let model = chosen(&[&settings.model, known.map_or("", |known| known.model)]);
        let small =
            chosen(&[&settings.small_model, known.map_or("", |known| known.small_model), model]);
        let inherited = if name == OLLAMA { settings.ollama_base_url.as_str() } else { "" };
        let usual = known.map_or("", |known| known.base_url);
        let base_url = chosen(&[&settings.base_url, inherited, usual]).trim_end_matches('/');
        if model.is_empty() || base_url.is_empty() {
            return Err(unknown(name));
        }
        let has = |secret: &str| settings.secrets.iter().any(|known| known == secret);
        let of_ollama = || (name == OLLAMA && has(OLLAMA_KEY)).then_some(OLLAMA_KEY);
        Ok(Self {
            name: name.to_owned(),
            place: place(base_url)?,
            base_url: base_url.to_owned(),
            model: bare("model", "MCP_OPENCODE_MODEL", name, model)?,
            small_model: bare("small_model", "MCP_OPENCODE_SMALL_MODEL", name, small)?,
            secret: if has(KEY) { Some(KEY) } else { of_ollama() },
        })
    }

    /// What is sent as a key where the operator has none.
    pub(crate) fn usual_key(&self) -> Option<&'static str> {
        (self.name == OLLAMA).then_some(OLLAMA)
    }
}

/// The first that says something.
fn chosen<'a>(texts: &[&'a str]) -> &'a str {
    texts.iter().map(|text| text.trim()).find(|text| !text.is_empty()).unwrap_or_default()
}

/// The model without its provider, which must be the one that is set.
fn bare(key: &str, variable: &str, provider: &str, model: &str) -> Result<String, Error> {
    match model.split_once('/') {
        Some((prefix, rest)) if prefix == provider && !rest.is_empty() => Ok(rest.to_owned()),
        _ => Err(Error::invalid(format!(
            "`plugins.opencode.config.{key}` ({variable}): `{model}` must be `provider/model` with the provider that is set, \
             such as `{provider}/{}`",
            model.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("name")
        ))),
    }
}

fn unknown(name: &str) -> Error {
    let names: Vec<_> = KNOWN.iter().map(|known| format!("`{}`", known.name)).collect();
    Error::invalid(format!(
        "`plugins.opencode.config.provider` (MCP_OPENCODE_PROVIDER): `{name}` is none of {}: set `base_url` and `model` as well",
        names.join(", ")
    ))
}

/// The `host:port` that a URL leads to.
fn place(url: &str) -> Result<String, Error> {
    let wrong = || {
        Error::invalid(format!(
            "`plugins.opencode.config.base_url` (MCP_OPENCODE_BASE_URL): `{url}` is no URL such as `https://api.example.com/v1`"
        ))
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    let usual = match scheme {
        "http" => "80",
        "https" => "443",
        _ => return Err(wrong()),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let has_port = authority.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if authority.is_empty() || !authority.bytes().all(fits) {
        return Err(wrong());
    }
    Ok(if has_port { authority.to_owned() } else { format!("{authority}:{usual}") })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn of(settings: Value) -> Result<Provider, String> {
        Provider::of(&serde_json::from_value(settings).unwrap()).map_err(|error| error.message)
    }

    #[test]
    fn each_known_provider_has_its_place_and_models() {
        for known in &KNOWN {
            let provider = of(json!({"provider": known.name})).unwrap();
            assert_eq!(provider.base_url, known.base_url);
            assert_eq!(format!("{}/{}", known.name, provider.model), known.model);
            assert_eq!(format!("{}/{}", known.name, provider.small_model), known.small_model);
            assert_eq!(provider.usual_key().is_some(), known.name == "ollama");
        }
        let usual = of(json!({})).unwrap();
        assert_eq!(usual.place, "host.docker.internal:11434");
        assert_eq!(
            (usual.model.as_str(), usual.small_model.as_str()),
            ("gpt-oss:20b", "gpt-oss:20b")
        );
    }

    #[test]
    fn a_model_is_named_with_the_provider_that_is_set() {
        let refused = |model: &str| of(json!({"provider": "openai", "model": model})).unwrap_err();
        for wrong in ["gpt-4.1", "gemini/gpt-4.1", "openai/", "/gpt-4.1"] {
            let told = refused(wrong);
            assert!(
                told.contains("must be `provider/model`") && told.contains("such as `openai/"),
                "{told}"
            );
        }
        assert!(refused("gpt-5").contains("`openai/gpt-5`"));
        let small = json!({"provider": "qwen", "small_model": "qwen-flash"});
        assert!(of(small).unwrap_err().contains("MCP_OPENCODE_SMALL_MODEL"));
        let nested = json!({"provider": "openrouter", "model": "openrouter/qwen/qwen3"});
        assert_eq!(of(nested).unwrap().model, "qwen/qwen3");
    }

    #[test]
    fn any_other_provider_has_a_url_and_a_model() {
        assert!(of(json!({"provider": "mine"})).unwrap_err().contains("`mine` is none of"));
        let own =
            json!({"provider": "mine", "model": "mine/a", "base_url": "https://llm.example/v1/"});
        let own = of(own).unwrap();
        assert_eq!(
            (own.base_url.as_str(), own.place.as_str()),
            ("https://llm.example/v1", "llm.example:443")
        );
        assert_eq!(own.small_model, "a");
        assert!(of(json!({"base_url": "llm.example/v1"})).unwrap_err().contains("is no URL"));
        assert!(of(json!({"base_url": "http://a b/v1"})).unwrap_err().contains("is no URL"));
        assert!(
            of(json!({"base_url": "http://user:pass@a/v1"})).unwrap_err().contains("is no URL")
        );
        assert_eq!(of(json!({"base_url": "http://[::1]/v1"})).unwrap().place, "[::1]:80");
        assert_eq!(of(json!({"base_url": "http://[::1]:7/v1"})).unwrap().place, "[::1]:7");
    }

    #[test]
    fn variables_of_ollama_count_for_ollama_only() {
        let of_ollama =
            json!({"ollama_base_url": "http://gpu:11434/v1", "secrets": ["ollama_api_key"]});
        let provider = of(of_ollama).unwrap();
        assert_eq!((provider.place.as_str(), provider.secret), ("gpu:11434", Some(OLLAMA_KEY)));
        let other = json!({"provider": "openai", "ollama_base_url": "http://gpu:11434/v1", "secrets": ["ollama_api_key"]});
        let provider = of(other).unwrap();
        assert_eq!((provider.place.as_str(), provider.secret), ("api.openai.com:443", None));
        let both = json!({"base_url": "http://a:1/v1", "ollama_base_url": "http://b:2/v1", "secrets": ["ollama_api_key", "api_key"]});
        let provider = of(both).unwrap();
        assert_eq!((provider.place.as_str(), provider.secret), ("a:1", Some(KEY)));
    }
}
