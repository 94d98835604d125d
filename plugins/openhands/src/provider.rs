//! Which environment variable LiteLLM reads the key of a model from.

/// Providers whose variable is not their name and `_API_KEY`.
const UNUSUAL: [(&str, &str); 4] = [
    ("together_ai", "TOGETHERAI_API_KEY"),
    ("fireworks_ai", "FIREWORKS_AI_API_KEY"),
    ("vertex_ai", "GEMINI_API_KEY"),
    ("bedrock", "AWS_BEARER_TOKEN_BEDROCK"),
];

/// How models are called that stand without their provider.
const BARE: [(&str, &str); 6] = [
    ("gpt", "openai"),
    ("chatgpt", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("claude", "anthropic"),
    ("gemini", "gemini"),
];

/// The variable for a model such as `anthropic/claude-sonnet-4`.
pub(crate) fn key_variable(model: &str) -> String {
    let provider = model.split_once('/').map(|(provider, _)| provider);
    let bare = || BARE.iter().find(|(start, _)| model.starts_with(start)).map(|(_, it)| *it);
    let provider = provider.or_else(bare).unwrap_or("openai").to_ascii_lowercase();
    let unusual = UNUSUAL.iter().find(|(name, _)| *name == provider);
    unusual.map_or_else(|| usual(&provider), |(_, variable)| (*variable).to_owned())
}

fn usual(provider: &str) -> String {
    let letter = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() => letter.to_ascii_uppercase(),
        _ => '_',
    };
    format!("{}_API_KEY", provider.chars().map(letter).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::key_variable;

    #[test]
    fn each_provider_has_its_variable() {
        for (model, variable) in [
            ("openai/gpt-5", "OPENAI_API_KEY"),
            ("gpt-4o", "OPENAI_API_KEY"),
            ("anthropic/claude-sonnet-4", "ANTHROPIC_API_KEY"),
            ("claude-opus-4", "ANTHROPIC_API_KEY"),
            ("gemini/gemini-2.5-pro", "GEMINI_API_KEY"),
            ("ollama/devstral:latest", "OLLAMA_API_KEY"),
            ("openrouter/anthropic/claude", "OPENROUTER_API_KEY"),
            ("together_ai/x", "TOGETHERAI_API_KEY"),
            ("litellm-proxy/x", "LITELLM_PROXY_API_KEY"),
            ("something", "OPENAI_API_KEY"),
        ] {
            assert_eq!(key_variable(model), variable, "{model}");
        }
    }
}
