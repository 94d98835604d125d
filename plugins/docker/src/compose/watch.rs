//! Waiting until containers are as they should be, told by lists alone.

use std::collections::BTreeSet;

use windlass_sdk::{
    Error, clock,
    engine::{self, LogWish, Restart, State, Wellness},
    types::Code,
};

use super::{
    found::{self, Found},
    plan::{Condition, Plan},
};
use crate::{error::coded, logs::whole};

/// Between two looks.
const PAUSE_MS: u32 = 100;
/// A container whose health nobody asks for is taken to run when it did so for so long.
const STEADY_MS: u64 = 300;
/// As much of its output as an error repeats.
const LAST_LINES: u32 = 20;
const LAST_BYTES: u32 = 4 << 10;

/// How a container is, for whoever waits.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Ready,
    NotYet(&'static str),
    Failed(String),
}

/// What is waited for.
pub(crate) struct Goal {
    pub(crate) service: String,
    pub(crate) condition: Condition,
    /// Whether it is a failure where it does not come to that.
    pub(crate) is_needed: bool,
}

/// Looks at the containers of a project until a time.
pub(crate) struct Watch<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) until: u64,
}

impl Watch<'_> {
    /// Waits until the containers of some services are as each of their conditions has it. Those of `fresh` were just started.
    pub(crate) fn wait(
        &self,
        goals: &[Goal],
        fresh: &BTreeSet<String>,
        mut tell: impl FnMut(usize, usize, &str),
    ) -> Result<(), Error> {
        let mut ready_since = None;
        while !goals.is_empty() {
            let found = found::of_project(&self.plan.project)?;
            let mut waiting = Vec::new();
            let mut is_steady = true;
            for Goal { service, condition, is_needed } in goals {
                let is_own = |it: &&Found| it.service == *service && self.is_current(it);
                if found.iter().filter(is_own).count() < self.replicas(service) {
                    waiting.push(format!("a container of `{service}` is not there"));
                }
                for it in found.iter().filter(is_own) {
                    match verdict(it, *condition, self.restart(service)) {
                        Verdict::Ready => {
                            let unasked = it.summary.wellness.is_none() && it.runs();
                            is_steady &= !(unasked && fresh.contains(&it.name));
                        }
                        Verdict::NotYet(why) => waiting.push(format!("`{}` {why}", it.name)),
                        // Nobody needs it so much that all would have to wait for it.
                        Verdict::Failed(_) if !is_needed => {}
                        Verdict::Failed(why) => return Err(failed(it, &why)),
                    }
                }
            }
            let now = clock::now();
            ready_since = ready_since.filter(|_| waiting.is_empty());
            if waiting.is_empty() {
                let since = *ready_since.get_or_insert(now);
                if is_steady || now.saturating_sub(since) >= STEADY_MS {
                    return Ok(());
                }
            }
            if now >= self.until {
                return Err(late(&waiting));
            }
            tell(
                found.len().saturating_sub(waiting.len()),
                found.len(),
                waiting.first().map_or("", |it| it),
            );
            clock::sleep(PAUSE_MS);
        }
        Ok(())
    }

    /// Whether it is one of those that the plan wants, and not one that is about to go.
    fn is_current(&self, found: &Found) -> bool {
        let service = self.plan.service(&found.service);
        service.is_some_and(|it| it.container(&self.plan.project, found.number) == found.name)
    }

    fn replicas(&self, service: &str) -> usize {
        self.plan.service(service).map_or(0, |it| it.replicas as usize)
    }

    fn restart(&self, service: &str) -> Restart {
        self.plan.service(service).map_or(Restart::Never, |it| it.spec.restart)
    }
}

fn verdict(found: &Found, condition: Condition, restart: Restart) -> Verdict {
    let exited = || match found.exit_code() {
        Some(code) => format!("ended with exit code {code}"),
        None => format!("ended: {}", found.summary.status),
    };
    match (found.summary.state, condition) {
        (State::Created, _) => Verdict::NotYet("is about to start"),
        (State::Restarting, _) => Verdict::NotYet("starts again and again"),
        (State::Running | State::Paused, Condition::Completed) => Verdict::NotYet("is at work"),
        (State::Running | State::Paused, _) => match found.summary.wellness {
            Some(Wellness::Healthy) => Verdict::Ready,
            Some(Wellness::Starting) => Verdict::NotYet("is not healthy yet"),
            Some(Wellness::Unhealthy) => Verdict::Failed("is unhealthy".to_owned()),
            None if condition == Condition::Healthy => Verdict::Failed(
                "has no health check, and another service waits for its health".to_owned(),
            ),
            None => Verdict::Ready,
        },
        // What does its work once may be done with it already.
        (State::Exited, Condition::Started | Condition::Completed)
            if found.exit_code() == Some(0)
                && matches!(restart, Restart::Never | Restart::OnFailure(_)) =>
        {
            Verdict::Ready
        }
        (State::Exited, _) => Verdict::Failed(exited()),
        (State::Removing, _) => Verdict::Failed("is being removed".to_owned()),
        (State::Dead, _) => Verdict::Failed("is dead".to_owned()),
    }
}

