//! Chats: `/chats` below either of its prefixes.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{
    answer::{Answer, Answered, invalid, no_route, not_found, refused},
    life::{self, Turn},
    messages::{self, Message},
    query::Query,
    templates,
    wire::Request,
    world::{ANN, World, moment},
};

/// How many chats a list holds if nobody says.
const PAGE: u64 = 50;

/// The model that answers in all of them.
pub(super) const MODEL: &str = "30de1000-0000-4000-8000-000000000001";

pub(super) struct Chat {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) organization: &'static str,
    pub(super) workspace: Option<String>,
    pub(super) labels: Value,
    pub(super) turn: Turn,
    pub(super) turns: VecDeque<Turn>,
    pub(super) messages: Vec<Message>,
    pub(super) queued: VecDeque<Message>,
    pub(super) archived: bool,
    pub(super) created: u64,
    pub(super) updated: u64,
}

/// What is answered below a place of chats.
pub(super) fn chats(
    world: &mut World,
    request: &Request,
    rest: &[&str],
    query: &Query,
) -> Answered {
    match (request.method.as_str(), rest) {
        ("GET", []) => return list(world, query),
        ("POST", []) => return create(world, &request.body),
        ("GET", ["models"]) => return Ok(Answer::json(200, &models())),
        _ => {}
    }
    let (id, below) = rest.split_first().ok_or_else(no_route)?;
    let place = world.chats.iter().position(|it| it.id == *id).ok_or_else(not_found)?;
    match (request.method.as_str(), below) {
        ("GET", []) => {
            advance(world, place);
            Ok(Answer::json(200, &shown(&world.chats[place])))
        }
        ("PATCH", []) => change(world, place, &request.body),
        ("GET", ["messages"]) => {
            advance(world, place);
            messages::list(&world.chats[place], query)
        }
        ("POST", ["messages"]) => messages::add(world, place, &request.body),
        ("POST", ["interrupt"]) => {
            interrupt(world, place);
            Ok(Answer::json(200, &shown(&world.chats[place])))
        }
        ("GET", ["diff"]) => Ok(Answer::json(200, &diff(&world.chats[place]))),
        _ => Err(no_route()),
    }
}

fn list(world: &World, query: &Query) -> Answered {
    let words = query.search(&["archived", "title", "name"])?;
    let archived = words.iter().any(|(key, value)| key == "archived" && value == "true");
    let label = query.get("label").split_once(':');
    let mut chats: Vec<_> = world.chats.iter().filter(|it| it.archived == archived).collect();
    chats.retain(|it| label.is_none_or(|(key, value)| it.labels[key] == value));
    chats.sort_by_key(|it| std::cmp::Reverse(it.updated));
    let after = query.get("after_id");
    if !after.is_empty() {
        let place = chats.iter().position(|it| it.id == after);
        let place = place.ok_or_else(|| {
            invalid("Query parameters have invalid values.", "after_id", "There is no such chat.")
        })?;
        chats.drain(..=place);
    }
    let most = world.most_on_page;
    let limit = match query.number("limit", PAGE)? {
        0 => PAGE,
        limit => limit,
    };
    let page =
        chats.into_iter().skip(query.number("offset", 0)? as usize).take(limit.min(most) as usize);
    Ok(Answer::json(200, &page.map(shown).collect()))
}

fn create(world: &mut World, body: &Value) -> Answered {
    let organization = body["organization_id"].as_str().and_then(templates::organization);
    let Some(organization) = organization else {
        let detail = "organization_id is required";
        return Err(invalid("Validation failed.", "organization_id", detail));
    };
    let text =
        messages::text_of(&body["content"]).ok_or_else(|| refused(400, "Content is required."))?;
    let workspace = body["workspace_id"].as_str().map(str::to_owned);
    if workspace.as_ref().is_some_and(|id| world.workspaces.iter().all(|it| it.id != *id)) {
        return Err(refused(400, "Workspace not found or you do not have access to this resource"));
    }
    let chat = world.chat(organization.id, text);
    let labels = if body["labels"].is_object() { body["labels"].clone() } else { json!({}) };
    world.chats.push(Chat { workspace, labels, ..chat });
    let place = world.chats.len() - 1;
    begin(world, place);
    Ok(Answer::json(201, &shown(&world.chats[place])))
}

