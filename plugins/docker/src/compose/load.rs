//! The way from the text of a Compose file to a plan: parsed, its variables in place, extended, surveyed, read.
//!
//! All of it is pure but for the files that it names, which are read through a function of the caller's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use windlass_sdk::{
    Error,
    engine::{Mount, Networking},
    types,
};

use super::{
    dotenv, extends,
    interpolate::Interpolation,
    levels, networking,
    place::Place,
    plan::{Plan, Service},
    read::Node,
    service::{self, needs},
    support::{Survey, survey},
    top, yaml,
};

/// More containers than this are no stack for one machine.
const MOST_CONTAINERS: u32 = 1_000;

/// A Compose file.
pub(crate) struct Source {
    pub(crate) text: String,
    /// What messages call it.
    pub(crate) name: String,
    pub(crate) place: Place,
}

/// A file's bytes, if it is there.
pub(crate) type Read<'a> = &'a dyn Fn(&str) -> Result<Option<Vec<u8>>, Error>;

/// What stands around a file.
pub(crate) struct Around<'a> {
    pub(crate) project: &'a str,
    /// Variables of the caller's.
    pub(crate) environment: &'a BTreeMap<String, String>,
    /// Variables of the configuration.
    pub(crate) variables: &'a BTreeMap<String, String>,
    /// Names of secrets that the host puts in place.
    pub(crate) secrets: &'a [String],
    pub(crate) profiles: &'a [String],
    /// Which services are wanted, and what they need. Empty: all.
    pub(crate) services: &'a [String],
    pub(crate) read: Read<'a>,
}

/// What the parts of a file are read with.
pub(crate) struct Context<'a> {
    pub(crate) project: &'a str,
    pub(crate) place: &'a Place,
    pub(crate) lookup: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) secrets: &'a [String],
    pub(crate) read: Read<'a>,
    /// The whole file.
    pub(crate) file: &'a Value,
}

pub(crate) fn plan(source: &Source, around: &Around<'_>) -> Result<Plan, Error> {
    check_project(around.project)?;
    let beside = beside(source, around)?;
    let lookup = |name: &str| {
        let beside = || beside.get(name).cloned().flatten();
        let own = || (name == "COMPOSE_PROJECT_NAME").then(|| around.project.to_owned());
        let known = around.environment.get(name).cloned().or_else(beside);
        known.or_else(|| around.variables.get(name).cloned()).or_else(own)
    };
    let mut interpolation = Interpolation::new(&lookup);
    let parsed = yaml::parse(&source.text, &source.name)?;
    let parsed = interpolation.value(parsed, "")?;
    let load = |path: &str| {
        let text = text(around.read, path)?;
        let text = text.ok_or_else(|| Error::invalid(format!("`{path}` is not there")))?;
        Interpolation::new(&lookup).value(yaml::parse(&text, path)?, path)
    };
    let file = extends::resolve(parsed, &source.place, &load)?;
    let (file, known) = selected(file, around)?;
    let Survey { ignored, refused } = survey(&file);
    refuse(&refused)?;
    let context = Context {
        project: around.project,
        place: &source.place,
        lookup: &lookup,
        secrets: around.secrets,
        read: around.read,
        file: &file,
    };
    let unset = interpolation.unset.iter();
    let warnings =
        unset.map(|it| format!("the variable `{it}` is not set, and stands for nothing"));
    let mut plan = context.plan(known)?;
    plan.ignored = ignored;
    plan.warnings = warnings.collect();
    Ok(plan)
}

/// `[a-z0-9][a-z0-9_-]*`, which is what Compose takes.
pub(crate) fn check_project(name: &str) -> Result<(), Error> {
    let is_fine = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit();
    let is_name = name.starts_with(is_fine)
        && name.len() <= 100
        && name.chars().all(|sign| is_fine(sign) || sign == '_' || sign == '-');
    if is_name {
        return Ok(());
    }
    Err(Error::invalid(
        "`project_name` begins with a small letter or a digit, and has only small letters, digits, `-` and `_`",
    ))
}

