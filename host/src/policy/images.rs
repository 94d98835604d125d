//! Which images containers may be made from.

use super::Policy;
use crate::{
    config::{ContainersGrant, EngineGrant},
    error::{Failure, Result, denied, invalid},
};

/// No engine takes a longer name.
const LONGEST_NAME: usize = 255;
const LONGEST_TAG: usize = 128;
/// Where images come from that name no registry.
const DEFAULT_REGISTRY: &str = "docker.io";
/// Another name of the same.
const INDEX: &str = "index.docker.io";

/// An image's whole name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `docker.io/library/python:3.12`, or with `@sha256:…` and no tag: the digest says it all.
    pub name: String,
}

/// Which images a table of the grants lets through.
pub(super) struct Rule<'a> {
    /// `containers`.
    table: &'static str,
    registries: &'a [String],
    images: &'a [String],
    pinned: bool,
}

impl<'a> From<&'a ContainersGrant> for Rule<'a> {
    fn from(grant: &'a ContainersGrant) -> Self {
        let (registries, images) = (&grant.registries, &grant.images);
        Self { table: "containers", registries, images, pinned: grant.pinned }
    }
}

impl<'a> From<&'a EngineGrant> for Rule<'a> {
    fn from(grant: &'a EngineGrant) -> Self {
        let (registries, images) = (&grant.registries, &grant.images);
        Self { table: "engine", registries, images, pinned: grant.pinned }
    }
}

/// The parts of a name.
#[derive(Debug)]
struct Parts<'a> {
    registry: &'a str,
    repository: String,
    tag: &'a str,
    digest: Option<&'a str>,
}

impl Policy {
    /// The whole name of an image that may be used.
    pub(super) fn image<'a>(&self, rule: impl Into<Rule<'a>>, name: &str) -> Result<Image> {
        let Rule { table, registries, images, pinned } = rule.into();
        let parts = Parts::read(name)?;
        let registry = parts.registry;
        if !registries.iter().any(|allowed| matches(allowed, registry)) {
            return Err(refused(format!(
                "Registry '{registry}' is not in allow-list. Allowed registries: {}. \
                 It would be with `{registry}` in `plugins.{}.grants.{table}.registries`",
                registries.join(", "),
                self.plugin
            )));
        }
        let image = Image { name: parts.whole() };
        if pinned && parts.digest.is_none() {
            return Err(refused(format!(
                "not allowed: `plugins.{}.grants.{table}.pinned` wants images by digest, `{}@sha256:…`",
                self.plugin,
                parts.unversioned()
            )));
        }
        if !images.is_empty() && !images.iter().any(|it| parts.fits(it)) {
            return Err(refused(format!(
                "not allowed: `plugins.{}.grants.{table}.images` has no `{}`",
                self.plugin, image.name
            )));
        }
        Ok(image)
    }

    /// Whether images may come from all that this line means.
    pub fn lists_registry(&self, line: &str) -> bool {
        let granted = self.grants.containers.iter().flat_map(|grant| &grant.registries);
        granted.into_iter().any(|allowed| matches(allowed, line))
    }

    /// Whether all images that this line means are listed, wherever they come from.
    pub fn lists_image(&self, line: &str) -> bool {
        let fits = |allowed: &String| {
            matches(allowed, line) || Parts::read(line).is_ok_and(|parts| parts.fits(allowed))
        };
        let granted = self.grants.containers.as_ref();
        granted.is_some_and(|grant| grant.images.is_empty() || grant.images.iter().any(fits))
    }
}

impl<'a> Parts<'a> {
    fn read(name: &'a str) -> Result<Self> {
        let wrong = |why: &str| invalid(format!("`{}` is no image: {why}", name.escape_debug()));
        if name.is_empty() || name.len() > LONGEST_NAME {
            return Err(wrong(&format!("a name has 1 to {LONGEST_NAME} letters")));
        }
        let (rest, digest) = match name.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (name, None),
        };
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(wrong("behind `@` comes `sha256:` and 64 hexadecimal digits"));
        }
        let (registry, path) = split_registry(rest);
        let (path, tag) = path.split_once(':').unwrap_or((path, "latest"));
        if !is_registry(registry) {
            return Err(wrong("the registry is `host` or `host:port` in small letters"));
        }
        if !is_tag(tag) {
            return Err(wrong(&format!(
                "a tag has letters, digits, `_`, `.` and `-`, at most {LONGEST_TAG}, and starts with none of the last two"
            )));
        }
        if !path.split('/').all(is_component) || is_id(path) || path == "sha256" && is_id(tag) {
            return Err(wrong(
                "a repository has small letters and digits, with single `.`, `_`, `-` or `/` between them, and is no bare id",
            ));
        }
        let repository = repository(registry, path);
        let registry = if registry == INDEX { DEFAULT_REGISTRY } else { registry };
        Ok(Self { registry, repository, tag, digest })
    }

    fn unversioned(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    fn whole(&self) -> String {
        match self.digest {
            Some(digest) => format!("{}@{digest}", self.unversioned()),
            None => format!("{}:{}", self.unversioned(), self.tag),
        }
    }

    /// Whether a line of a grant means this image. One without tag and digest means all of them.
    fn fits(&self, line: &str) -> bool {
        let (registry, path) = split_registry(line);
        // A line may start with `*`, and then stands for registries too.
        let whole = if line.starts_with('*') {
            line.to_owned()
        } else {
            format!("{registry}/{}", repository(registry, path))
        };
        let versioned = path.contains([':', '@']);
        matches(&whole, &self.whole()) || !versioned && matches(&whole, &self.unversioned())
    }
}

fn refused(message: String) -> Failure {
    denied(message).with_detail("error_code", "POLICY_DENIED")
}

/// The first component is a registry if it looks like a host: `a/b` is none, `a.b/c`, `a:1/c` and `localhost/c` are.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => (DEFAULT_REGISTRY, name),
    }
}

/// The official images of the default registry stand in `library`.
fn repository(registry: &str, path: &str) -> String {
    if [DEFAULT_REGISTRY, INDEX].contains(&registry) && !path.contains('/') {
        return format!("library/{path}");
    }
    path.to_owned()
}

/// The same name with a tag or a digest.
pub(super) fn tagged(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") }
}

fn is_digest(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(is_id)
}

/// Engines take 64 digits for the id of an image.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = registry.split_once(':').unwrap_or((registry, "0"));
    let label = |label: &str| {
        let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
        !label.is_empty()
            && label.bytes().all(fits)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let digits = !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit());
    host.split('.').all(label) && digits && port.parse::<u16>().is_ok()
}

fn is_tag(tag: &str) -> bool {
    let word = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
    tag.len() <= LONGEST_TAG
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|it| word(it) || it == b'.' || it == b'-')
}

/// Words of small letters and digits, with `.`, `_`, `__` or any number of `-` between them.
fn is_component(component: &str) -> bool {
    let word = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let inner = component.starts_with(word) && component.ends_with(word);
    let mut between = component.split(word).filter(|it| !it.is_empty());
    inner && between.all(|it| [".", "_", "__"].contains(&it) || it.bytes().all(|it| it == b'-'))
}

/// Whether `text` is what `pattern` says, in which `*` stands for anything.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let mut pieces: Vec<&str> = tail.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
