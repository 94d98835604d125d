//! Which containers a plugin may make, and what may run in them.

use super::{Approved, Image, Policy};
use crate::{
    capability::types::Value,
    config::{ContainersGrant, Power},
    error::{Result, denied, invalid, limit},
};

/// Longer names are a mistake.
const LONGEST_NAME: usize = 128;
/// More arguments or variables are a mistake.
const MOST_WORDS: usize = 4096;
/// The kernel takes no longer argument or variable.
const LONGEST_WORD: usize = 128 << 10;
/// What the kernel takes of arguments and environment together, with room for those of the container.
const LARGEST_COMMAND: usize = 1 << 20;
/// More than a program should have to read at its start.
const LARGEST_INPUT: usize = 16 << 20;
/// With less a container does not start.
const LEAST_MEMORY: u32 = 16;
const LEAST_PIDS: u32 = 8;
const LEAST_CPUS: f32 = 0.01;

/// A container that is about to be made.
#[derive(Clone, Debug)]
pub struct NewContainer {
    pub image: Image,
    pub alias: Option<String>,
    pub workspace: Option<String>,
    pub persistent: bool,
    pub ttl_s: Option<u32>,
    pub key: Option<String>,
    pub env: Vec<(String, Value)>,
    pub powers: Vec<Power>,
    pub offline: bool,
    pub memory_mib: u32,
    pub cpus: f32,
    pub pids: u32,
    /// How many containers the plugin may have.
    pub most: u32,
}

/// The same as the plugin asks for it.
#[derive(Clone, Debug, Default)]
pub struct AskedContainer {
    pub image: String,
    pub alias: Option<String>,
    pub workspace: Option<String>,
    pub persistent: bool,
    pub ttl_s: Option<u32>,
    pub key: Option<String>,
    pub env: Vec<(String, Value)>,
    pub powers: Vec<Power>,
    pub offline: bool,
    pub memory_mib: Option<u32>,
    pub cpus: Option<f32>,
    pub pids: Option<u32>,
}

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

/// What is about to be done with a container, a process or the records of both that the plugin has.
#[derive(Debug)]
pub struct Named(pub String);

impl Policy {
    pub fn approve_container(&self, asked: AskedContainer) -> Result<Approved<NewContainer>> {
        self.may_write("containers.create")?;
        let grant = self.containers("containers.create")?;
        let image = self.image(grant, &asked.image)?;
        for &power in &asked.powers {
            self.power(grant, power)?;
        }
        self.check_env(grant, &asked.env)?;
        if let Some(alias) = &asked.alias {
            check_alias(alias)?;
        }
        check_key(asked.key.as_deref())?;
        let memory_mib =
            self.size("memory_mib", asked.memory_mib, LEAST_MEMORY, grant.memory_mib)?;
        let cpus = self.size("cpus", asked.cpus, LEAST_CPUS, grant.cpus)?;
        let pids = self.size("pids", asked.pids, LEAST_PIDS, grant.pids)?;
        let AskedContainer {
            alias, workspace, persistent, ttl_s, key, env, powers, offline, ..
        } = asked;
        Ok(self.approved(NewContainer {
            image,
            alias,
            workspace,
            persistent,
            ttl_s,
            key,
            env,
            powers,
            offline,
            memory_mib,
            cpus,
            pids,
            most: grant.most,
        }))
    }

    /// A yes to look at a container or a process of the plugin's own.
    pub fn approve_looking(&self, name: String) -> Result<Approved<Named>> {
        self.containers("containers.open")?;
        Ok(self.approved(Named(name)))
    }

    /// A yes to change one: to stop or remove it, to end it, to send to it.
    pub fn approve_changing(&self, name: String) -> Result<Approved<Named>> {
        self.may_write("containers")?;
        self.approve_looking(name)
    }

