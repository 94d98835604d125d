//! Tasks: `/tasks` below either of its prefixes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    answer::{Answer, Answered, invalid, no_route, not_found, refused},
    builds,
    life::{Life, Step},
    logs,
    query::{Query, listed},
    templates,
    wire::Request,
    workspaces,
    world::{Entry, Generation, Task, Texts, Workspace, World, moment, user},
};

/// The statuses by which tasks can be searched for, in either generation.
const STATUSES: [&str; 6] = ["pending", "initializing", "active", "paused", "unknown", "error"];

/// What is answered below a place of tasks.
pub(super) fn tasks(
    world: &mut World,
    request: &Request,
    rest: &[&str],
    query: &Query,
) -> Answered {
    let older = world.generation == Generation::Older;
    match (request.method.as_str(), rest) {
        ("GET", []) => list(world, query),
        ("POST", [owner]) => create(world, owner, &request.body),
        ("GET", [owner, task]) => {
            let place = find(world, owner, task)?;
            world.advance(place);
            Ok(Answer::json(200, &shown(world.generation, &world.workspaces[place])))
        }
        ("DELETE", [owner, task]) => {
            let place = find(world, owner, task)?;
            world.workspaces[place].task = None;
            world.build(place, "delete", vec![Step::Deleting, Step::Deleted]);
            Ok(Answer::empty(202))
        }
        ("GET", [owner, task, "logs"]) => {
            let place = find(world, owner, task)?;
            logs::of_task(world, place)
        }
        ("POST", [owner, task, "send"]) => {
            let place = find(world, owner, task)?;
            send(world, place, &request.body)
        }
        ("POST", [owner, task, "pause"]) if !older => pause(world, owner, task),
        ("POST", [owner, task, "resume"]) if !older => resume(world, owner, task),
        ("PATCH", [owner, task, "input"]) if !older => {
            let place = find(world, owner, task)?;
            change_input(&mut world.workspaces[place], &request.body)
        }
        _ => Err(no_route()),
    }
}

/// A task by its id, or since 2.29 by its name.
fn find(world: &World, owner: &str, named: &str) -> Result<usize, Answer> {
    let owner = user(owner).ok_or_else(not_found)?;
    let is_id = named.len() == 36 && named.chars().all(|it| it.is_ascii_hexdigit() || it == '-');
    if world.generation == Generation::Older && !is_id {
        return Err(refused(400, &format!("Invalid UUID {named:?} for task ID.")));
    }
    let fits = |it: &Workspace| {
        let named = it.task.as_ref().is_some_and(|task| task.id == named || it.name == named);
        named && it.owner.id == owner.id
    };
    world.workspaces.iter().position(fits).ok_or_else(not_found)
}

fn list(world: &mut World, query: &Query) -> Answered {
    let words = query.search(&["owner", "status", "organization", "name"])?;
    let older = world.generation == Generation::Older;
    let status = |it: &Workspace| if older { it.step.of_workspace() } else { it.step.of_task() };
    for (key, value) in &words {
        if key == "status" && !older && !STATUSES.contains(&value.as_str()) {
            let detail = format!("Query param \"status\" has invalid value: {value:?}");
            return Err(invalid("Invalid task search query.", "status", &detail));
        }
    }
    let generation = world.generation;
    let fits = |it: &Workspace| {
        let fits = |(key, value): &(String, String)| match key.as_str() {
            "owner" => user(value).is_some_and(|owner| owner.id == it.owner.id),
            "status" => status(it) == value,
            "name" => it.name.contains(value.as_str()),
            _ => it.template.organization.name == value,
        };
        it.task.is_some() && words.iter().all(fits)
    };
    let found = world.workspaces.iter_mut().filter(|it| fits(it));
    let texts: Vec<_> = found.map(|it| text(generation, it)).collect();
    listed("tasks", &texts, texts.len())
}

/// The JSON of a task, made once for each change of it.
pub(super) fn text(generation: Generation, it: &mut Workspace) -> Arc<str> {
    if let Some(text) = &it.texts.task {
        return text.clone();
    }
    let text: Arc<str> = shown(generation, it).to_string().into();
    it.texts.task = Some(text.clone());
    text
}

fn create(world: &mut World, owner: &str, body: &Value) -> Answered {
    let owner = user(owner).ok_or_else(not_found)?;
    let older = world.generation == Generation::Older;
    let input = body[if older { "prompt" } else { "input" }].as_str().unwrap_or_default();
    let id = body["template_version_id"].as_str().unwrap_or_default();
    let Some((template, version)) = templates::version(id) else {
        return Err(not_found());
    };
    if !version.has_ai_task {
        return Err(refused(400, "Template does not have a valid \"coder_ai_task\" resource."));
    }
    if !older && input.is_empty() {
        return Err(invalid(
            "Validation failed.",
            "input",
            "Validation failed for tag \"required\"",
        ));
    }
    let named = body["name"].as_str().unwrap_or_default();
    let task_id = world.id("7a5c");
    let short = task_id.split_at(task_id.len() - 4).1;
    let name = if named.is_empty() { format!("task-{short}") } else { named.to_owned() };
    let display_name = body["display_name"].as_str().filter(|it| !it.is_empty());
    let display_name = display_name.unwrap_or(input).to_owned();
    let made = workspaces::made(world, owner, &name, template, version, body)?;
    let mut workspace = made;
    let entry = Entry { kind: "input", content: input.to_owned(), time: world.now };
    workspace.log.push(entry);
    workspace.task = Some(Task { id: task_id, display_name, prompt: input.to_owned() });
    let place = workspaces::place(world, workspace, Life::Completes.into());
    Ok(Answer::json(201, &shown(world.generation, &world.workspaces[place])))
}