/// Why a container is not as it should be, with the last that it said.
fn failed(found: &Found, why: &str) -> Error {
    let wish = LogWish {
        stdout: true,
        stderr: true,
        tail: Some(LAST_LINES),
        since: None,
        until: None,
        timestamps: false,
        most_bytes: LAST_BYTES,
    };
    let said = engine::logs(&found.id, wish).map(|it| whole(&it)).unwrap_or_default();
    let health = || engine::inspect(&found.id).ok().and_then(|it| it.health_said);
    let mut message = format!("the container `{}` {why}", found.name);
    if found.summary.wellness == Some(Wellness::Unhealthy)
        && let Some(said) = health().filter(|it| !it.trim().is_empty())
    {
        message.push_str(&format!("; its check said: {}", said.trim()));
    }
    if !said.trim().is_empty() {
        message.push_str(&format!("; its last lines:\n{}", said.trim_end()));
    }
    let details = serde_json::json!({"error_code": "DOCKER_ERROR", "container": found.name, "service": found.service});
    Error::failed(message).with_details(&details)
}

fn late(waiting: &[String]) -> Error {
    let who = if waiting.is_empty() {
        "its containers do not run steadily".to_owned()
    } else {
        waiting.join(", ")
    };
    coded(
        "TIMEOUT",
        Error::new(
            Code::Timeout,
            format!(
                "the stack was not there in time: {who}: give more in `timeout_s`, or see `compose-logs`"
            ),
        ),
    )
}

#[cfg(test)]
mod tests {
    use windlass_sdk::engine::Summary;

    use super::*;

    fn found(state: State, wellness: Option<Wellness>, status: &str) -> Found {
        let summary = Summary {
            id: "1".to_owned(),
            name: "p-web-1".to_owned(),
            image: String::new(),
            image_id: String::new(),
            command: String::new(),
            created: 0,
            state,
            wellness,
            status: status.to_owned(),
            ports: Vec::new(),
            addresses: Vec::new(),
            labels: Vec::new(),
        };
        Found {
            id: "1".to_owned(),
            name: "p-web-1".to_owned(),
            service: "web".to_owned(),
            number: 1,
            hash: String::new(),
            needs: Vec::new(),
            summary,
        }
    }

    #[test]
    fn a_container_is_ready_when_its_condition_holds() {
        use Condition::{Completed, Healthy, Started};
        let running = |wellness| found(State::Running, wellness, "Up");
        let ended =
            |code: i64| found(State::Exited, None, &format!("Exited ({code}) 1 second ago"));
        let is_ready = |found: &Found, condition, restart| {
            verdict(found, condition, restart) == Verdict::Ready
        };
        assert!(is_ready(&running(None), Started, Restart::Never));
        assert!(is_ready(&running(Some(Wellness::Healthy)), Healthy, Restart::Never));
        assert!(is_ready(&ended(0), Completed, Restart::Never));
        assert!(is_ready(&ended(0), Started, Restart::Never));
        let fails = |found: &Found, condition, restart| {
            matches!(verdict(found, condition, restart), Verdict::Failed(_))
        };
        assert!(fails(&ended(1), Started, Restart::Never));
        assert!(fails(&ended(0), Started, Restart::Always));
        assert!(fails(&ended(0), Healthy, Restart::Never));
        assert!(fails(&running(None), Healthy, Restart::Never));
        assert!(fails(&running(Some(Wellness::Unhealthy)), Started, Restart::Never));
        let waits = |found: &Found, condition| {
            matches!(verdict(found, condition, Restart::Never), Verdict::NotYet(_))
        };
        assert!(waits(&running(Some(Wellness::Starting)), Started));
        assert!(waits(&running(None), Completed));
        assert!(waits(&found(State::Restarting, None, ""), Started));
    }
}
