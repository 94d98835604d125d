//! Builds of workspaces, the agents that they bring, and their logs.

use serde_json::{Value, json};

use super::{
    answer::{Answer, Answered, no_route, not_found, refused},
    life::Step,
    logs,
    query::Query,
    wire::Request,
    world::{ANN, Build, Workspace, World, moment},
};

/// `/workspacebuilds/{id}` and what is below it.
pub(super) fn builds(
    world: &mut World,
    request: &Request,
    rest: &[&str],
    query: &Query,
) -> Answered {
    let (id, below) = rest.split_first().ok_or_else(no_route)?;
    let has = |it: &Workspace| it.builds.iter().position(|build| build.id == *id);
    let found = world.workspaces.iter().enumerate().find_map(|(at, it)| has(it).map(|n| (at, n)));
    let (place, number) = found.ok_or_else(not_found)?;
    match (request.method.as_str(), below) {
        ("GET", []) => Ok(Answer::json(200, &shown(world.advance(place), number))),
        ("GET", ["logs"]) => logs::of_build(&world.workspaces[place], number, query),
        ("GET", ["parameters"]) => {
            let value = |(name, value): &(String, String)| json!({"name": name, "value": value});
            let values = world.workspaces[place].parameters.iter().map(value).collect::<Value>();
            Ok(Answer::json(200, &values))
        }
        ("GET", ["resources"]) => {
            let build = shown(&world.workspaces[place], number);
            Ok(Answer::json(200, &build["resources"]))
        }
        ("PATCH", ["cancel"]) => cancel(world, place, number, query.get("expect_status")),
        _ => Err(no_route()),
    }
}

fn cancel(world: &mut World, place: usize, number: usize, expected: &str) -> Answered {
    let now = world.pass();
    let workspace = &mut world.workspaces[place];
    let step = step_of(workspace, number);
    if !expected.is_empty() && step.of_job() != expected {
        return Err(refused(412, "Job is not in the expected state."));
    }
    if !step.builds() {
        return Err(refused(400, "Job has already completed!"));
    }
    workspace.steps.clear();
    workspace.enter(Step::BuildCanceled, now);
    Ok(Answer::json(200, &json!({"message": "Job has been marked as canceled..."})))
}

/// `/workspaceagents/{id}` and what is below it.
pub(super) fn agents(
    world: &mut World,
    request: &Request,
    rest: &[&str],
    query: &Query,
) -> Answered {
    let (id, below) = rest.split_first().ok_or_else(no_route)?;
    let fits = |it: &&Workspace| it.agent_id == *id && it.step != Step::Deleted;
    let many = world.many_lines.get(*id).copied();
    let workspace = world.workspaces.iter().find(fits).ok_or_else(not_found)?;
    match (request.method.as_str(), below) {
        ("GET", []) => {
            shown_agent(workspace).map(|it| Answer::json(200, &it)).ok_or_else(not_found)
        }
        ("GET", ["logs"]) => logs::of_agent(workspace, many, query),
        _ => Err(no_route()),
    }
}

/// Refuses while a build goes on.
pub(super) fn free(workspace: &Workspace) -> Result<(), Answer> {
    if workspace.step.builds() {
        return Err(refused(409, "A workspace build is already active."));
    }
    Ok(())
}

pub(super) fn latest(workspace: &Workspace) -> Value {
    shown(workspace, workspace.builds.len() - 1)
}

/// Where a build is: the last one is where its workspace is.
fn step_of(it: &Workspace, number: usize) -> &Step {
    it.builds[number].ended.as_ref().unwrap_or(&it.step)
}

