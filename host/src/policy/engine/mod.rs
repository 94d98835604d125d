//! What of the user's things in the engine a plugin reaches.

mod walls;
mod ports;
mod made;
mod places;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::{Approved, Image, LOCAL, Policy, images::matches, processes::check_words};
use crate::{
    capability::engine::Command,
    config::EngineGrant,
    error::{Result, denied, invalid, limit, not_found},
};

pub use made::{NewNetwork, NewTheirs, NewVolume};
pub use places::{BindPlace, FilePlace};
pub use walls::Breach;

/// What the host itself keeps in an engine carries a label of this name.
const OURS: &str = "windlass.instance";
/// What was made for a caller carries a label of this name, with the caller's space.
pub const MADE_FOR: &str = "windlass.for";
/// Names of ours begin with this.
const OUR_NAMES: &str = "windlass.";
/// The most that is read at once of what a container or a command prints.
const LARGEST_OUTPUT: u32 = 16 << 20;

/// What kind of thing has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Container,
    Volume,
    Network,
}

/// Something that the engine has, as much of it as says whether it is within reach.
#[derive(Clone, Debug)]
pub struct Theirs {
    pub kind: Kind,
    pub id: String,
    pub name: String,
    pub labels: HashMap<String, String>,
    /// What it has that a grant has to name. Of containers alone.
    pub breaches: Vec<Breach>,
}

/// A yes to ask the engine what it has. What of the answer is within reach is asked for each.
#[derive(Debug)]
pub struct Looking;

/// A command for a container of the user's.
#[derive(Debug)]
pub struct Entering {
    pub into: Theirs,
    pub command: Command,
}

/// An image that is about to be fetched.
#[derive(Debug)]
pub struct Fetching {
    pub image: Image,
    pub platform: Option<String>,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Volume => "volume",
            Self::Network => "network",
        }
    }
}

impl Policy {
    pub fn approve_looking_around(&self, what: &str) -> Result<Approved<Looking>> {
        self.engine(what)?;
        Ok(self.approved(Looking))
    }

    /// Whether a list shows it.
    pub fn reaches(&self, theirs: &Theirs) -> bool {
        self.check_reach(theirs).is_ok()
    }

    /// A yes to look at one thing.
    pub fn approve_seeing(&self, theirs: Theirs) -> Result<Approved<Theirs>> {
        self.check_reach(&theirs)?;
        Ok(self.approved(theirs))
    }

    /// Fails where it is out of reach, or the host's own.
    fn check_reach(&self, theirs: &Theirs) -> Result<()> {
        let grant = self.engine("engine.inspect")?;
        let Theirs { kind, name, labels, .. } = theirs;
        // Whoever started the host has all of it.
        let made_for = labels.get(MADE_FOR).filter(|_| self.caller() != LOCAL);
        if labels.contains_key(OURS) || made_for.is_some_and(|it| it != self.caller()) {
            return Err(not_found(format!("there is no {} `{name}`", kind.word())));
        }
        self.check_name(grant, *kind, name, labels)
    }

    /// A yes to change it.
    pub fn approve_handling(&self, what: &str, theirs: Theirs) -> Result<Approved<Theirs>> {
        self.may_write(what)?;
        self.approve_seeing(theirs)
    }

    /// A yes to share its rooms: what it has, whoever joins has too.
    pub fn approve_joining(&self, theirs: Theirs) -> Result<Approved<Theirs>> {
        self.check_breaches(self.engine("engine.create")?, &theirs.breaches)?;
        self.approve_handling("engine.create", theirs)
    }

    /// A yes to give it another name.
    pub fn approve_renaming(&self, theirs: Theirs, name: &str) -> Result<Approved<Theirs>> {
        check_word(Kind::Container, name)?;
        self.check_name(self.engine("engine.each")?, theirs.kind, name, &theirs.labels)?;
        self.approve_handling("engine.each", theirs)
    }

    /// A yes to what the engine still remembers of a container that is gone.
    pub fn approve_forgetting(&self, name: &str) -> Result<Approved<Theirs>> {
        check_word(Kind::Container, name)?;
        let (id, name) = (name.to_owned(), name.to_owned());
        let (labels, breaches) = (HashMap::new(), Vec::new());
        let gone = Theirs { kind: Kind::Container, id, name, labels, breaches };
        self.approve_handling("networks.disconnect", gone)
    }

    /// A yes to run a command in it. What it has, the command has too.
    pub fn approve_entering(&self, into: Theirs, command: Command) -> Result<Approved<Entering>> {
        let grant = self.engine("engine.exec")?;
        self.check_breaches(grant, &into.breaches)?;
        let into = self.approve_handling("engine.exec", into)?.request;
        self.check_env("engine", &grant.secrets, &command.env)?;
        check_words("argument", &command.argv)?;
        if command.argv.first().is_none_or(String::is_empty) {
            return Err(invalid("a command needs a program: `[\"sh\", \"-c\", \"…\"]`"));
        }
        check_size(command.most_bytes)?;
        Ok(self.approved(Entering { into, command }))
    }

