//! What people read of a run: the lines of its log, and the few words that it came to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ending::Tokens, event::Tool};

/// A longer text is cut in a line.
const LONGEST: usize = 400;

/// What was counted in a run.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct Tally {
    /// Lines that were told.
    pub(crate) lines: u32,
    /// How often the model was asked.
    pub(crate) steps: u32,
    /// How often each tool was used to its end.
    pub(crate) tools: BTreeMap<String, u32>,
    /// How often a tool failed.
    pub(crate) failed_tools: u32,
    /// How often the model failed and was asked again.
    pub(crate) retries: u32,
    pub(crate) tokens: Tokens,
    pub(crate) cost: f64,
}

/// What was changed in the files.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub(crate) struct Changes {
    pub(crate) files: u32,
    pub(crate) insertions: u64,
    pub(crate) deletions: u64,
}

impl Tally {
    /// Counts a tool that has come to its end.
    pub(crate) fn count(&mut self, tool: &Tool) {
        match tool.status.as_str() {
            "completed" => *self.tools.entry(tool.name.clone()).or_default() += 1,
            "error" => self.failed_tools += 1,
            _ => {}
        }
    }

    /// In few words: `completed in 12.3 s: 3 steps; bash ×2, edit ×1; 1 file changed (+3 −1)`.
    pub(crate) fn words(&self, state: &str, took_ms: u64, changes: Option<&Changes>) -> String {
        let plural =
            |count: u32, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let mut parts = vec![plural(self.steps, "step")];
        let tools: Vec<_> =
            self.tools.iter().map(|(name, count)| format!("{name} ×{count}")).collect();
        if !tools.is_empty() {
            parts.push(tools.join(", "));
        }
        if self.failed_tools > 0 {
            parts.push(format!("{} failed", plural(self.failed_tools, "tool use")));
        }
        if self.retries > 0 {
            parts.push(format!("the model failed {}", plural(self.retries, "time")));
        }
        if let Some(changes) = changes {
            let Changes { files, insertions, deletions } = changes;
            parts.push(match files {
                0 => "no file changed".to_owned(),
                _ => format!("{} changed (+{insertions} −{deletions})", plural(*files, "file")),
            });
        }
        let Tokens { input, output } = self.tokens;
        if input + output > 0.0 {
            parts.push(format!("{input:.0} tokens read, {output:.0} written"));
        }
        let tenths = took_ms.div_ceil(100);
        format!("{state} in {}.{} s: {}", tenths / 10, tenths % 10, parts.join("; "))
    }
}

impl Changes {
    /// Reads what `git diff --numstat` says.
    pub(crate) fn read(numbers: &str) -> Self {
        let mut changes = Self::default();
        for line in numbers.lines().filter(|line| !line.is_empty()) {
            let mut fields = line.split('\t').map(|field| field.parse::<u64>().unwrap_or_default());
            changes.files += 1;
            changes.insertions += fields.next().unwrap_or_default();
            changes.deletions += fields.next().unwrap_or_default();
        }
        changes
    }
}

/// What a tool does, as a line.
pub(crate) fn line_of_tool(tool: &Tool) -> String {
    let about = shortened(&tool.about);
    match (tool.status.as_str(), about.is_empty()) {
        ("running", true) => tool.name.clone(),
        ("running", false) => format!("{}: {about}", tool.name),
        (status, true) => format!("{} {status}", tool.name),
        (status, false) => format!("{} {status}: {about}", tool.name),
    }
}

/// A text in one line, and not too long.
pub(crate) fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(status: &str, about: &str) -> Tool {
        let (call, name) = ("c".to_owned(), "bash".to_owned());
        Tool { call, name, status: status.to_owned(), about: about.to_owned() }
    }

    #[test]
    fn a_run_is_told_in_few_words() {
        let mut tally = Tally { steps: 2, ..Tally::default() };
        tally.count(&tool("running", ""));
        tally.count(&tool("completed", ""));
        tally.count(&tool("completed", ""));
        tally.count(&tool("error", ""));
        let changes = Changes { files: 1, insertions: 3, deletions: 1 };
        assert_eq!(
            tally.words("completed", 12_201, Some(&changes)),
            "completed in 12.3 s: 2 steps; bash ×2; 1 tool use failed; 1 file changed (+3 −1)"
        );
        let idle = Tally { steps: 1, retries: 2, ..Tally::default() };
        assert_eq!(
            idle.words("failed", 0, None),
            "failed in 0.0 s: 1 step; the model failed 2 times"
        );
        assert!(idle.words("failed", 0, Some(&Changes::default())).ends_with("no file changed"));
    }

    #[test]
    fn changes_are_counted_from_what_git_says() {
        let told = Changes::read("3\t1\ta.txt\n-\t-\tb.png\n0\t7\tc d.txt\n");
        assert_eq!(told, Changes { files: 3, insertions: 3, deletions: 8 });
        assert_eq!(Changes::read(""), Changes::default());
    }

    #[test]
    fn what_happens_is_a_line_each() {
        assert_eq!(line_of_tool(&tool("running", "ls\n -l")), "bash: ls -l");
        assert_eq!(line_of_tool(&tool("completed", "")), "bash completed");
        assert_eq!(line_of_tool(&tool("error", "no")), "bash error: no");
        assert_eq!(shortened(&"ä".repeat(500)).chars().count(), 401);
    }
}
