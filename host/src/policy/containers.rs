//! Which containers a plugin may make, and what may run in them.

use super::{
    Approved, Beside, Image, Policy, Reach, beside,
    processes::{LONGEST_NAME, check_key},
};
use crate::{
    capability::types::Value,
    config::{ContainersGrant, Power},
    error::{Result, denied, invalid},
};

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
    /// Other workspaces that it sees.
    pub beside: Vec<Beside>,
    pub persistent: bool,
    pub ttl_s: Option<u32>,
    pub key: Option<String>,
    pub env: Vec<(String, Value)>,
    pub powers: Vec<Power>,
    pub offline: bool,
    /// Of the granted places, those that it reaches. None: all.
    pub reach: Option<Vec<String>>,
    /// Whether it goes with its workspace.
    pub yields: bool,
    /// Directories of this machine that it sees.
    pub mounts: Vec<String>,
    /// Groups that its programs belong to.
    pub groups: Vec<u32>,
    pub memory_mib: u32,
    pub cpus: f32,
    pub pids: u32,
    /// How many containers the plugin may have.
    pub most: u32,
    /// The trace that it belongs to.
    pub trace: Option<String>,
}

/// The same as the plugin asks for it.
#[derive(Clone, Debug, Default)]
pub struct AskedContainer {
    pub image: String,
    pub alias: Option<String>,
    pub workspace: Option<String>,
    pub beside: Vec<Beside>,
    pub persistent: bool,
    pub ttl_s: Option<u32>,
    pub key: Option<String>,
    pub env: Vec<(String, Value)>,
    pub powers: Vec<Power>,
    pub offline: bool,
    pub reach: Option<Vec<String>>,
    /// Whether it goes with its workspace.
    pub yields: bool,
    pub memory_mib: Option<u32>,
    pub cpus: Option<f32>,
    pub pids: Option<u32>,
    pub trace: Option<String>,
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
        self.check_env("containers", &grant.secrets, &asked.env)?;
        if let Some(alias) = &asked.alias {
            check_alias(alias)?;
        }
        check_key(asked.key.as_deref())?;
        beside::check(&asked.beside, &grant.mounts)?;
        Reach::new(asked.offline, asked.reach.as_deref())?;
        let memory_mib =
            self.size("memory_mib", asked.memory_mib, LEAST_MEMORY, grant.memory_mib)?;
        let cpus = self.size("cpus", asked.cpus, LEAST_CPUS, grant.cpus)?;
        let pids = self.size("pids", asked.pids, LEAST_PIDS, grant.pids)?;
        Ok(self.approved(NewContainer {
            image,
            alias: asked.alias,
            workspace: asked.workspace,
            beside: asked.beside,
            persistent: asked.persistent,
            ttl_s: asked.ttl_s,
            key: asked.key,
            env: asked.env,
            powers: asked.powers,
            offline: asked.offline,
            reach: asked.reach,
            yields: asked.yields,
            mounts: grant.mounts.iter().map(|mount| mount.as_str().to_owned()).collect(),
            groups: grant.groups.iter().map(|group| group.number()).collect(),
            memory_mib,
            cpus,
            pids,
            most: grant.most,
            trace: asked.trace,
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

    /// Images, and how many containers of each are made ahead.
    pub fn warm(&self) -> Vec<(&String, usize)> {
        let warm = self.grants.containers.iter().flat_map(|grant| &grant.warm);
        let counted = warm.map(|(image, count)| (image, count.number().unwrap_or(0) as usize));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    pub(super) fn containers(&self, what: &str) -> Result<&ContainersGrant> {
        self.grants.containers.as_ref().ok_or_else(|| {
            denied(format!(
                "not allowed: `{what}` needs a table `plugins.{}.grants.containers`",
                self.plugin
            ))
        })
    }

    pub(super) fn power(&self, grant: &ContainersGrant, power: Power) -> Result<()> {
        if grant.powers.contains(&power) {
            return Ok(());
        }
        let name = power.name();
        Err(denied(format!(
            "not allowed: `plugins.{}.grants.containers.powers` has no `{name}`",
            self.plugin
        )))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::{
        capability::tools::Hints,
        config::{Grants, parse},
        error::Failure,
    };

    fn policy(grant: &str, hints: Hints) -> Policy {
        let grants = Grants { containers: Some(parse(grant).unwrap()), ..Grants::default() };
        Policy::new("rooms", grants).unwrap().for_tool(&Arc::from("make"), hints)
    }

    fn told<T>(result: Result<Approved<T>>) -> String {
        match result {
            Ok(_) => "yes".to_owned(),
            Err(Failure::Answer(error)) => format!("{:?}: {}", error.code, error.message),
            Err(Failure::Trap(error)) => panic!("{error}"),
        }
    }

    fn busybox() -> AskedContainer {
        AskedContainer { image: "busybox".to_owned(), ..AskedContainer::default() }
    }

    #[track_caller]
    fn check(grant: &str, change: impl FnOnce(&mut AskedContainer), expected: &Expect) {
        let mut asked = busybox();
        change(&mut asked);
        expected.assert_eq(&told(policy(grant, Hints::empty()).approve_container(asked)));
    }

    #[test]
    fn no_size_is_more_than_granted_or_too_little() {
        check("", |it| it.memory_mib = Some(512), &expect!["yes"]);
        check(
            "",
            |it| it.memory_mib = Some(513),
            &expect![
                "Code::Denied: not allowed: `plugins.rooms.grants.containers.memory_mib = 512` is less than 513"
            ],
        );
        check(
            "",
            |it| it.memory_mib = Some(15),
            &expect!["Code::Invalid: 15 is too little: `memory_mib` is at least 16"],
        );
        check("memory_mib = 1024", |it| it.memory_mib = Some(1024), &expect!["yes"]);
        check(
            "",
            |it| it.cpus = Some(1.5),
            &expect![
                "Code::Denied: not allowed: `plugins.rooms.grants.containers.cpus = 1` is less than 1.5"
            ],
        );
        check(
            "",
            |it| it.cpus = Some(0.0),
            &expect!["Code::Invalid: 0 is too little: `cpus` is at least 0.01"],
        );
        check(
            "",
            |it| it.cpus = Some(-1.0),
            &expect!["Code::Invalid: -1 is too little: `cpus` is at least 0.01"],
        );
        check(
            "",
            |it| it.cpus = Some(f32::NAN),
            &expect!["Code::Invalid: NaN is too little: `cpus` is at least 0.01"],
        );
        check(
            "",
            |it| it.cpus = Some(f32::INFINITY),
            &expect![
                "Code::Denied: not allowed: `plugins.rooms.grants.containers.cpus = 1` is less than inf"
            ],
        );
        check(
            "",
            |it| it.pids = Some(257),
            &expect![
                "Code::Denied: not allowed: `plugins.rooms.grants.containers.pids = 256` is less than 257"
            ],
        );
        check(
            "",
            |it| it.pids = Some(7),
            &expect!["Code::Invalid: 7 is too little: `pids` is at least 8"],
        );
    }

    #[test]
    fn what_is_not_asked_for_is_what_is_granted() {
        let policy = policy("memory_mib = 77\ncpus = 0.5\npids = 9\nmost = 3", Hints::empty());
        let approved = policy.approve_container(busybox()).unwrap();
        let NewContainer { memory_mib, cpus, pids, most, .. } = approved.request();
        assert_eq!((*memory_mib, *cpus, *pids, *most), (77, 0.5, 9, 3));
        assert_eq!(approved.owner(), "rooms");
        assert_eq!(approved.request().image.name, "docker.io/library/busybox:latest");
    }

    #[test]
    fn a_power_is_granted_by_its_name() {
        let all = "powers = ['root', 'image-user', 'writable-root', 'bridge']";
        for power in [Power::Root, Power::ImageUser, Power::WritableRoot, Power::Bridge] {
            check(all, |it| it.powers = vec![power], &expect!["yes"]);
            let others = all.replace(&format!("'{}'", power.name()), "");
            let others = others.replace("[, ", "[").replace(", , ", ", ");
            let asked = AskedContainer { powers: vec![power], ..busybox() };
            assert_eq!(
                told(policy(&others, Hints::empty()).approve_container(asked)),
                format!(
                    "Code::Denied: not allowed: `plugins.rooms.grants.containers.powers` has no `{}`",
                    power.name()
                )
            );
        }
        check(
            "powers = ['root']",
            |it| it.powers = vec![Power::Root, Power::Bridge],
            &expect![
                "Code::Denied: not allowed: `plugins.rooms.grants.containers.powers` has no `bridge`"
            ],
        );
    }

    #[test]
    fn an_alias_is_a_name_and_no_id() {
        for good in ["a", "A.b_c-9", "0", "c", "cc_x", &"x".repeat(128)] {
            check("", |it| it.alias = Some(good.to_owned()), &expect!["yes"]);
        }
        let long = "x".repeat(129);
        for bad in ["", "-a", "_a", ".", "..", "a/b", "a b", "a\0", "a\n", "é", "c_1", &long] {
            let asked = AskedContainer { alias: Some(bad.to_owned()), ..busybox() };
            let told = told(policy("", Hints::empty()).approve_container(asked));
            assert!(told.starts_with("Code::Invalid: `"), "{bad:?}: {told}");
        }
    }

    #[test]
    fn a_container_s_environment_and_key_are_checked() {
        let plain = |value: &str| Value::Plain(value.to_owned());
        let secret = |name: &str| Value::Secret(name.to_owned());
        check("", |it| it.env = vec![("A".to_owned(), plain("b"))], &expect!["yes"]);
        check(
            "",
            |it| it.env = vec![("A=B".to_owned(), plain("b"))],
            &expect!["Code::Invalid: `A=B` is no name of an environment variable"],
        );
        check(
            "",
            |it| it.env = vec![("A".to_owned(), secret("token"))],
            &expect![
                "Code::Denied: not allowed: `plugins.rooms.grants.containers.secrets` has no `token`"
            ],
        );
        let granted = "secrets = ['token']";
        check(granted, |it| it.env = vec![("A".to_owned(), secret("token"))], &expect!["yes"]);
        check(
            "",
            |it| it.key = Some(String::new()),
            &expect!["Code::Invalid: an idempotency key is 1 to 128 bytes, and this one has 0"],
        );
        check("", |it| it.key = Some("k".repeat(128)), &expect!["yes"]);
        check(
            "",
            |it| it.key = Some("k".repeat(129)),
            &expect!["Code::Invalid: an idempotency key is 1 to 128 bytes, and this one has 129"],
        );
    }

    #[test]
    fn a_tool_that_only_reads_changes_nothing() {
        let policy = policy("", Hints::READ_ONLY);
        expect!["Code::Denied: tool `make` says it is read-only: `containers.create` is refused"]
            .assert_eq(&told(policy.approve_container(busybox())));
        expect!["Code::Denied: tool `make` says it is read-only: `containers` is refused"]
            .assert_eq(&told(policy.approve_changing("c".to_owned())));
        expect!["yes"].assert_eq(&told(policy.approve_looking("c".to_owned())));
    }

    #[test]
    fn without_the_grant_the_message_names_its_line() {
        let policy = Policy::new("rooms", Grants::default()).unwrap();
        expect!["Code::Denied: not allowed: `containers.create` needs a table `plugins.rooms.grants.containers`"].assert_eq(&told(policy.approve_container(busybox())));
        expect!["Code::Denied: not allowed: `containers.open` needs a table `plugins.rooms.grants.containers`"].assert_eq(&told(policy.approve_looking("c".to_owned())));
        expect!["Code::Denied: not allowed: `containers.open` needs a table `plugins.rooms.grants.containers`"].assert_eq(&told(policy.approve_changing("c".to_owned())));
        assert_eq!(policy.warm(), []);
    }

    #[test]
    fn only_counted_images_are_made_ahead() {
        let policy = policy("warm = { a = 2, b = 0, c = 'true', d = 'nonsense' }", Hints::empty());
        let images: Vec<_> =
            policy.warm().into_iter().map(|(image, count)| (image.as_str(), count)).collect();
        assert_eq!(images, [("a", 2), ("c", 1)]);
    }
}
