//! What an operator adds to each session before opencode starts: packages of Python, and skills.

use serde_json::{Value, json};

use crate::launch::META;

/// What says that it was done, below `/session-meta`.
pub(crate) const RECORD: &str = "bootstrap.json";

/// Does it once, and becomes the server. What was not done whole is done again.
const SCRIPT: &str = r#"set -e
folder=$1 record=$2 note=$3
shift 3
PATH="$HOME/.local/bin:$PATH"
export PATH
if [ ! -e "$record" ]; then
    mkdir -p "$HOME"
    if [ -f "$folder/requirements.txt" ]; then
        PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --user --disable-pip-version-check --no-warn-script-location \
            -r "$folder/requirements.txt"
    fi
    if [ -d "$folder/skills" ]; then
        mkdir -p /workspace/skills
        cp -R "$folder/skills/." /workspace/skills/
    fi
    printf '%s\n' "$note" > "$record.part"
    mv "$record.part" "$record"
fi
exec "$@"
"#;

/// The command that does what is in this folder before it is the other one.
pub(crate) fn before(folder: &str, command: Vec<String>) -> Vec<String> {
    let note: Value = json!({"extras_dir": folder});
    let mut words: Vec<String> = ["sh", "-c", SCRIPT, "extras"].map(str::to_owned).into();
    words.extend([folder.to_owned(), format!("{META}/{RECORD}"), note.to_string()]);
    words.extend(command);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_comes_after_what_is_done_once() {
        let words = before("/srv/ex $(x)", vec!["opencode".to_owned(), "serve".to_owned()]);
        assert_eq!(words[..2], ["sh", "-c"]);
        assert_eq!(
            words[3..],
            [
                "extras",
                "/srv/ex $(x)",
                "/session-meta/bootstrap.json",
                "{\"extras_dir\":\"/srv/ex $(x)\"}",
                "opencode",
                "serve"
            ]
        );
    }
}
