//! `get_fleet_status_metrics`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Hints, Result, Tool, clock};

use crate::{
    LOOKS,
    agent::{Agent, Status, Wanted},
    ask::Coder,
    error::About,
    roster::Roster,
};

/// Counts the agents of the fleet by status, and tells how busy and how healthy it is.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetFleetStatusMetrics {
    /// Which Coder, where the configuration names more than one.
    deployment: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema, PartialEq)]
pub(crate) struct FleetStatus {
    total_agents: usize,
    agents_running: usize,
    agents_idle: usize,
    agents_busy: usize,
    agents_offline: usize,
    agents_error: usize,
    agents_stopped: usize,
    total_active_tasks: usize,
    /// The share of agents that are busy, from 0 to 1.
    fleet_utilization: f64,
    /// Those in error, and those offline.
    unhealthy_agents: usize,
    /// The share of agents that are neither in error nor offline, from 0 to 1.
    healthy_percentage: f64,
    computed_at: String,
}

/// How many agents have each status.
#[derive(Clone, Default)]
struct Counts {
    running: usize,
    idle: usize,
    busy: usize,
    offline: usize,
    error: usize,
    stopped: usize,
}

impl Tool for GetFleetStatusMetrics {
    const NAME: &'static str = "get_fleet_status_metrics";
    const TITLE: Option<&'static str> = Some("Get the fleet's status");
    const HINTS: Hints = LOOKS;
    type Output = FleetStatus;

    fn run(self, call: &Call) -> Result<FleetStatus> {
        let coder = Coder::of(call, self.deployment.as_deref())?;
        let wanted = Wanted::default();
        let add = |counts: &mut Counts, agent: Agent| counts.add(agent.status);
        let counts = coder.offered(|offer| {
            let roster = Roster { coder: &coder, offer, wanted: &wanted, add };
            roster.add_up(Counts::default())
        });
        let counts = counts.map_err(|trouble| trouble.about(About::Part))?;
        Ok(counts.measured(clock::now()))
    }
}

impl Counts {
    fn add(&mut self, status: Status) {
        let count = match status {
            Status::Running => &mut self.running,
            Status::Idle => &mut self.idle,
            Status::Busy => &mut self.busy,
            Status::Offline => &mut self.offline,
            Status::Error => &mut self.error,
            Status::Stopped => &mut self.stopped,
        };
        *count += 1;
    }

    fn measured(self, now: u64) -> FleetStatus {
        let Self { running, idle, busy, offline, error, stopped } = self;
        let total = running + idle + busy + offline + error + stopped;
        let unhealthy = offline + error;
        FleetStatus {
            total_agents: total,
            agents_running: running,
            agents_idle: idle,
            agents_busy: busy,
            agents_offline: offline,
            agents_error: error,
            agents_stopped: stopped,
            total_active_tasks: busy,
            fleet_utilization: share(busy, total).unwrap_or(0.0),
            unhealthy_agents: unhealthy,
            healthy_percentage: share(total - unhealthy, total).unwrap_or(1.0),
            computed_at: clock::iso(now),
        }
    }
}

/// None of none is neither all nor nothing.
#[allow(clippy::cast_precision_loss, reason = "no fleet is so large")]
fn share(some: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| some as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_is_counted() {
        use Status::{Busy, Error, Idle, Offline, Running, Stopped};
        let mut counts = Counts::default();
        for status in [Busy, Busy, Idle, Running, Stopped, Error, Offline, Busy] {
            counts.add(status);
        }
        let fleet = counts.measured(0);
        let expected = FleetStatus {
            total_agents: 8,
            agents_running: 1,
            agents_idle: 1,
            agents_busy: 3,
            agents_offline: 1,
            agents_error: 1,
            agents_stopped: 1,
            total_active_tasks: 3,
            fleet_utilization: 0.375,
            unhealthy_agents: 2,
            healthy_percentage: 0.75,
            computed_at: "1970-01-01T00:00:00.000Z".to_owned(),
        };
        assert_eq!(fleet, expected);
    }

    #[test]
    fn a_fleet_of_none_is_idle_and_healthy() {
        let fleet = Counts::default().measured(0);
        assert!(fleet.fleet_utilization == 0.0 && fleet.healthy_percentage == 1.0, "{fleet:?}");
    }
}
