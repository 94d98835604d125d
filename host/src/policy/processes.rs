//! What may run in a plugin's containers.

use super::{Approved, Policy};
use crate::{
    capability::types::Value,
    config::Power,
    error::{Result, denied, invalid, limit},
};

/// Longer names are a mistake.
pub(super) const LONGEST_NAME: usize = 128;
/// More arguments or variables are a mistake.
const MOST_WORDS: usize = 4096;
/// The kernel takes no longer argument or variable.
const LONGEST_WORD: usize = 128 << 10;
/// What the kernel takes of arguments and environment together, with room for those of the container.
const LARGEST_COMMAND: usize = 1 << 20;
/// More than a program should have to read at its start.
const LARGEST_INPUT: usize = 16 << 20;

/// A process that is about to be started.
#[derive(Clone, Debug, Default)]
pub struct NewProcess {
    pub command: Vec<String>,
    pub env: Vec<(String, Value)>,
    /// Absolute.
    pub cwd: String,
    pub stdin: Option<Vec<u8>>,
    /// Rows and columns.
    pub terminal: Option<(u16, u16)>,
    pub timeout_ms: Option<u64>,
    pub root: bool,
    pub key: Option<String>,
}

impl Policy {
    pub fn approve_process(&self, process: NewProcess) -> Result<Approved<NewProcess>> {
        self.may_write("processes.start")?;
        let grant = self.containers("processes.start")?;
        if process.root {
            self.power(grant, Power::Root)?;
        }
        self.check_env("containers", &grant.secrets, &process.env)?;
        check_key(process.key.as_deref())?;
        check_words("argument", &process.command)?;
        if process.command.first().is_none_or(String::is_empty) {
            return Err(invalid("a command needs a program: `[\"sh\", \"-c\", \"…\"]`"));
        }
        if !process.cwd.starts_with('/') || process.cwd.contains('\0') {
            return Err(invalid(format!(
                "`{}` is no absolute path to start in",
                process.cwd.escape_debug()
            )));
        }
        let input = process.stdin.as_ref().map_or(0, Vec::len);
        if input > LARGEST_INPUT {
            return Err(limit(format!(
                "{input} bytes of stdin are more than {LARGEST_INPUT}; put them into a file"
            )));
        }
        Ok(self.approved(process))
    }

    /// `secrets` are those that `table` of the grants names.
    pub(super) fn check_env(
        &self,
        table: &str,
        secrets: &[String],
        env: &[(String, Value)],
    ) -> Result<()> {
        for (name, value) in env {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(invalid(format!(
                    "`{}` is no name of an environment variable",
                    name.escape_debug()
                )));
            }
            match value {
                Value::Plain(value) if value.contains('\0') => {
                    return Err(invalid(format!("the variable `{name}` holds a NUL")));
                }
                Value::Secret(secret) => self.check_secret(table, secrets, secret)?,
                Value::Plain(_) => {}
            }
        }
        let words = env.iter().map(|(name, value)| match value {
            Value::Plain(value) => format!("{name}={value}"),
            Value::Secret(_) => name.clone(),
        });
        check_words("variable", &words.collect::<Vec<_>>())
    }

    pub(super) fn check_secret(&self, table: &str, secrets: &[String], name: &str) -> Result<()> {
        if secrets.iter().any(|secret| secret == name) {
            return Ok(());
        }
        Err(denied(format!(
            "not allowed: `plugins.{}.grants.{table}.secrets` has no `{name}`",
            self.plugin
        )))
    }
}

pub(super) fn check_words(what: &str, words: &[String]) -> Result<()> {
    let total: usize = words.iter().map(String::len).sum();
    let longest = words.iter().map(String::len).max().unwrap_or(0);
    if words.len() > MOST_WORDS || longest > LONGEST_WORD || total > LARGEST_COMMAND {
        return Err(limit(format!(
            "{} {what}s of {total} bytes, the longest {longest}, are more than a program can be given; put them into a file",
            words.len()
        )));
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err(invalid(format!("a {what} holds a NUL")));
    }
    Ok(())
}

