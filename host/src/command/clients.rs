//! `windlass config`: the entry that an MCP client needs to use this host.
//!
//! An entry is printed and not written: clients keep other things in the same files.

use std::{
    env,
    path::{self, Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::output;

/// The environment variable in which clients find the token.
const TOKEN: &str = "WINDLASS_TOKEN";

/// How long clients that can be told so wait for one call, in seconds: as long as a call may take.
const PATIENCE: u64 = 300;

#[derive(Args)]
pub(super) struct Config {
    client: Client,
    /// What the client calls this host.
    #[arg(long, default_value = "windlass")]
    name: String,
    /// Connects to a host that serves over HTTP.
    #[arg(long, value_name = "URL", conflicts_with_all = ["plugins", "config", "state_dir", "files"])]
    http: Option<url::Url>,
    /// Only these of the bundled plugins.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    plugins: Vec<String>,
    /// The configuration that the host reads.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the host keeps its things.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// One more plugin: a WebAssembly component. May be repeated.
    #[arg(long = "plugin", value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Client {
    ClaudeCode,
    ClaudeDesktop,
    Cursor,
    Vscode,
    Opencode,
    Zed,
    Goose,
    Codex,
    Windsurf,
}

/// How a client reaches the host.
enum Way {
    /// It starts this program.
    Command { program: String, arguments: Vec<String> },
    /// It connects to one that runs.
    Http(String),
}

impl Config {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let way = match &self.http {
            Some(url) => Way::Http(url.to_string()),
            None => Way::Command { program: this_program()?, arguments: self.arguments()? },
        };
        output::print(self.client.entry(&self.name, &way)?.trim_end());
        output::to_stderr(&format!("this belongs into {}", self.client.file()));
        if let (Way::Http(_), Some(hint)) = (&way, self.client.hint()) {
            output::to_stderr(hint);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What the client has to pass: it starts the host in a folder that nobody knows.
    fn arguments(&self) -> anyhow::Result<Vec<String>> {
        let mut arguments = vec!["serve".to_owned()];
        if !self.plugins.is_empty() {
            arguments.extend(["--plugins".to_owned(), self.plugins.join(",")]);
        }
        let config = self.config.iter().map(|file| ("--config", file));
        let state = self.state_dir.iter().map(|directory| ("--state-dir", directory));
        let files = self.files.iter().map(|file| ("--plugin", file));
        for (flag, path) in config.chain(state).chain(files) {
            arguments.extend([flag.to_owned(), absolute(path)?]);
        }
        Ok(arguments)
    }
}

impl Client {
    /// What the client reads, in its own format.
    fn entry(self, name: &str, way: &Way) -> anyhow::Result<String> {
        let servers = match (self, way) {
            (Self::Goose, _) => return Ok(yaml(name, way)),
            (Self::Codex, _) => return codex(name, way),
            (Self::ClaudeDesktop, Way::Http(_)) => {
                bail!("claude-desktop reads only servers that it starts itself; leave --http out")
            }
            (Self::Zed, _) => "context_servers",
            (Self::Vscode, _) => "servers",
            (Self::Opencode, _) => "mcp",
            _ => "mcpServers",
        };
        let server = match way {
            Way::Command { program, arguments } => self.command(program, arguments),
            Way::Http(url) => self.http(url),
        };
        Ok(serde_json::to_string_pretty(&json!({servers: {name: server}}))?)
    }

    fn command(self, program: &str, arguments: &[String]) -> Value {
        match self {
            Self::Opencode => {
                let command = [&[program.to_owned()], arguments].concat();
                let patience = PATIENCE * 1000;
                json!({"type": "local", "command": command, "enabled": true, "timeout": patience})
            }
            Self::ClaudeCode | Self::Vscode => {
                json!({"type": "stdio", "command": program, "args": arguments})
            }
            _ => json!({"command": program, "args": arguments}),
        }
    }

    fn http(self, url: &str) -> Value {
        let bearer = |token: String| json!({"Authorization": format!("Bearer {token}")});
        let in_editor = || bearer(format!("${{env:{TOKEN}}}"));
        match self {
            Self::Opencode => {
                let headers = bearer(format!("{{env:{TOKEN}}}"));
                json!({"type": "remote", "url": url, "headers": headers, "enabled": true})
            }
            Self::Vscode => json!({"type": "http", "url": url, "headers": in_editor()}),
            Self::Cursor => json!({"url": url, "headers": in_editor()}),
            Self::Windsurf => json!({"serverUrl": url, "headers": in_editor()}),
            Self::Zed => json!({"url": url}),
            _ => json!({"type": "http", "url": url, "headers": bearer(format!("${{{TOKEN}}}"))}),
        }
    }

    /// Where the client reads it.
    fn file(self) -> &'static str {
        match self {
            Self::ClaudeCode => {
                ".mcp.json in the project's folder, or `mcpServers` in ~/.claude.json"
            }
            Self::ClaudeDesktop => {
                "~/.config/Claude/claude_desktop_config.json (macOS: ~/Library/Application Support/Claude)"
            }
            Self::Cursor => "~/.cursor/mcp.json, or .cursor/mcp.json in the project's folder",
            Self::Vscode => {
                ".vscode/mcp.json in the project's folder, or what `MCP: Open User Configuration` opens"
            }
            Self::Opencode => {
                "~/.config/opencode/opencode.json, or opencode.json in the project's folder"
            }
            Self::Zed => "~/.config/zed/settings.json",
            Self::Goose => "~/.config/goose/config.yaml",
            Self::Codex => "~/.codex/config.toml",
            Self::Windsurf => "~/.codeium/windsurf/mcp_config.json",
        }
    }

    /// What the client needs besides for HTTP.
    fn hint(self) -> Option<&'static str> {
        match self {
            Self::ClaudeDesktop => None,
            Self::Zed => Some(
                "zed reads no environment variable here: where the host wants its token, add \"headers\": {\"Authorization\": \"Bearer <token>\"}",
            ),
            _ => Some("the client finds the token in the environment variable WINDLASS_TOKEN"),
        }
    }
}

/// A ready entry for HTTP, and how its token comes into the environment.
pub(super) fn http_entry(url: &str, token_file: Option<&Path>) -> String {
    let mut server = Client::ClaudeCode.http(url);
    if let (None, Some(server)) = (token_file, server.as_object_mut()) {
        server.remove("headers");
    }
    let entry = format!("{:#}", json!({"mcpServers": {"windlass": server}}));
    match token_file {
        Some(file) => {
            format!("{entry}\nexport {TOKEN}=$(cat {})", quote(&file.display().to_string()))
        }
        None => entry,
    }
}

/// YAML, in which a JSON string is a string.
fn yaml(name: &str, way: &Way) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let mut lines = vec![
        "extensions:".to_owned(),
        format!("  {}:", quoted(name)),
        "    enabled: true".to_owned(),
        format!("    name: {}", quoted(name)),
        "    description: \"Tools of Windlass\"".to_owned(),
        format!("    timeout: {PATIENCE}"),
    ];
    match way {
        Way::Command { program, arguments } => {
            lines.push("    type: stdio".to_owned());
            lines.push(format!("    cmd: {}", quoted(program)));
            lines.push("    args:".to_owned());
            lines.extend(arguments.iter().map(|it| format!("      - {}", quoted(it))));
        }
        Way::Http(url) => {
            lines.push("    type: streamable_http".to_owned());
            lines.push(format!("    uri: {}", quoted(url)));
            lines.push("    env_keys:".to_owned());
            lines.push(format!("      - {}", quoted(TOKEN)));
            lines.push("    headers:".to_owned());
            lines.push(format!("      Authorization: {}", quoted(&format!("Bearer ${{{TOKEN}}}"))));
        }
    }
    lines.join("\n")
}

