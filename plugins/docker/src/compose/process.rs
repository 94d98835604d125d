//! What runs in a service's container: its command, its environment, how it is asked whether it is well, and when it starts again.

use std::collections::BTreeMap;

use windlass_sdk::{
    Error,
    engine::{Health, HealthCheck, Restart},
    types::Value,
};

use super::{dotenv, load::Context, read::Node};
use crate::words::parted;

/// A command as words: a list, or a line as a shell would split it.
pub(crate) fn words(service: &Node<'_>, key: &str) -> Result<Option<Vec<String>>, Error> {
    let Some(node) = service.get(key) else { return Ok(None) };
    if node.value.is_array() {
        return node.items()?.iter().map(Node::text).collect::<Result<_, _>>().map(Some);
    }
    let words = parted(&node.text()?);
    words
        .map(Some)
        .ok_or_else(|| node.wrong("a quote is not closed, or a backslash is its last sign"))
}

/// The environment: that of its files, and above it its own.
pub(crate) fn environment(
    service: &Node<'_>,
    context: &Context<'_>,
) -> Result<Vec<(String, Value)>, Error> {
    let mut all = BTreeMap::new();
    for item in service.one_or_more_at("env_file")? {
        for (name, value) in env_file(&item, context, &all)? {
            all.insert(name, value);
        }
    }
    let own = service.get("environment").map_or(Ok(Vec::new()), |it| it.pairs())?;
    all.extend(own);
    let mut known = Vec::new();
    for (name, value) in all {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(service.wrong(format!("`environment`: `{name}` is no name of a variable")));
        }
        // Who gives a name alone wants the value that the variable has around the file, if it has one.
        if let Some(value) = value.map(Value::Plain).or_else(|| context.passed(&name)) {
            known.push((name, value));
        }
    }
    Ok(known)
}

/// Values may name variables of the files `before` it.
fn env_file(
    item: &Node<'_>,
    context: &Context<'_>,
    before: &dotenv::Variables,
) -> Result<dotenv::Variables, Error> {
    let (path, required) = if item.value.is_object() {
        let required = item.get("required").map_or(Ok(true), |it| it.flag())?;
        (item.need("path")?.text()?, required)
    } else {
        (item.text()?, true)
    };
    let path = context.place.absolute(&path).map_err(|why| item.wrong(why))?;
    let Some(text) = context.optional_text(&path)? else {
        if required {
            return Err(item.wrong(format!("`{path}` is not there")));
        }
        return Ok(dotenv::Variables::new());
    };
    let lookup = |name: &str| (context.lookup)(name).or_else(|| before.get(name)?.clone());
    dotenv::parse(&text, &path, &lookup)
}

pub(crate) fn labels(
    service: &Node<'_>,
    context: &Context<'_>,
) -> Result<Vec<(String, String)>, Error> {
    let mut all = BTreeMap::new();
    for item in service.one_or_more_at("label_file")? {
        for (name, value) in env_file(&item, context, &dotenv::Variables::new())? {
            all.insert(name, value.unwrap_or_default());
        }
    }
    all.extend(service.pairs_at("labels")?);
    // Those of Compose say what a container is, and are written here.
    all.retain(|name, _| !name.starts_with("com.docker.compose."));
    Ok(all.into_iter().collect())
}

pub(crate) fn health(service: &Node<'_>) -> Result<Health, Error> {
    let Some(check) = service.get("healthcheck") else { return Ok(Health::OfImage) };
    if check.flag_at("disable")? {
        return Ok(Health::None);
    }
    let test = match check.get("test") {
        None => Vec::new(),
        Some(test) if !test.value.is_array() => vec!["CMD-SHELL".to_owned(), test.text()?],
        Some(test) => {
            let words: Vec<_> = test.items()?.iter().map(Node::text).collect::<Result<_, _>>()?;
            match words.first().map(String::as_str) {
                Some("NONE") => return Ok(Health::None),
                Some("CMD" | "CMD-SHELL") if words.len() > 1 => words,
                _ => {
                    return Err(test.wrong(
                        "it begins with `NONE`, `CMD` and words, or `CMD-SHELL` and a line",
                    ));
                }
            }
        }
    };
    Ok(Health::Check(HealthCheck {
        test,
        interval_ms: check.ms_at("interval")?,
        timeout_ms: check.ms_at("timeout")?,
        start_period_ms: check.ms_at("start_period")?,
        retries: check.number_at("retries")?,
    }))
}

pub(crate) fn restart(service: &Node<'_>) -> Result<Restart, Error> {
    if let Some(node) = service.get("restart") {
        let text = node.text()?;
        let (policy, times) = text.split_once(':').unwrap_or((&text, "0"));
        let times = times.parse().map_err(|_| node.wrong("after `on-failure:` comes a number"))?;
        return match policy {
            "no" | "false" => Ok(Restart::Never),
            "always" => Ok(Restart::Always),
            "unless-stopped" => Ok(Restart::UnlessStopped),
            "on-failure" => Ok(Restart::OnFailure(times)),
            _ => Err(node.wrong("it is `no`, `always`, `unless-stopped` or `on-failure`")),
        };
    }
    let policy = service.get("deploy").and_then(|it| it.get("restart_policy"));
    let Some(policy) = policy else { return Ok(Restart::Never) };
    let times = policy.number_at("max_attempts")?.unwrap_or(0);
    match policy.text_at("condition")?.as_deref() {
        None | Some("any") => Ok(Restart::Always),
        Some("none") => Ok(Restart::Never),
        Some("on-failure") => Ok(Restart::OnFailure(times)),
        Some(_) => Err(policy.wrong("`condition` is `none`, `on-failure` or `any`")),
    }
}