impl World {
    /// One that was told something and has not begun.
    pub(super) fn chat(&mut self, organization: &'static str, text: String) -> Chat {
        let (id, now) = (self.id("c4a7"), self.pass());
        Chat {
            id,
            title: text.chars().take(60).collect(),
            organization,
            workspace: None,
            labels: json!({}),
            turn: Turn::Fresh,
            turns: VecDeque::new(),
            messages: vec![Message::of_user(1, text, now)],
            queued: VecDeque::new(),
            archived: false,
            created: now,
            updated: now,
        }
    }
}

/// Begins a turn. Its first step is where the chat is at once.
pub(super) fn begin(world: &mut World, place: usize) {
    let turns = world.next_turns.pop_front().unwrap_or_else(life::answers);
    world.chats[place].turns = turns.into();
    advance(world, place);
}

/// One step further, if there is one. A read does this before it is answered.
fn advance(world: &mut World, place: usize) {
    let Some(turn) = world.chats[place].turns.pop_front() else { return };
    let now = world.pass();
    let chat = &mut world.chats[place];
    let id = chat.messages.len() as i64 + 1;
    match turn {
        Turn::Says(text) => chat.messages.push(Message::of_assistant(id, text, now)),
        Turn::Calls(tool) => chat.messages.extend(Message::of_tool(id, tool, now)),
        _ => {}
    }
    let waits = turn == Turn::Waiting;
    (chat.turn, chat.updated) = (turn, now);
    if waits && let Some(next) = chat.queued.pop_front() {
        chat.messages.push(next.with_id(id));
        begin(world, place);
    }
}

pub(super) fn interrupt(world: &mut World, place: usize) {
    let chat = &mut world.chats[place];
    if matches!(chat.turn.status(), "running" | "requires_action") {
        chat.turn = Turn::Interrupting;
        chat.turns = [Turn::Waiting].into();
    }
}

fn change(world: &mut World, place: usize, body: &Value) -> Answered {
    if let Some(archived) = body["archived"].as_bool() {
        interrupt(world, place);
        world.chats[place].archived = archived;
    }
    if let Some(title) = body["title"].as_str() {
        title.clone_into(&mut world.chats[place].title);
    }
    Ok(Answer::empty(204))
}

fn diff(it: &Chat) -> Value {
    let said = it.messages.len() > 1;
    let diff = "diff --git a/login.rs b/login.rs\n--- a/login.rs\n+++ b/login.rs\n@@ -1 +1 @@\n-let ok = false;\n+let ok = true;\n";
    let mut shown = json!({"chat_id": it.id});
    if said {
        shown["provider"] = "github".into();
        shown["remote_origin"] = "https://git.example.com/ann/project.git".into();
        shown["branch"] = "fix-login".into();
        shown["diff"] = diff.into();
    }
    shown
}

fn models() -> Value {
    let model =
        json!({"id": MODEL, "provider": "anthropic", "model": "large", "display_name": "Large"});
    json!({
        "providers": [{"provider": "anthropic", "available": true, "models": [model]}],
        "unsupported_providers": [],
    })
}

fn shown(it: &Chat) -> Value {
    let mut shown = json!({
        "id": it.id, "organization_id": it.organization, "owner_id": ANN.id,
        "owner_username": ANN.name, "owner_name": ANN.whole_name, "last_model_config_id": MODEL,
        "title": it.title, "status": it.turn.status(), "last_turn_summary": null, "summary": null,
        "created_at": moment(it.created), "updated_at": moment(it.updated),
        "archived": it.archived, "shared": false, "pin_order": 0, "mcp_server_ids": [],
        "labels": it.labels, "has_unread": false, "client_type": "api", "children": [],
    });
    if let Some(workspace) = &it.workspace {
        shown["workspace_id"] = workspace.as_str().into();
    }
    if let Turn::Fails(message) = it.turn {
        shown["last_error"] = json!({
            "kind": "overloaded", "message": message, "retryable": true, "status_code": 529,
            "provider": "anthropic",
        });
    }
    if it.turn == Turn::Waiting && it.messages.len() > 1 {
        shown["last_turn_summary"] = "It changed one file.".into();
    }
    shown
}