    pub fn approve_process(&self, process: NewProcess) -> Result<Approved<NewProcess>> {
        self.may_write("processes.start")?;
        let grant = self.containers("processes.start")?;
        if process.root {
            self.power(grant, Power::Root)?;
        }
        self.check_env(grant, &process.env)?;
        check_key(process.key.as_deref())?;
        check_words("argument", &process.command)?;
        if process.command.first().is_none_or(String::is_empty) {
            return Err(invalid("a command needs a program: `[\"sh\", \"-c\", \"…\"]`"));
        }
        if !process.cwd.starts_with('/') || process.cwd.contains('\0') {
            return Err(invalid(format!("`{}` is no absolute path to start in", process.cwd)));
        }
        let input = process.stdin.as_ref().map_or(0, Vec::len);
        if input > LARGEST_INPUT {
            return Err(limit(format!(
                "{input} bytes of stdin are more than {LARGEST_INPUT}; put them into a file"
            )));
        }
        Ok(self.approved(process))
    }

    /// Images, and how many containers of each are made ahead.
    pub fn warm(&self) -> Vec<(&String, usize)> {
        let warm = self.grants.containers.iter().flat_map(|grant| &grant.warm);
        let counted = warm.map(|(image, count)| (image, count.number().unwrap_or(0) as usize));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    fn containers(&self, what: &str) -> Result<&ContainersGrant> {
        self.grants.containers.as_ref().ok_or_else(|| {
            denied(format!(
                "not allowed: `{what}` needs a table `plugins.{}.grants.containers`",
                self.plugin
            ))
        })
    }

    fn power(&self, grant: &ContainersGrant, power: Power) -> Result<()> {
        if grant.powers.contains(&power) {
            return Ok(());
        }
        let name = power.name();
        Err(denied(format!(
            "not allowed: `plugins.{}.grants.containers.powers` has no `{name}`",
            self.plugin
        )))
    }

    fn check_env(&self, grant: &ContainersGrant, env: &[(String, Value)]) -> Result<()> {
        for (name, value) in env {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(invalid(format!("`{name}` is no name of an environment variable")));
            }
            match value {
                Value::Plain(value) if value.contains('\0') => {
                    return Err(invalid(format!("the variable `{name}` holds a NUL")));
                }
                Value::Secret(secret) if !grant.secrets.contains(secret) => {
                    return Err(denied(format!(
                        "not allowed: `plugins.{}.grants.containers.secrets` has no `{secret}`",
                        self.plugin
                    )));
                }
                _ => {}
            }
        }
        let words = env.iter().map(|(name, value)| match value {
            Value::Plain(value) => format!("{name}={value}"),
            Value::Secret(_) => name.clone(),
        });
        check_words("variable", &words.collect::<Vec<_>>())
    }

    /// What was asked for, or all that is granted.
    fn size<T: PartialOrd + std::fmt::Display>(
        &self,
        what: &str,
        asked: Option<T>,
        least: T,
        granted: T,
    ) -> Result<T> {
        let Some(asked) = asked else { return Ok(granted) };
        if asked > granted {
            return Err(denied(format!(
                "not allowed: `plugins.{}.grants.containers.{what} = {granted}` is less than {asked}",
                self.plugin
            )));
        }
        if asked >= least {
            return Ok(asked);
        }
        Err(invalid(format!("{asked} is too little: `{what}` is at least {least}")))
    }
}

impl Power {
    /// As it is written in a grant.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::ImageUser => "image-user",
            Self::WritableRoot => "writable-root",
            Self::Bridge => "bridge",
        }
    }
}

fn check_words(what: &str, words: &[String]) -> Result<()> {
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

/// A name that is also good as part of a host's name or a file's.
fn check_alias(alias: &str) -> Result<()> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    let starts = alias.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    if starts && alias.len() <= LONGEST_NAME && alias.chars().all(fits) && !alias.starts_with("c_")
    {
        return Ok(());
    }
    Err(invalid(format!(
        "`{alias}` is no alias: a letter or digit, then letters, digits, `_`, `.` or `-`, at most {LONGEST_NAME}, and not `c_…`"
    )))
}

fn check_key(key: Option<&str>) -> Result<()> {
    match key {
        Some(key) if key.is_empty() || key.len() > LONGEST_NAME => Err(invalid(format!(
            "an idempotency key is 1 to {LONGEST_NAME} bytes, and this one has {}",
            key.len()
        ))),
        _ => Ok(()),
    }
}
