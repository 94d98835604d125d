//! `get_fleet_status_metrics`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Hints, Result, Tool, clock};

use crate::{
    LOOKS,
    agent::{Status, Tasks},
    api::Coder,
};

/// Counts the agents of the fleet by status, and tells how busy and how healthy it is.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct GetFleetStatusMetrics {}

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

impl Tool for GetFleetStatusMetrics {
    const NAME: &'static str = "get_fleet_status_metrics";
    const TITLE: Option<&'static str> = Some("Get the fleet's status");
    const HINTS: Hints = LOOKS;
    type Output = FleetStatus;

    fn run(self, call: &Call) -> Result<FleetStatus> {
        let tasks: Tasks = Coder::of(call)?.list("")?;
        let statuses: Vec<_> = tasks.agents().iter().map(|agent| agent.status).collect();
        Ok(measure(&statuses, clock::now()))
    }
}

fn measure(statuses: &[Status], now: u64) -> FleetStatus {
    let count = |wanted: Status| statuses.iter().filter(|status| **status == wanted).count();
    let (total, busy) = (statuses.len(), count(Status::Busy));
    let (offline, error) = (count(Status::Offline), count(Status::Error));
    let unhealthy = offline + error;
    FleetStatus {
        total_agents: total,
        agents_running: count(Status::Running),
        agents_idle: count(Status::Idle),
        agents_busy: busy,
        agents_offline: offline,
        agents_error: error,
        agents_stopped: count(Status::Stopped),
        total_active_tasks: busy,
        fleet_utilization: share(busy, total).unwrap_or(0.0),
        unhealthy_agents: unhealthy,
        healthy_percentage: share(total - unhealthy, total).unwrap_or(1.0),
        computed_at: clock::iso(now),
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
        let fleet = measure(&[Busy, Busy, Idle, Running, Stopped, Error, Offline, Busy], 0);
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
        let fleet = measure(&[], 0);
        assert!(fleet.fleet_utilization == 0.0 && fleet.healthy_percentage == 1.0, "{fleet:?}");
    }
}
