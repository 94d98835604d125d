//! `prune`: what is left over, shown first and then removed.

mod find;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Form, Hints, Questions, Result, Told, Tool,
    engine::{self, Act, Removal},
    images, networks,
    types::{Abilities, Answer, Code},
    volumes,
};

use crate::table;

/// As many names as a question holds.
const MOST_NAMED: usize = 20;

/// Finds what is left over in the engine, and with `dry_run: false` removes it: containers that do not run, networks
/// without containers, images that nothing names. Volumes go only where `what` says `volumes`.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Prune {
    #[serde(default)]
    what: What,
    /// Whether it is only shown what would go.
    #[serde(default = "crate::list::yes")]
    dry_run: bool,
    /// Only what has all of these labels: `name` or `name=value`.
    #[serde(default)]
    labels: Vec<String>,
    /// Also images that have a name, but no container.
    #[serde(default)]
    all_images: bool,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum What {
    Containers,
    Networks,
    Volumes,
    Images,
    /// All but volumes.
    #[default]
    All,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Pruned {
    dry_run: bool,
    items: Vec<Item>,
    /// Of what went, or would go; of images alone, as the engine says no more.
    reclaimed_bytes: u64,
}

/// What is left over.
#[derive(Clone, Serialize, JsonSchema)]
struct Item {
    kind: Kind,
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    removed: bool,
    /// Why it was not removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Container,
    Network,
    Volume,
    Image,
}

impl Tool for Prune {
    const NAME: &'static str = "prune";
    const TITLE: Option<&'static str> = Some("Remove what is left over");
    const HINTS: Hints = Hints::DESTRUCTIVE.union(Hints::IDEMPOTENT);
    type Output = Told<Pruned>;

    fn run(self, call: &Call) -> Result<Told<Pruned>> {
        let mut items = find::left_over(&self)?;
        if !self.dry_run && !items.is_empty() {
            agree(call, &mut items)?;
            items.iter_mut().for_each(Item::remove);
        }
        let counts = |it: &&Item| self.dry_run || it.removed;
        let reclaimed_bytes = items.iter().filter(counts).filter_map(|it| it.size_bytes).sum();
        let text = said(self.dry_run, &items, reclaimed_bytes);
        Ok(Told { text, rows: Pruned { dry_run: self.dry_run, items, reclaimed_bytes } })
    }
}

impl What {
    fn has(self, kind: Kind) -> bool {
        match self {
            Self::Containers => kind == Kind::Container,
            Self::Networks => kind == Kind::Network,
            Self::Volumes => kind == Kind::Volume,
            Self::Images => kind == Kind::Image,
            Self::All => kind != Kind::Volume,
        }
    }
}

impl Item {
    fn new(kind: Kind, id: String, name: String) -> Self {
        Self { kind, id, name, size_bytes: None, removed: false, error: None }
    }

    /// Nothing is forced: what has come into use meanwhile stays.
    fn remove(&mut self) {
        let done = match self.kind {
            Kind::Container => {
                engine::act(&self.id, &Act::Remove(Removal { force: false, volumes: false }))
            }
            Kind::Network => networks::remove(&self.id),
            Kind::Volume => volumes::remove(&self.id, false),
            Kind::Image => images::remove(&self.id, false).map(drop),
        };
        match done {
            Ok(()) => self.removed = true,
            Err(Error { code: Code::NotFound, .. }) => self.removed = true,
            Err(error) => self.error = Some(error.message),
        }
    }

    fn word(&self) -> &'static str {
        match self.kind {
            Kind::Container => "container",
            Kind::Network => "network",
            Kind::Volume => "volume",
            Kind::Image => "image",
        }
    }
}

/// Asks the user where the client can, and keeps what the yes was given to: what came later was not in the question.
fn agree(call: &Call, items: &mut Vec<Item>) -> Result<()> {
    if !call.client_can(Abilities::FORMS) {
        return Ok(());
    }
    if matches!(call.answer("confirm"), Some(Answer::Given(_))) {
        let asked: Vec<String> =
            call.state().and_then(|ids| serde_json::from_str(ids).ok()).unwrap_or_default();
        items.retain(|it| asked.contains(&it.id));
        return Ok(());
    }
    if call.answer("confirm").is_some() {
        return call.confirm("");
    }
    let ids: Vec<_> = items.iter().map(|it| &it.id).collect();
    let asking = Questions::remembering(serde_json::to_string(&ids)?);
    Err(asking.form("confirm", Form::new(question(items))).into())
}

fn question(items: &[Item]) -> String {
    let name = |it: &Item| format!("{} `{}`", it.word(), it.name);
    let mut names: Vec<_> = items.iter().take(MOST_NAMED).map(name).collect();
    if items.len() > MOST_NAMED {
        names.push(format!("and {} more", items.len() - MOST_NAMED));
    }
    format!("Remove what is left over: {}?", names.join(", "))
}

fn said(dry_run: bool, items: &[Item], reclaimed_bytes: u64) -> String {
    if items.is_empty() {
        return "Nothing is left over".to_owned();
    }
    let row = |it: &Item| {
        let came = match &it.error {
            None if it.removed => "removed".to_owned(),
            None => "would be removed".to_owned(),
            Some(error) => format!("stays: {error}"),
        };
        let size = it.size_bytes.map(table::bytes).unwrap_or_default();
        [it.word().to_owned(), it.name.clone(), size, came]
    };
    let table = table::table(["KIND", "NAME", "SIZE", "OUTCOME"], items.iter().map(row));
    let space = table::bytes(reclaimed_bytes);
    if dry_run {
        format!(
            "Left over, and nothing of it removed: give `dry_run: false` for that\n{table}\n\nSpace in images: {space}"
        )
    } else {
        format!("Pruned:\n{table}\n\nSpace reclaimed from images: {space}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_go_only_where_they_are_named() {
        let kinds = [Kind::Container, Kind::Network, Kind::Volume, Kind::Image];
        let of = |what: What| kinds.into_iter().filter(|&it| what.has(it)).collect::<Vec<_>>();
        assert_eq!(of(What::All), [Kind::Container, Kind::Network, Kind::Image]);
        assert_eq!(of(What::Volumes), [Kind::Volume]);
        let wish: Prune = serde_json::from_str("{}").unwrap();
        assert!(wish.dry_run && wish.what == What::All && !wish.all_images);
    }

    #[test]
    fn a_question_names_what_goes() {
        let item = |at: usize| Item::new(Kind::Network, at.to_string(), format!("n{at}"));
        let few: Vec<_> = (0..2).map(item).collect();
        assert_eq!(question(&few), "Remove what is left over: network `n0`, network `n1`?");
        let many: Vec<_> = (0..25).map(item).collect();
        assert!(question(&many).ends_with("network `n19`, and 5 more?"));
    }

    #[test]
    fn what_is_said_tells_a_plan_from_a_deed() {
        let mut item = Item::new(Kind::Image, "i".into(), "a:b".into());
        item.size_bytes = Some(2_000_000);
        assert!(said(true, &[item.clone()], 2_000_000).contains("would be removed"));
        item.error = Some("it is in use".into());
        assert!(said(false, &[item], 0).contains("stays: it is in use"));
        assert_eq!(said(false, &[], 0), "Nothing is left over");
    }
}
