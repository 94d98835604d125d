//! Which request is answered by what.

use serde_json::{Value, json};

use super::{
    answer::{Answer, Answered, no_route, not_found, of_status},
    builds,
    catalogue::ORGANIZATIONS,
    chats,
    query::{Query, decoded},
    tasks, templates,
    wire::Request,
    workspaces,
    world::{Generation, User, World, moment, user},
};

pub(super) fn answer(world: &mut World, request: &Request) -> Answer {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let steps: Vec<_> = path.split('/').skip(1).map(decoded).collect();
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let answered = route(world, request, &steps, &Query::of(query));
    answered.unwrap_or_else(|refusal| refusal)
}

fn route(world: &mut World, request: &Request, steps: &[&str], query: &Query) -> Answered {
    let ["api", version, place, rest @ ..] = steps else { return Err(no_route()) };
    if *version == "v2" && *place == "buildinfo" {
        return Ok(Answer::json(200, &build_info(world.generation)));
    }
    if !exists(world.generation, version, place) {
        return Err(no_route());
    }
    if request.header("coder-session-token") != Some(&world.token) {
        return Err(of_status(401));
    }
    let reads = request.method == "GET";
    match *place {
        "tasks" => tasks::tasks(world, request, rest, query),
        "chats" => chats::chats(world, request, rest, query),
        "workspaces" => workspaces::workspaces(world, request, rest, query),
        "workspacebuilds" => builds::builds(world, request, rest, query),
        "workspaceagents" => builds::agents(world, request, rest, query),
        "templates" if reads => templates::templates(rest, query),
        "templateversions" if reads => templates::versions(rest),
        "organizations" => organizations(world, request, rest, query),
        "users" => users(world, request, rest, query),
        _ => Err(no_route()),
    }
}

/// Whether a generation has anything there.
fn exists(generation: Generation, version: &str, place: &str) -> bool {
    use Generation::{Chats, Older, Tasks};
    match (version, place) {
        ("experimental", "tasks") => matches!(generation, Older | Tasks),
        ("v2", "tasks") | ("experimental", "chats") => generation == Tasks,
        ("v2", "chats") => generation == Chats,
        (version, _) => version == "v2",
    }
}

fn organizations(world: &mut World, request: &Request, rest: &[&str], query: &Query) -> Answered {
    let found = |name: &str| templates::organization(name).ok_or_else(not_found);
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            let shown: Value = ORGANIZATIONS.iter().map(templates::shown_organization).collect();
            Ok(Answer::json(200, &shown))
        }
        ("GET", [name, "templates"]) => templates::list(query, Some(found(name)?)),
        ("POST", [name, "members", owner, "workspaces"]) => {
            found(name)?;
            workspaces::create(world, owner, &request.body)
        }
        _ => Err(no_route()),
    }
}

fn users(world: &mut World, request: &Request, rest: &[&str], query: &Query) -> Answered {
    match (request.method.as_str(), rest) {
        ("GET", [name]) => {
            user(name).map(|it| Answer::json(200, &shown(&it))).ok_or_else(not_found)
        }
        ("GET", [owner, "workspace", name]) => workspaces::named(world, owner, name, query),
        ("POST", [owner, "workspaces"]) => workspaces::create(world, owner, &request.body),
        _ => Err(no_route()),
    }
}

fn shown(it: &User) -> Value {
    json!({
        "id": it.id, "username": it.name, "name": it.whole_name,
        "email": format!("{}@example.com", it.name), "created_at": moment(0),
        "updated_at": moment(0), "last_seen_at": moment(0), "status": "active",
        "login_type": "password", "organization_ids": [ORGANIZATIONS[0].id], "roles": [],
        "has_ai_seat": true, "is_service_account": false,
    })
}

fn build_info(generation: Generation) -> Value {
    let version = match generation {
        Generation::Older => "v2.27.3+8a1f2c3",
        Generation::Tasks => "v2.36.0+5b2d901",
        Generation::Chats => "v2.37.1+c07e4d2",
        Generation::Floor => "v2.24.2+1e9a7f0",
    };
    json!({
        "external_url": "https://coder.example.com", "version": version,
        "dashboard_url": "https://coder.example.com", "telemetry": false, "workspace_proxy": false,
        "agent_api_version": "1.0", "provisioner_api_version": "1.12", "upgrade_message": "",
        "deployment_id": "de410000-0000-4000-8000-000000000001", "webpush_public_key": "",
    })
}