pub(super) fn shown(it: &Workspace, number: usize) -> Value {
    let build = &it.builds[number];
    let step = step_of(it, number);
    let ended = build.ended.is_some();
    let agents: Vec<_> = shown_agent(it).filter(|_| !ended).into_iter().collect();
    let resource = json!({
        "id": it.agent_id.replace("a9e7", "4e50"), "created_at": moment(build.created),
        "job_id": job_id(build), "workspace_transition": build.transition,
        "type": "docker_container", "name": "workspace", "hide": false, "icon": "",
        "daily_cost": 0, "agents": agents,
    });
    let there = step.of_job() == "succeeded" && build.transition == "start";
    json!({
        "id": build.id, "created_at": moment(build.created), "updated_at": moment(it.updated),
        "workspace_id": it.id, "workspace_name": it.name, "workspace_owner_id": it.owner.id,
        "workspace_owner_name": it.owner.name, "template_version_id": it.version.id,
        "template_version_name": it.version.name, "build_number": number + 1,
        "transition": build.transition, "initiator_id": ANN.id, "initiator_name": ANN.name,
        "job": job(it, build, step), "reason": build.reason,
        "resources": if there { json!([resource]) } else { json!([]) },
        "deadline": null, "max_deadline": null, "status": step.of_workspace(), "daily_cost": 0,
        "template_version_preset_id": it.preset, "has_ai_task": it.task.is_some(),
        "has_external_agent": false, "matched_provisioners":
            {"count": 1, "available": 1, "most_recently_seen": moment(build.created)},
    })
}

fn job_id(build: &Build) -> String {
    build.id.replace("b01d", "000b")
}

fn job(it: &Workspace, build: &Build, step: &Step) -> Value {
    let mut job = json!({
        "id": job_id(build), "created_at": moment(build.created), "status": step.of_job(),
        "file_id": it.template.id, "tags": {"owner": "", "scope": "organization"},
        "queue_position": 0, "queue_size": 0, "organization_id": it.template.organization.id,
        "initiator_id": ANN.id, "input": {"workspace_build_id": build.id},
        "type": "workspace_build", "logs_overflowed": false,
        "metadata": {
            "template_version_name": it.version.name, "template_id": it.template.id,
            "template_name": it.template.name, "template_display_name": it.template.display_name,
            "template_icon": "", "workspace_id": it.id, "workspace_name": it.name,
        },
    });
    if step.of_job() != "pending" {
        job["started_at"] = moment(build.created + 1).into();
        job["worker_id"] = "30a4e400-0000-4000-8000-000000000001".into();
    }
    if !step.builds() {
        job["completed_at"] = moment(it.updated).into();
    }
    if let Step::BuildFailed(error) = step {
        job["error"] = (*error).into();
    }
    job
}

pub(super) fn health(wrong: Option<&str>) -> Value {
    match wrong {
        Some(reason) => json!({"healthy": false, "reason": reason}),
        None => json!({"healthy": true}),
    }
}

pub(super) fn shown_agent(it: &Workspace) -> Option<Value> {
    let (status, lifecycle, wrong) = it.step.agent()?;
    let mut agent = json!({
        "id": it.agent_id, "parent_id": null, "created_at": moment(it.created),
        "updated_at": moment(it.updated), "status": status, "lifecycle_state": lifecycle,
        "name": "main", "resource_id": it.agent_id.replace("a9e7", "4e50"),
        "architecture": "amd64", "environment_variables": {}, "operating_system": "linux",
        "logs_length": 0, "logs_overflowed": false, "directory": "/home/coder",
        "expanded_directory": "/home/coder", "version": "v2.36.0", "api_version": "2.0",
        "apps": [], "connection_timeout_seconds": 120, "troubleshooting_url": "",
        "subsystems": [], "health": health(wrong), "display_apps": [], "log_sources": [],
        "scripts": [], "startup_script_behavior": "non-blocking",
    });
    if status != "connecting" {
        agent["first_connected_at"] = moment(it.created + 30).into();
        agent["last_connected_at"] = moment(it.updated).into();
        agent["started_at"] = moment(it.created + 31).into();
        agent["ready_at"] = moment(it.created + 40).into();
    }
    if status == "disconnected" {
        agent["disconnected_at"] = moment(it.updated).into();
    }
    Some(agent)
}
