//! Logs of tasks, agents and builds. Those of a million lines are made while they are sent.

use serde_json::{Value, json};

use super::{
    answer::{Answer, Answered, refused},
    life::Step,
    query::Query,
    world::{Entry, Generation, Workspace, World, moment},
};

/// Where the lines of an agent come from.
const SOURCE: &str = "50a4ce00-0000-4000-8000-000000000001";

/// How often an agent's line is an error, and how often a warning.
const ERROR_EVERY: u64 = 1_000;
const WARNING_EVERY: u64 = 100;

pub(super) fn of_task(world: &mut World, place: usize) -> Answered {
    let older = world.generation == Generation::Older;
    let workspace = &world.workspaces[place];
    let status = workspace.step.of_task();
    let snapshot = matches!(status, "paused" | "pending" | "initializing");
    if older && status != "active" {
        let what = if status == "paused" { "paused" } else { "not ready" };
        return Err(refused(409, &format!("Task is {what}.")));
    }
    if !snapshot && status != "active" {
        return Err(refused(409, "Cannot fetch logs for task in current state."));
    }
    let task = workspace.task.as_ref().map_or("", |task| task.id.as_str());
    if let Some(lines) = world.many_lines.get(task) {
        return Ok(Answer::pieces(wrapped("{\"logs\":[", 0..*lines, conversation, "]}")));
    }
    let entry = |(id, it): (usize, &Entry)| json!({"id": id, "content": it.content, "type": it.kind, "time": moment(it.time)});
    let logs: Value = workspace.log.iter().enumerate().map(entry).collect();
    let mut answer = json!({"logs": logs});
    if snapshot {
        answer["snapshot"] = true.into();
        answer["snapshot_at"] = moment(workspace.updated).into();
    }
    Ok(Answer::json(200, &answer))
}

pub(super) fn of_agent(workspace: &Workspace, many: Option<u64>, query: &Query) -> Answered {
    let lines = many.unwrap_or_else(|| workspace.log.len() as u64 + 2);
    let (after, before) = (query.number("after", 0)?, query.number("before", u64::MAX)?);
    let ids = after.saturating_add(1)..before.min(lines + 1);
    if many.is_some() {
        return Ok(Answer::pieces(wrapped("[", ids, agent_line, "]")));
    }
    let log = &workspace.log;
    let line = |id: u64| {
        let said = usize::try_from(id).ok().and_then(|id| log.get(id.checked_sub(3)?));
        let output = match id {
            1 => "Starting the agent",
            2 => "The agent is ready",
            _ => said.map_or("", |it| it.content.as_str()),
        };
        let time = said.map_or(workspace.created + id, |it| it.time);
        json!({"id": id, "created_at": moment(time), "level": "info", "output": output, "source_id": SOURCE})
    };
    Ok(Answer::json(200, &ids.map(line).collect()))
}

pub(super) fn of_build(workspace: &Workspace, number: usize, query: &Query) -> Answered {
    let (after, before) = (query.number("after", 0)?, query.number("before", u64::MAX)?);
    let build = &workspace.builds[number];
    let step = build.ended.as_ref().unwrap_or(&workspace.step);
    let mut lines = vec![("info", "Setting up", ""), ("debug", "Planning", "terraform plan")];
    match step {
        Step::BuildFailed(error) => lines.push(("error", "Applying", error)),
        _ if step.of_job() == "succeeded" => lines.push(("info", "Cleaning Up", "")),
        _ => {}
    }
    let line = |(id, (level, stage, output)): (u64, (&str, &str, &str))| {
        json!({
            "id": id, "created_at": moment(build.created + id), "log_source": "provisioner",
            "log_level": level, "stage": stage, "output": output,
        })
    };
    let lines = (1..).zip(lines).filter(|(id, _)| *id > after && *id < before).map(line);
    Ok(Answer::json(200, &lines.collect()))
}

/// A list with a comma between all that it holds.
fn wrapped(
    open: &'static str,
    ids: std::ops::Range<u64>,
    line: fn(u64) -> String,
    close: &'static str,
) -> impl Iterator<Item = String> + Send + 'static {
    let first = ids.start;
    let lines = ids.map(move |id| if id == first { line(id) } else { format!(",{}", line(id)) });
    std::iter::once(open.to_owned()).chain(lines).chain(std::iter::once(close.to_owned()))
}

fn conversation(id: u64) -> String {
    let kind = if id == 0 { "input" } else { "output" };
    let time = moment(id);
    format!(
        r#"{{"id":{id},"content":"line {id} of a long conversation","type":"{kind}","time":"{time}"}}"#
    )
}

fn agent_line(id: u64) -> String {
    let level = match id {
        _ if id.is_multiple_of(ERROR_EVERY) => "error",
        _ if id.is_multiple_of(WARNING_EVERY) => "warn",
        _ => "info",
    };
    let time = moment(id);
    format!(
        r#"{{"id":{id},"created_at":"{time}","level":"{level}","output":"line {id} of a long log","source_id":"{SOURCE}"}}"#
    )
}
