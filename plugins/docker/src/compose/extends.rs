//! Services that extend others: what they take over, and what they say themselves.

use std::{collections::BTreeMap, rc::Rc};

use serde_json::{Map, Value};
use windlass_sdk::Error;

use super::{place::Place, read::Node};

/// More steps than this are a circle, or as good as one.
const LONGEST_CHAIN: usize = 20;
/// More files than this are not read for one stack.
const MOST_FILES: usize = 20;

/// Keys of a service whose value takes the place of what was there.
const REPLACED: &[&str] = &["command", "entrypoint", "test"];
/// Keys that may be a list of `name=value`, and are merged by name.
const PAIRS: &[&str] = &["annotations", "environment", "labels", "sysctls", "args"];
/// Keys that may be a list of names, and are merged by name.
const NAMES: &[&str] = &["depends_on", "networks"];

/// Reads a file: its text parsed, and its variables in place.
pub(crate) type Load<'a> = &'a dyn Fn(&str) -> Result<Value, Error>;

/// Every service with what it extends.
pub(crate) fn resolve(file: Value, place: &Place, load: Load<'_>) -> Result<Value, Error> {
    let Value::Object(mut file) = file else { return Ok(file) };
    if !extends_anything(file.get("services")) {
        return Ok(Value::Object(file));
    }
    let services = file.get("services").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut sources = Sources { load, files: BTreeMap::new() };
    let mut whole = Map::new();
    for name in services.keys() {
        let at = Spot { services: &services, place, file: String::new() };
        whole.insert(name.clone(), sources.service(name, &at, &mut Vec::new())?);
    }
    file.insert("services".to_owned(), Value::Object(whole));
    Ok(Value::Object(file))
}

fn extends_anything(services: Option<&Value>) -> bool {
    let services = services.and_then(Value::as_object);
    services.is_some_and(|services| services.values().any(|it| it.get("extends").is_some()))
}

struct Sources<'a> {
    load: Load<'a>,
    files: BTreeMap<String, Rc<Map<String, Value>>>,
}

/// Where a service is looked for.
struct Spot<'a> {
    services: &'a Map<String, Value>,
    place: &'a Place,
    /// The path of the file. Empty: the one that is deployed.
    file: String,
}

impl Sources<'_> {
    fn service(
        &mut self,
        name: &str,
        at: &Spot<'_>,
        chain: &mut Vec<String>,
    ) -> Result<Value, Error> {
        let path = format!("services.{name}");
        let Some(service) = at.services.get(name) else {
            return Err(Error::invalid(format!("`{path}` is extended, and is not there")));
        };
        let step = format!("{}#{name}", at.file);
        if chain.contains(&step) || chain.len() >= LONGEST_CHAIN {
            return Err(Error::invalid(format!("`{path}.extends` leads back to itself")));
        }
        let Value::Object(mut own) = service.clone() else { return Ok(service.clone()) };
        let Some(extends) = own.remove("extends").filter(|it| !it.is_null()) else {
            return Ok(Value::Object(own));
        };
        chain.push(step);
        let base = self.base(&Node::new(&extends, format!("{path}.extends")), at, chain)?;
        chain.pop();
        Ok(merge(base, Value::Object(own), ""))
    }

    fn base(
        &mut self,
        extends: &Node<'_>,
        at: &Spot<'_>,
        chain: &mut Vec<String>,
    ) -> Result<Value, Error> {
        if extends.value.is_string() {
            return self.service(&extends.text()?, at, chain);
        }
        let name = extends.need("service")?.text()?;
        let Some(file) = extends.get("file") else { return self.service(&name, at, chain) };
        let path = at.place.absolute(&file.text()?).map_err(|why| file.wrong(why))?;
        if !self.files.contains_key(&path) {
            if self.files.len() >= MOST_FILES {
                return Err(file.wrong(format!("more than {MOST_FILES} files are not read")));
            }
            let loaded = (self.load)(&path)?;
            let services = loaded.get("services").and_then(Value::as_object).cloned();
            self.files.insert(path.clone(), Rc::new(services.unwrap_or_default()));
        }
        let services = self.files.get(&path).cloned().unwrap_or_default();
        let place = Place::of_file(&path);
        let there = Spot { services: &services, place: &place, file: path };
        let base = self.service(&name, &there, chain)?;
        anchored(base, &place)
    }
}