/// The variables of the `.env` that lies beside a file.
fn beside(source: &Source, around: &Around<'_>) -> Result<dotenv::Variables, Error> {
    if source.place.0.is_none() {
        return Ok(dotenv::Variables::new());
    }
    let path = source.place.absolute(".env").map_err(Error::invalid)?;
    let lookup = |name: &str| around.environment.get(name).cloned();
    match text(around.read, &path)? {
        Some(text) => dotenv::parse(&text, &path, &lookup),
        None => Ok(dotenv::Variables::new()),
    }
}

fn text(read: Read<'_>, path: &str) -> Result<Option<String>, Error> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|_| Error::invalid(format!("`{path}` is no text")))
}

fn refuse(refused: &[(String, &str)]) -> Result<(), Error> {
    if refused.is_empty() {
        return Ok(());
    }
    let each: Vec<_> = refused.iter().map(|(path, why)| format!("`{path}`: {why}")).collect();
    let paths: Vec<_> = refused.iter().map(|(path, _)| path).collect();
    let message = format!("the stack has what is not done here: {}", each.join("; "));
    let details = serde_json::json!({"error_code": "VALIDATION_ERROR", "unsupported": paths});
    Err(Error::invalid(message).with_details(&details))
}

/// The file with those services only that are wanted, and the names of all that it has.
fn selected(file: Value, around: &Around<'_>) -> Result<(Value, BTreeSet<String>), Error> {
    let Value::Object(mut file) = file else {
        return Err(Error::invalid("a Compose file is a map with `services`"));
    };
    let all = match file.remove("services") {
        Some(Value::Object(all)) if !all.is_empty() => all,
        _ => return Err(Error::invalid("`services` is a map of at least one service")),
    };
    let known: BTreeSet<String> = all.keys().cloned().collect();
    let wanted = wanted(&all, around)?;
    let mut kept = Map::new();
    for (name, service) in all {
        if !service.is_object() {
            return Err(Error::invalid(format!("`services.{name}`: it is a map")));
        }
        let is_name = |sign: char| sign.is_ascii_alphanumeric() || "._-".contains(sign);
        if !name.chars().all(is_name) || !name.starts_with(|it: char| it.is_ascii_alphanumeric()) {
            return Err(Error::invalid(format!(
                "`services.{name}`: a name has letters, digits, `.`, `-` and `_`"
            )));
        }
        if wanted.contains(&name) {
            kept.insert(name, service);
        }
    }
    file.insert("services".to_owned(), Value::Object(kept));
    Ok((Value::Object(file), known))
}

fn wanted(all: &Map<String, Value>, around: &Around<'_>) -> Result<BTreeSet<String>, Error> {
    let mut wanted = BTreeSet::new();
    if around.services.is_empty() {
        for (name, service) in all {
            let profiles = Node::new(service, format!("services.{name}")).texts_at("profiles")?;
            let is_asked = |it: &String| around.profiles.contains(it);
            if profiles.is_empty()
                || around.profiles.iter().any(|it| it == "*")
                || profiles.iter().any(is_asked)
            {
                wanted.insert(name.clone());
            }
        }
        return Ok(wanted);
    }
    let mut waiting: Vec<String> = around.services.to_vec();
    while let Some(name) = waiting.pop() {
        let Some(service) = all.get(&name) else {
            let there: Vec<_> = all.keys().map(|it| format!("`{it}`")).collect();
            return Err(Error::not_found(format!(
                "there is no service `{name}`: there are {}",
                there.join(", ")
            )));
        };
        if wanted.insert(name.clone()) {
            let needs = needs(&Node::new(service, format!("services.{name}")))?;
            let there = needs.into_keys().filter(|it| all.contains_key(it));
            waiting.extend(there);
        }
    }
    Ok(wanted)
}