fn codex(name: &str, way: &Way) -> anyhow::Result<String> {
    let server = match way {
        Way::Command { program, arguments } => {
            json!({"command": program, "args": arguments, "tool_timeout_sec": PATIENCE})
        }
        Way::Http(url) => {
            json!({"url": url, "bearer_token_env_var": TOKEN, "tool_timeout_sec": PATIENCE})
        }
    };
    Ok(toml::to_string(&json!({"mcp_servers": {name: server}}))?)
}

fn this_program() -> anyhow::Result<String> {
    absolute(&env::current_exe().context("cannot tell where this program is")?)
}

fn absolute(path: &Path) -> anyhow::Result<String> {
    let whole = path::absolute(path).with_context(|| format!("`{}`", path.display()))?;
    let whole = whole.into_os_string().into_string();
    whole.map_err(|path| {
        anyhow::anyhow!("`{}` is no UTF-8, so no entry can name it", path.display())
    })
}

/// One word of a shell.
fn quote(text: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "/._-+,@".contains(it);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(client: Client, way: &Way, expected: &Expect) {
        expected.assert_eq(client.entry("my \"host\"", way).unwrap().trim_end());
    }

    fn command() -> Way {
        let arguments = ["serve", "--config", "/home/a b/windlass.toml"].map(str::to_owned);
        Way::Command { program: "/opt/windlass".to_owned(), arguments: arguments.to_vec() }
    }

    fn http() -> Way {
        Way::Http("http://127.0.0.1:8931/mcp".to_owned())
    }

    #[test]
    fn claude_code_and_opencode_read_json() {
        check(
            Client::ClaudeCode,
            &command(),
            &expect![[r#"
                {
                  "mcpServers": {
                    "my \"host\"": {
                      "args": [
                        "serve",
                        "--config",
                        "/home/a b/windlass.toml"
                      ],
                      "command": "/opt/windlass",
                      "type": "stdio"
                    }
                  }
                }"#]],
        );
        check(
            Client::Opencode,
            &http(),
            &expect![[r#"
                {
                  "mcp": {
                    "my \"host\"": {
                      "enabled": true,
                      "headers": {
                        "Authorization": "Bearer {env:WINDLASS_TOKEN}"
                      },
                      "type": "remote",
                      "url": "http://127.0.0.1:8931/mcp"
                    }
                  }
                }"#]],
        );
    }

    #[test]
    fn goose_reads_yaml() {
        check(
            Client::Goose,
            &command(),
            &expect![[r#"
                extensions:
                  "my \"host\"":
                    enabled: true
                    name: "my \"host\""
                    description: "Tools of Windlass"
                    timeout: 300
                    type: stdio
                    cmd: "/opt/windlass"
                    args:
                      - "serve"
                      - "--config"
                      - "/home/a b/windlass.toml""#]],
        );
    }

    #[test]
    fn codex_reads_toml() {
        check(
            Client::Codex,
            &http(),
            &expect![[r#"
                [mcp_servers.'my "host"']
                bearer_token_env_var = "WINDLASS_TOKEN"
                tool_timeout_sec = 300
                url = "http://127.0.0.1:8931/mcp""#]],
        );
    }

    #[test]
    fn a_client_that_starts_its_servers_takes_no_url() {
        assert!(Client::ClaudeDesktop.entry("windlass", &http()).is_err());
    }

    #[test]
    fn a_host_without_a_token_needs_none() {
        let entry = http_entry("http://127.0.0.1:1/mcp", None);
        assert!(!entry.contains("Authorization") && !entry.contains(TOKEN));
        let entry = http_entry("http://127.0.0.1:1/mcp", Some(Path::new("/a b/it's")));
        assert!(entry.contains("Bearer ${WINDLASS_TOKEN}"));
        assert!(entry.ends_with(r"export WINDLASS_TOKEN=$(cat '/a b/it'\''s')"));
    }
}