    /// A yes to read what it printed.
    pub fn approve_logs(&self, theirs: Theirs, most_bytes: u32) -> Result<Approved<Theirs>> {
        check_size(most_bytes)?;
        self.approve_seeing(theirs)
    }

    /// A yes to look for an image.
    pub fn approve_image(&self, name: &str) -> Result<Approved<Image>> {
        let grant = self.engine("images.find")?;
        let image = self.image(grant, name)?;
        Ok(self.approved(image))
    }

    pub fn approve_fetching(
        &self,
        name: &str,
        platform: Option<String>,
    ) -> Result<Approved<Fetching>> {
        self.may_write("images.pull")?;
        self.may_leave("images.pull")?;
        let image = self.approve_image(name)?.request;
        Ok(self.approved(Fetching { image, platform }))
    }

    /// Whether an image of these names is within reach. One that nothing names is, where everything is.
    pub fn reaches_image(&self, names: &[String]) -> bool {
        let Ok(grant) = self.engine("images.list") else { return false };
        let mut names = names.iter().filter(|it| !it.contains("<none>")).peekable();
        if names.peek().is_none() {
            return grant.names.iter().any(|it| it == "*");
        }
        names.any(|name| self.image(grant, name).is_ok())
    }

    /// A yes to remove an image, with all of its names or with the one that it was called by.
    pub fn approve_removing_image(&self, id: String, names: &[String]) -> Result<Approved<String>> {
        self.may_write("images.remove")?;
        let grant = self.engine("images.remove")?;
        for name in names.iter().filter(|it| !it.contains("<none>")) {
            self.image(grant, name)?;
        }
        if !self.reaches_image(names) {
            return Err(self.lacks("names", "*"));
        }
        Ok(self.approved(id))
    }

    pub(super) fn engine(&self, what: &str) -> Result<&EngineGrant> {
        self.grants.engine.as_ref().ok_or_else(|| {
            denied(format!(
                "not allowed: `{what}` needs a table `plugins.{}.grants.engine`",
                self.plugin
            ))
        })
    }

    /// Fails where neither its name nor a label of its is granted.
    fn check_name(
        &self,
        grant: &EngineGrant,
        kind: Kind,
        name: &str,
        labels: &HashMap<String, String>,
    ) -> Result<()> {
        let (key, names) = match kind {
            Kind::Network => ("networks", &grant.networks),
            Kind::Container | Kind::Volume => ("names", &grant.names),
        };
        let labelled = |pattern: &String| {
            labels.iter().any(|(name, value)| matches(pattern, &format!("{name}={value}")))
        };
        if names.iter().any(|it| matches(it, name)) || grant.labels.iter().any(labelled) {
            return Ok(());
        }
        Err(self.lacks(key, name))
    }

    /// A refusal that names the line which would allow it.
    fn lacks(&self, key: &str, what: &str) -> crate::error::Failure {
        let plugin = &self.plugin;
        denied(format!("not allowed: `plugins.{plugin}.grants.engine.{key}` has no `{what}`"))
            .with_detail("error_code", "POLICY_DENIED")
    }
}

/// What engines take as a name. One that begins with `-` would look like an option to others.
fn check_word(kind: Kind, name: &str) -> Result<()> {
    let first = name.chars().next().is_some_and(|it| it.is_ascii_alphanumeric());
    let rest = name.chars().all(|it| it.is_ascii_alphanumeric() || "_.-".contains(it));
    if first && rest && name.len() <= 255 {
        return Ok(());
    }
    Err(invalid(format!(
        "`{}` is no name of a {}: it begins with a letter or digit, and goes on with these, `_`, `.` or `-`",
        name.escape_debug(),
        kind.word()
    )))
}

/// Labels that people may put on what is theirs.
pub(super) fn check_labels(labels: &[(String, String)]) -> Result<()> {
    for (name, value) in labels {
        if name.is_empty() || name.contains('\0') || value.contains('\0') {
            return Err(invalid(format!("`{}` is no label", name.escape_debug())));
        }
        if name.starts_with(OUR_NAMES) {
            return Err(denied(format!("not allowed: the label `{name}` is the host's own")));
        }
    }
    Ok(())
}

fn check_size(most: u32) -> Result<()> {
    if most > LARGEST_OUTPUT {
        return Err(limit(format!(
            "{most} bytes of output are more than the {LARGEST_OUTPUT} that are read at once"
        )));
    }
    Ok(())
}