pub(super) fn check_key(key: Option<&str>) -> Result<()> {
    match key {
        Some(key) if key.is_empty() || key.len() > LONGEST_NAME => Err(invalid(format!(
            "an idempotency key is 1 to {LONGEST_NAME} bytes, and this one has {}",
            key.len()
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::{
        capability::tools::Hints,
        config::{ContainersGrant, Grants, parse},
        error::Failure,
    };

    fn told(policy: &Policy, process: NewProcess) -> String {
        match policy.approve_process(process) {
            Ok(_) => "yes".to_owned(),
            Err(Failure::Answer(error)) => format!("{:?}: {}", error.code, error.message),
            Err(Failure::Trap(error)) => panic!("{error}"),
        }
    }

    fn echo() -> NewProcess {
        NewProcess {
            command: vec!["echo".to_owned()],
            cwd: "/workspace".to_owned(),
            ..NewProcess::default()
        }
    }

    #[track_caller]
    fn check(grant: &str, change: impl FnOnce(&mut NewProcess), expected: &Expect) {
        let grants = Grants { containers: Some(parse(grant).unwrap()), ..Grants::default() };
        let policy = Policy::new("rooms", grants).unwrap();
        let mut process = echo();
        change(&mut process);
        expected.assert_eq(&told(&policy, process));
    }

    #[track_caller]
    fn check_env(grant: &str, name: &str, value: Value, expected: &Expect) {
        check(grant, |it| it.env = vec![(name.to_owned(), value)], expected);
    }

    fn plain(value: &str) -> Value {
        Value::Plain(value.to_owned())
    }

    #[test]
    fn a_command_is_what_the_kernel_takes() {
        let words = |count: usize, length: usize| vec!["x".repeat(length); count];
        check("", |_| {}, &expect!["yes"]);
        check(
            "",
            |it| it.command = Vec::new(),
            &expect![[r#"Code::Invalid: a command needs a program: `["sh", "-c", "…"]`"#]],
        );
        check(
            "",
            |it| it.command = vec![String::new(), "a".to_owned()],
            &expect![[r#"Code::Invalid: a command needs a program: `["sh", "-c", "…"]`"#]],
        );
        check("", |it| it.command = vec!["a".to_owned(), String::new()], &expect!["yes"]);
        check(
            "",
            |it| it.command = vec!["a".to_owned(), "b\0".to_owned()],
            &expect!["Code::Invalid: a argument holds a NUL"],
        );
        check("", |it| it.command = words(4096, 1), &expect!["yes"]);
        check(
            "",
            |it| it.command = words(4097, 1),
            &expect![
                "Code::Limit: 4097 arguments of 4097 bytes, the longest 1, are more than a program can be given; put them into a file"
            ],
        );
        check("", |it| it.command = words(2, 128 << 10), &expect!["yes"]);
        check(
            "",
            |it| it.command = words(1, (128 << 10) + 1),
            &expect![
                "Code::Limit: 1 arguments of 131073 bytes, the longest 131073, are more than a program can be given; put them into a file"
            ],
        );
        check(
            "",
            |it| it.command = words(9, 128 << 10),
            &expect![
                "Code::Limit: 9 arguments of 1179648 bytes, the longest 131072, are more than a program can be given; put them into a file"
            ],
        );
    }

    #[test]
    fn it_starts_somewhere() {
        check("", |it| it.cwd = "/".to_owned(), &expect!["yes"]);
        check(
            "",
            |it| it.cwd = "workspace".to_owned(),
            &expect!["Code::Invalid: `workspace` is no absolute path to start in"],
        );
        check(
            "",
            |it| it.cwd = String::new(),
            &expect!["Code::Invalid: `` is no absolute path to start in"],
        );
        check(
            "",
            |it| it.cwd = "/a\0b".to_owned(),
            &expect!["Code::Invalid: `/a\\0b` is no absolute path to start in"],
        );
    }

    #[test]
    fn what_it_reads_is_bounded() {
        check("", |it| it.stdin = Some(vec![0; 16 << 20]), &expect!["yes"]);
        check(
            "",
            |it| it.stdin = Some(vec![0; (16 << 20) + 1]),
            &expect![
                "Code::Limit: 16777217 bytes of stdin are more than 16777216; put them into a file"
            ],
        );
    }

    #[test]
    fn variables_have_names_and_text() {
        check_env("", "A", plain("b=c\n"), &expect!["yes"]);
        check_env(
            "",
            "",
            plain("b"),
            &expect!["Code::Invalid: `` is no name of an environment variable"],
        );
        check_env(
            "",
            "A=B",
            plain("c"),
            &expect!["Code::Invalid: `A=B` is no name of an environment variable"],
        );
        check_env(
            "",
            "A\0",
            plain("c"),
            &expect![[r#"Code::Invalid: `A\0` is no name of an environment variable"#]],
        );
        check_env("", "A", plain("c\0"), &expect!["Code::Invalid: the variable `A` holds a NUL"]);
        check_env(
            "",
            "A",
            plain(&"x".repeat(128 << 10)),
            &expect![
                "Code::Limit: 1 variables of 131074 bytes, the longest 131074, are more than a program can be given; put them into a file"
            ],
        );
        let many = vec![("A".to_owned(), plain("b")); 4097];
        check(
            "",
            |it| it.env = many,
            &expect![
                "Code::Limit: 4097 variables of 12291 bytes, the longest 3, are more than a program can be given; put them into a file"
            ],
        );
    }

    #[test]
    fn a_secret_is_granted_by_its_name() {
        let secret = || Value::Secret("token".to_owned());
        check_env(
            "",
            "A",
            secret(),
            &expect![
                "Code::Denied: not allowed: `plugins.rooms.grants.containers.secrets` has no `token`"
            ],
        );
        check_env(
            "secrets = ['other']",
            "A",
            secret(),
            &expect![
                "Code::Denied: not allowed: `plugins.rooms.grants.containers.secrets` has no `token`"
            ],
        );
        check_env("secrets = ['token']", "A", secret(), &expect!["yes"]);
    }

    #[test]
    fn root_is_a_power() {
        check(
            "",
            |it| it.root = true,
            &expect![
                "Code::Denied: not allowed: `plugins.rooms.grants.containers.powers` has no `root`"
            ],
        );
        check(
            "powers = ['bridge', 'image-user']",
            |it| it.root = true,
            &expect![
                "Code::Denied: not allowed: `plugins.rooms.grants.containers.powers` has no `root`"
            ],
        );
        check("powers = ['root']", |it| it.root = true, &expect!["yes"]);
    }

    #[test]
    fn a_key_is_short_and_not_empty() {
        check("", |it| it.key = Some("k".to_owned()), &expect!["yes"]);
        check(
            "",
            |it| it.key = Some(String::new()),
            &expect!["Code::Invalid: an idempotency key is 1 to 128 bytes, and this one has 0"],
        );
        check(
            "",
            |it| it.key = Some("k".repeat(129)),
            &expect!["Code::Invalid: an idempotency key is 1 to 128 bytes, and this one has 129"],
        );
    }

    #[test]
    fn who_only_reads_or_has_no_grant_starts_nothing() {
        let granted = Grants { containers: Some(ContainersGrant::default()), ..Grants::default() };
        let reading = Policy::new("rooms", granted).unwrap();
        let reading = reading.for_tool(&Arc::from("look"), Hints::READ_ONLY);
        expect!["Code::Denied: tool `look` says it is read-only: `processes.start` is refused"]
            .assert_eq(&told(&reading, echo()));
        let ungranted = Policy::new("rooms", Grants::default()).unwrap();
        expect!["Code::Denied: not allowed: `processes.start` needs a table `plugins.rooms.grants.containers`"].assert_eq(&told(&ungranted, echo()));
    }
}
