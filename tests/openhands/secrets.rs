//! Secrets reach tasks and nothing else; the model is what the operator says.

use serde_json::json;

use super::{
    desk::{Desk, Wish},
    teardown::unpacked,
};
use crate::support::bench::text;

const TOKEN: &str = "it's-a-$ecret \"quoted\" token";
const KEY: &str = "sk-of-the-deep-sea";
const BOTH: [(&str, &str); 2] =
    [("OPENHANDS_SECRET_GITHUB_TOKEN", TOKEN), ("OPENHANDS_SECRET_LLM_API_KEY", KEY)];

#[test]
fn oh_6_secrets_reach_the_container() {
    let wish = Wish { environment: &BOTH, ..Wish::default() };
    let Some(mut desk) = Desk::with(&wish) else { return };
    let session = desk.session();
    // What a program prints is its output; here only their lengths.
    let told = desk.ran(
        &session,
        "RUN printf %s \"$GITHUB_TOKEN\" | wc -c\nRUN printf %s \"$LLM_API_KEY\" | wc -c\nRUN test -e .openhands_secrets || echo no file",
    );
    let logs = text(&told["logs"]);
    assert!(logs.contains(&format!("\n{}\n", TOKEN.len())), "{logs}");
    assert!(logs.contains(&format!("\n{}\n", KEY.len())) && logs.contains("no file"), "{logs}");
    assert_eq!(told["changed_files"], json!([]), "the repository is as it was");
}

#[test]
fn oh_6_the_server_gets_the_key_where_its_provider_looks() {
    let config = "mode = 'agent-server'\nllm_model = 'anthropic/claude'";
    let wish = Wish { config, environment: &BOTH, ..Wish::default() };
    let Some(mut desk) = Desk::with(&wish) else { return };
    let session = desk.session();
    let told = desk.ran(&session, "RUN printf %s \"$ANTHROPIC_API_KEY\" | wc -c\nENV LLM_API_KEY");
    let logs = text(&told["logs"]);
    assert!(logs.contains(&format!("\n{}\n", KEY.len())), "{logs}");
    assert!(logs.contains("LLM_API_KEY=\n"), "{logs}");
}

#[test]
fn no_secret_is_written_down_by_us() {
    let wish = Wish { environment: &BOTH, ..Wish::default() };
    let Some(mut desk) = Desk::with(&wish) else { return };
    let session = desk.session();
    desk.ran(&session, "WRITE a.txt x");
    let told = desk.call("teardown", json!({"session_id": session}));
    let quoted = json!(TOKEN).to_string();
    // As it is, and as it would stand in a record.
    let forms = [TOKEN, KEY, quoted.trim_matches('"')];
    for (name, text) in unpacked(&desk, &told["archive_path"]) {
        assert!(!forms.iter().any(|form| text.contains(form)), "{name} holds a secret");
    }
    desk.bench.ended(|bench| {
        for file in files(&bench.state()) {
            let bytes = std::fs::read(&file).unwrap();
            for form in forms {
                let found = bytes.windows(form.len()).any(|part| part == form.as_bytes());
                assert!(!found, "{} holds a secret", file.display());
            }
        }
    });
}

#[test]
fn the_model_is_a_setting() {
    let config = "llm_model = 'openai/x'\nllm_base_url = 'http://m.example/v1'\nllm_timeout = 5\nmax_iterations = 9\nenvironment = { A = 'b' }";
    let Some(mut desk) = Desk::configured(config) else { return };
    let session = desk.session();
    let names = [
        "LLM_MODEL",
        "LLM_BASE_URL",
        "LLM_TIMEOUT",
        "LLM_API_KEY",
        "A",
        "REPO_URL",
        "BRANCH",
        "LOG_ALL_EVENTS",
        "TASK_DESCRIPTION",
        "SANDBOX_VOLUMES",
    ];
    let task = names.map(|name| format!("ENV {name}")).join("\n");
    let logs = text(&desk.ran(&session, &task)["logs"]);
    for line in [
        "LLM_MODEL=openai/x",
        "LLM_BASE_URL=http://m.example/v1",
        "LLM_TIMEOUT=5",
        "LLM_API_KEY=ollama",
        "A=b",
        "BRANCH=main",
        "LOG_ALL_EVENTS=true",
        "TASK_DESCRIPTION=ENV LLM_MODEL",
        "SANDBOX_VOLUMES=/workspace:/workspace:rw",
    ] {
        assert!(logs.contains(&format!("{line}\n")), "no `{line}` in {logs}");
    }
    assert!(logs.contains(&format!("REPO_URL={}\n", desk.git.url("one"))), "{logs}");
}

#[test]
fn secrets_of_the_configuration_and_of_variables_go_together() {
    let wish = Wish {
        grant: "secrets = ['OTHER']\n[plugins.openhands.secrets]\nOTHER = '${MINE}'",
        config: "secrets = ['OTHER']",
        environment: &[("MINE", "mine-and-only-mine"), BOTH[0]],
        git: false,
    };
    let Some(mut desk) = Desk::with(&wish) else { return };
    let session = desk.session();
    let told = desk.ran(&session, "RUN printf %s \"$OTHER$GITHUB_TOKEN\" | wc -c");
    let length = "mine-and-only-mine".len() + TOKEN.len();
    assert!(text(&told["logs"]).contains(&format!("\n{length}\n")), "{told}");
}

/// Every file below a folder.
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found
}