fn send(world: &mut World, place: usize, body: &Value) -> Answered {
    let input = body["input"].as_str().unwrap_or_default().to_owned();
    if input.is_empty() {
        return Err(refused(400, "Task input is required."));
    }
    let not_ready = if world.generation == Generation::Older { 502 } else { 409 };
    let workspace = &world.workspaces[place];
    match workspace.step.of_task() {
        "paused" => return Err(refused(409, "Task is paused.")),
        "pending" | "initializing" => return Err(refused(409, "Task is initializing.")),
        "active" if !matches!(workspace.step, Step::Working(_)) => {}
        _ => return Err(refused(not_ready, "Task app is not ready to accept input.")),
    }
    let now = world.pass();
    let workspace = &mut world.workspaces[place];
    workspace.log.push(Entry { kind: "input", content: input, time: now });
    workspace.enter(Step::Working("Going on"), now);
    if workspace.steps.is_empty() {
        workspace.steps.push_back(Step::Complete("Done again"));
    }
    Ok(Answer::empty(204))
}

fn change_input(workspace: &mut Workspace, body: &Value) -> Answered {
    if workspace.step.of_task() != "paused" {
        return Err(refused(409, "Unable to update task input, task must be paused."));
    }
    if let (Some(task), Some(input)) = (&mut workspace.task, body["input"].as_str()) {
        input.clone_into(&mut task.prompt);
        workspace.texts = Texts::default();
    }
    Ok(Answer::empty(204))
}

fn pause(world: &mut World, owner: &str, task: &str) -> Answered {
    let place = find(world, owner, task)?;
    if world.workspaces[place].step.of_task() == "paused" {
        return Err(refused(409, "Task is already paused."));
    }
    builds::free(&world.workspaces[place])?;
    world.build(place, "stop", vec![Step::Stopping, Step::Stopped]);
    under_way(world, place, "task_manual_pause")
}

fn resume(world: &mut World, owner: &str, task: &str) -> Answered {
    let place = find(world, owner, task)?;
    if world.workspaces[place].step != Step::Stopped {
        return Err(refused(409, "Task is not paused."));
    }
    let steps = world.next_steps.pop_front().unwrap_or_else(|| Life::Completes.into());
    world.build(place, "start", steps);
    under_way(world, place, "task_resume")
}

fn under_way(world: &mut World, place: usize, reason: &str) -> Answered {
    let workspace = &mut world.workspaces[place];
    if let Some(build) = workspace.builds.last_mut() {
        reason.clone_into(&mut build.reason);
    }
    Ok(Answer::json(202, &json!({"workspace_build": builds::latest(workspace)})))
}

/// A task as its generation tells of it.
pub(super) fn shown(generation: Generation, it: &Workspace) -> Value {
    let Some(task) = &it.task else { return Value::Null };
    let agent = it.step.agent();
    let placed = it.step != Step::Unplaced;
    let workspace_id = placed.then_some(&it.id);
    let health = agent.map(|(_, _, wrong)| builds::health(wrong));
    let state = it.step.said().map(|(state, message)| {
        json!({"timestamp": moment(it.said), "state": state, "message": message, "uri": ""})
    });
    let mut shown = json!({
        "id": task.id, "organization_id": it.template.organization.id, "owner_id": it.owner.id,
        "owner_name": it.owner.name, "name": it.name, "template_id": it.template.id,
        "template_name": it.template.name, "template_display_name": it.template.display_name,
        "template_icon": "", "workspace_id": workspace_id,
        "workspace_agent_id": agent.map(|_| &it.agent_id),
        "workspace_agent_lifecycle": agent.map(|(_, lifecycle, _)| lifecycle),
        "workspace_agent_health": health, "initial_prompt": task.prompt,
        "status": it.step.of_workspace(), "current_state": state,
        "created_at": moment(it.created), "updated_at": moment(it.updated),
    });
    if generation == Generation::Older {
        return shown;
    }
    shown["status"] = it.step.of_task().into();
    shown["display_name"] = task.display_name.as_str().into();
    shown["template_version_id"] = it.version.id.into();
    shown["workspace_app_id"] = agent.map(|_| it.agent_id.replace("a9e7", "a442")).into();
    shown["workspace_name"] = if placed { it.name.as_str() } else { "" }.into();
    if placed {
        shown["workspace_status"] = it.step.of_workspace().into();
        shown["workspace_build_number"] = it.builds.len().into();
    }
    shown
}
