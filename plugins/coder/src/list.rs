//! `list_all_agents`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{Call, Hints, Result, Tool};

use crate::{
    LOOKS,
    agent::{Agent, Status, Wanted},
    ask::Coder,
    error::{self, About},
    path::step,
    roster::Roster,
};

/// How many agents one answer has where nobody says.
const USUAL: usize = 100;
/// An answer of much more would be none: the host lets through so much. The rest is on the next page.
const MOST_BYTES: usize = 2 << 20;
/// What an agent has beside what it was told, about.
const AGENT_BYTES: usize = 1 << 10;

/// Lists the agents of the fleet: who owns each, its status, its workspace and what it was told to do.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ListAllAgents {
    /// Only agents with this status: running, idle, busy, offline, error or stopped.
    status: Option<String>,
    /// Only agents of this user: a name, or `me`.
    user: Option<String>,
    /// At most so many agents, 100 where nothing is said.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<usize>,
    /// Where to go on: `next_cursor` of the answer before.
    cursor: Option<String>,
    /// Which Coder, where the configuration names more than one.
    deployment: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Agents {
    result: Vec<Agent>,
    /// How many there are on all pages.
    total: usize,
    /// Where the next page begins. Absent: this is the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// One page of those that are wanted.
#[derive(Clone)]
struct Page {
    skip: usize,
    limit: usize,
    total: usize,
    agents: Vec<Agent>,
    bytes: usize,
}

impl Tool for ListAllAgents {
    const NAME: &'static str = "list_all_agents";
    const TITLE: Option<&'static str> = Some("List all agents");
    const HINTS: Hints = LOOKS;
    type Output = Agents;

    fn run(self, call: &Call) -> Result<Agents> {
        let coder = Coder::of(call, self.deployment.as_deref())?;
        let empty = self.page()?;
        let Some(wanted) = self.wanted()? else { return Ok(empty.shown()) };
        let page = coder.offered(|offer| {
            let roster = Roster { coder: &coder, offer, wanted: &wanted, add: Page::add };
            roster.add_up(empty.clone())
        });
        Ok(page.map_err(|trouble| trouble.about(About::Part))?.shown())
    }
}

impl ListAllAgents {
    /// None: nobody has such a status.
    fn wanted(&self) -> Result<Option<Wanted>> {
        if let Some(user) = &self.user {
            step("user", user)?;
        }
        let user = self.user.clone();
        Ok(match &self.status {
            None => Some(Wanted { user, status: None }),
            Some(name) => Status::named(name).map(|status| Wanted { user, status: Some(status) }),
        })
    }

    fn page(&self) -> Result<Page> {
        let skip = match &self.cursor {
            None => 0,
            Some(cursor) => cursor.parse().map_err(|_| {
                let message = "`cursor` is no `next_cursor` of an answer before";
                error::of_field("cursor", message)
            })?,
        };
        let limit = self.limit.unwrap_or(USUAL);
        Ok(Page { skip, limit, total: 0, agents: Vec::new(), bytes: 0 })
    }
}

impl Page {
    fn add(&mut self, agent: Agent) {
        let is_full = self.agents.len() >= self.limit || self.bytes > MOST_BYTES;
        if self.total >= self.skip && !is_full {
            self.bytes += AGENT_BYTES + agent.current_assignment.as_ref().map_or(0, String::len);
            self.agents.push(agent);
        }
        self.total += 1;
    }

    fn shown(self) -> Agents {
        let next = self.skip + self.agents.len();
        let next_cursor = (next < self.total).then(|| next.to_string());
        Agents { result: self.agents, total: self.total, next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(skip: usize, limit: usize, expected: (usize, Option<&str>)) {
        let mut page = Page { skip, limit, total: 0, agents: Vec::new(), bytes: 0 };
        (0..5).for_each(|_| page.add(Agent::default()));
        let shown = page.shown();
        assert_eq!((shown.result.len(), shown.next_cursor.as_deref()), expected);
        assert_eq!(shown.total, 5);
    }

    #[test]
    fn a_page_says_where_the_next_one_begins() {
        check(0, 2, (2, Some("2")));
        check(2, 2, (2, Some("4")));
        check(4, 2, (1, None));
        check(0, 5, (5, None));
        check(0, 9, (5, None));
    }
}