impl Context<'_> {
    fn plan(&self, known: BTreeSet<String>) -> Result<Plan, Error> {
        let file = Node::new(self.file, "");
        let mut services = Vec::new();
        for (name, node) in file.entries_at("services")? {
            services.push(service::read(name, &node, self)?);
        }
        for service in &mut services {
            self.settle_needs(service, &known)?;
        }
        if services.iter().map(|it| it.replicas).sum::<u32>() > MOST_CONTAINERS {
            return Err(Error::invalid(format!(
                "a stack has at most {MOST_CONTAINERS} containers"
            )));
        }
        let (mut networks, mut volumes) = (top::networks(&file, self)?, top::volumes(&file, self)?);
        let used = used(&services);
        networks.retain(|it| used.contains(&it.spec.name));
        volumes.retain(|it| used.contains(&it.spec.name));
        let plan = Plan {
            project: self.project.to_owned(),
            networks,
            volumes,
            services,
            known,
            ignored: Vec::new(),
            warnings: Vec::new(),
        };
        levels::of(&plan)?;
        Ok(plan)
    }

    /// Leaves out what a service can do without, and refuses where it cannot.
    fn settle_needs(&self, service: &mut Service, known: &BTreeSet<String>) -> Result<(), Error> {
        let there = self.file.get("services");
        let is_there = |name: &str| there.and_then(|it| it.get(name)).is_some();
        let missing = service.needs.iter().find(|it| it.required && !is_there(&it.service));
        if let Some(need) = missing {
            let why = if known.contains(&need.service) {
                "no profile asks for it"
            } else {
                "there is none"
            };
            let message =
                format!("`services.{}` needs the service `{}`: {why}", service.name, need.service);
            return Err(Error::invalid(message));
        }
        service.needs.retain(|it| is_there(&it.service));
        Ok(())
    }

    /// The value that a variable has around the file, or the secret of that name.
    pub(crate) fn passed(&self, name: &str) -> Option<types::Value> {
        let secret = || self.secrets.iter().any(|it| it == name);
        match (self.lookup)(name) {
            Some(value) => Some(types::Value::Plain(value)),
            None => secret().then(|| types::Value::Secret(name.to_owned())),
        }
    }

    /// A file as text, if it is there.
    pub(crate) fn optional_text(&self, path: &str) -> Result<Option<String>, Error> {
        text(self.read, path)
    }

    /// How a network that a service names is called in the engine.
    pub(crate) fn network(&self, node: &Node<'_>, key: &str) -> Result<String, Error> {
        let is_there = self.file.get("networks").and_then(|it| it.get(key)).is_some();
        if is_there || key == networking::DEFAULT {
            return Ok(self.network_name(key));
        }
        Err(node.wrong(format!("the file has no `networks.{key}`")))
    }

    pub(crate) fn network_name(&self, key: &str) -> String {
        self.named("networks", key)
    }

    /// How a volume that a service names is called in the engine.
    pub(crate) fn volume(&self, node: &Node<'_>, key: &str) -> Result<String, Error> {
        match self.file.get("volumes").and_then(|it| it.get(key)) {
            Some(_) => Ok(self.named("volumes", key)),
            None => Err(node
                .wrong(format!("the file has no `volumes.{key}`: a path begins with `/` or `./`"))),
        }
    }

    fn named(&self, kind: &str, key: &str) -> String {
        let file = Node::new(self.file, "");
        let node = file.get(kind).and_then(|it| it.get(key));
        let named = node.map(|it| top::named(key, &it, self.project));
        // What is wrong with it is said where it is read.
        named
            .and_then(Result::ok)
            .map_or_else(|| format!("{}_{key}", self.project), |(_, name)| name)
    }

    /// What the first container of a service is called.
    pub(crate) fn container_of(&self, node: &Node<'_>, service: &str) -> Result<String, Error> {
        let Some(other) = self.file.get("services").and_then(|it| it.get(service)) else {
            return Err(node.wrong(format!("there is no service `{service}`")));
        };
        let name = Node::new(other, format!("services.{service}")).text_at("container_name")?;
        Ok(name.unwrap_or_else(|| format!("{}-{service}-1", self.project)))
    }
}

/// Names of the networks and volumes that services have.
fn used(services: &[Service]) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for service in services {
        if let Networking::Networks(attachments) = &service.spec.networking {
            used.extend(attachments.iter().map(|it| it.network.clone()));
        }
        for mount in &service.spec.mounts {
            if let Mount::Volume(volume) = mount {
                used.extend(volume.name.clone());
            }
        }
    }
    used
}

#[cfg(test)]
mod tests;