/// A service of another file, whose relative paths start from there.
fn anchored(service: Value, place: &Place) -> Result<Value, Error> {
    let Value::Object(mut service) = service else { return Ok(service) };
    let absolute = |text: &str| place.absolute(text).map(Value::String).map_err(Error::invalid);
    for key in ["env_file", "label_file"] {
        if let Some(files) = service.get_mut(key) {
            for file in each(files) {
                match file {
                    Value::String(text) => *file = absolute(text)?,
                    Value::Object(map) => {
                        if let Some(Value::String(text)) = map.get("path") {
                            let path = absolute(text)?;
                            map.insert("path".to_owned(), path);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    for volume in service.get_mut("volumes").map(each).into_iter().flatten() {
        match volume {
            Value::String(text) if text.starts_with('.') => {
                if let Some((source, rest)) = text.split_once(':') {
                    let source = place.absolute(source).map_err(Error::invalid)?;
                    *text = format!("{source}:{rest}");
                }
            }
            Value::Object(map) if map.get("type").is_some_and(|kind| kind == "bind") => {
                if let Some(Value::String(text)) = map.get("source") {
                    let source = absolute(text)?;
                    map.insert("source".to_owned(), source);
                }
            }
            _ => {}
        }
    }
    Ok(Value::Object(service))
}

fn each(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Array(items) => items.iter_mut().collect(),
        one => vec![one],
    }
}

/// What both say together; `over` has the last word.
fn merge(base: Value, over: Value, key: &str) -> Value {
    let (base, over) = (alike(base, key), alike(over, key));
    match (base, over) {
        (base, Value::Null) => base,
        (_, over) if REPLACED.contains(&key) => over,
        (Value::Object(mut base), Value::Object(over)) => {
            for (key, value) in over {
                let value = match base.remove(&key) {
                    Some(before) => merge(before, value, &key),
                    None => value,
                };
                base.insert(key, value);
            }
            Value::Object(base)
        }
        (Value::Array(mut base), Value::Array(over)) => {
            if key == "volumes" {
                let taken: Vec<_> = over.iter().filter_map(target).collect();
                base.retain(|it| target(it).is_none_or(|it| !taken.contains(&it)));
            }
            let fresh: Vec<_> = over.into_iter().filter(|it| !base.contains(it)).collect();
            base.extend(fresh);
            Value::Array(base)
        }
        (Value::Array(mut base), one @ Value::String(_)) if LISTS.contains(&key) => {
            base.push(one);
            Value::Array(base)
        }
        (one @ Value::String(_), Value::Array(mut over)) if LISTS.contains(&key) => {
            over.insert(0, one);
            Value::Array(over)
        }
        (first @ Value::String(_), second @ Value::String(_)) if LISTS.contains(&key) => {
            Value::Array(vec![first, second])
        }
        (_, over) => over,
    }
}

/// Keys that may be one text or a list of texts, and are added to.
const LISTS: &[&str] = &["dns", "dns_search", "env_file", "label_file", "tmpfs"];

/// A list of names as the map that it stands for.
fn alike(value: Value, key: &str) -> Value {
    let Value::Array(items) = &value else { return value };
    let (is_names, is_pairs) = (NAMES.contains(&key), PAIRS.contains(&key));
    if !is_names && !is_pairs {
        return value;
    }
    let mut map = Map::new();
    for item in items {
        let Value::String(text) = item else { return value };
        match text.split_once('=') {
            Some((name, value)) if is_pairs => map.insert(name.to_owned(), value.into()),
            _ if is_pairs => map.insert(text.clone(), Value::Null),
            _ => map.insert(text.clone(), alone(key)),
        };
    }
    Value::Object(map)
}

/// What a name in a list stands for.
fn alone(key: &str) -> Value {
    match key {
        "depends_on" => serde_json::json!({"condition": "service_started"}),
        _ => Value::Null,
    }
}

/// Where a volume is in its container.
fn target(volume: &Value) -> Option<&str> {
    match volume {
        Value::String(text) => {
            let mut parts = text.split(':');
            let first = parts.next()?;
            Some(parts.next().unwrap_or(first))
        }
        other => other.get("target")?.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resolved(file: Value) -> Result<Value, Error> {
        let load = |path: &str| match path {
            "/srv/base/common.yaml" => Ok(json!({"services": {"web": {
                "extends": {"service": "root"}, "env_file": ["a.env", {"path": "b.env"}],
                "volumes": ["./data:/data", "named:/n", {"type": "bind", "source": "x", "target": "/x"}],
            }, "root": {"image": "a", "user": "1"}}})),
            other => Err(Error::not_found(format!("`{other}` is not there"))),
        };
        resolve(file, &Place::of_file("/srv/shop/compose.yaml"), &load)
    }

    #[test]
    fn a_service_adds_to_what_it_extends() {
        let file = json!({"services": {
            "base": {
                "image": "a", "command": ["x"], "environment": ["A=1", "B=2"], "ports": ["80:80"], "dns": "1.1.1.1",
                "volumes": ["one:/data", "two:/two"], "depends_on": ["db"], "healthcheck": {"test": "a", "retries": 3},
            },
            "web": {
                "extends": "base", "command": "y", "environment": {"B": 3, "C": null}, "ports": ["80:80", "81:81"],
                "dns": ["8.8.8.8"], "volumes": ["three:/data"], "depends_on": {"cache": {"condition": "service_healthy"}},
                "healthcheck": {"test": "b"},
            },
        }});
        let expected = json!({
            "image": "a", "command": "y", "environment": {"A": "1", "B": 3, "C": null}, "ports": ["80:80", "81:81"],
            "dns": ["1.1.1.1", "8.8.8.8"], "volumes": ["two:/two", "three:/data"],
            "depends_on": {"db": {"condition": "service_started"}, "cache": {"condition": "service_healthy"}},
            "healthcheck": {"test": "b", "retries": 3},
        });
        assert_eq!(resolved(file).unwrap()["services"]["web"], expected);
    }

    #[test]
    fn a_service_of_another_file_keeps_its_folder() {
        let file = json!({"services": {"web": {
            "extends": {"file": "../base/common.yaml", "service": "web"}, "user": "2",
        }}});
        let expected = json!({
            "image": "a", "user": "2", "env_file": ["/srv/base/a.env", {"path": "/srv/base/b.env"}],
            "volumes": ["/srv/base/data:/data", "named:/n", {"type": "bind", "source": "/srv/base/x", "target": "/x"}],
        });
        assert_eq!(resolved(file).unwrap()["services"]["web"], expected);
    }

    #[test]
    fn circles_and_what_is_missing_are_refused() {
        let file = json!({"services": {"a": {"extends": "b"}, "b": {"extends": {"service": "a"}}}});
        assert!(resolved(file).unwrap_err().message.contains("leads back to itself"));
        let file = json!({"services": {"a": {"extends": "b"}}});
        assert!(resolved(file).unwrap_err().message.contains("`services.b` is extended"));
        let file = json!({"services": {"a": {"extends": {"service": "b", "file": "none.yaml"}}}});
        assert_eq!(resolved(file).unwrap_err().message, "`/srv/shop/none.yaml` is not there");
    }
}
