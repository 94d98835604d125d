//! All agents of a deployment, one after another, however many there are.

use crate::{
    agent::{Agent, Status, Wanted},
    ask::Coder,
    chat::Chat,
    error::Trouble,
    offer::Offer,
    path::encoded,
    task::Task,
    workspace::Workspace,
};

/// How many workspaces or chats are asked for at a time.
const PAGE: usize = 200;
/// Who gives fewer has no more: a Coder may give less than it is asked for, but hardly less than this.
const SMALLEST_PAGE: usize = 25;

/// Adds up all agents that are wanted. The sum must not grow with the fleet.
///
/// What breaks off in the middle is asked for again and added to the sum as it was before.
pub(crate) struct Roster<'a, S> {
    pub(crate) coder: &'a Coder,
    pub(crate) offer: &'a Offer,
    pub(crate) wanted: &'a Wanted,
    pub(crate) add: fn(&mut S, Agent),
}

impl<S: Clone> Roster<'_, S> {
    /// Tasks and chats are agents; where a deployment has neither, workspaces are.
    pub(crate) fn add_up(&self, sum: S) -> Result<S, Trouble> {
        let (tasks, chats) = (self.offer.tasks.as_deref(), self.offer.chats.as_deref());
        if tasks.is_none() && chats.is_none() {
            return self.paged::<Workspace>("/api/v2/workspaces", "workspaces", sum);
        }
        let sum = match tasks {
            Some(place) => self.tasks(place, sum)?,
            None => sum,
        };
        self.chats(sum)
    }

    fn tasks(&self, place: &str, sum: S) -> Result<S, Trouble> {
        let status = match self.wanted.status {
            _ if self.offer.is_older() => None,
            Some(Status::Busy) => Some("active"),
            Some(Status::Stopped) => Some("paused"),
            _ => None,
        };
        let query = query(self.owner(!self.offer.is_older()), status);
        let query = if query.is_empty() { query } else { format!("?q={query}") };
        let listed = self.read::<Task>(&format!("{place}{query}"), "tasks", &sum);
        match listed {
            Ok((sum, _)) => Ok(sum),
            // Coder does not look for tasks of somebody whom it does not know.
            Err(trouble) if trouble.status() == Some(400) && self.names_somebody() => Ok(sum),
            Err(trouble) => Err(trouble),
        }
    }

    /// Chats alone.
    pub(crate) fn chats(&self, sum: S) -> Result<S, Trouble> {
        match self.offer.chats.as_deref() {
            Some(place) => self.paged::<Chat>(place, "chats", sum),
            None => Ok(sum),
        }
    }

    fn paged<T>(&self, place: &str, field: &'static str, mut sum: S) -> Result<S, Trouble>
    where
        T: serde::de::DeserializeOwned + Into<Agent>,
    {
        let is_chat = field == "chats";
        let status = match self.wanted.status {
            Some(Status::Busy) => Some("running"),
            _ => None,
        };
        // Whoever has chats sees only their own.
        let query = if is_chat { String::new() } else { query(self.owner(true), status) };
        let query = if query.is_empty() { query } else { format!("q={query}&") };
        let (mut offset, mut before) = (0, None);
        loop {
            let path = format!("{place}?{query}limit={PAGE}&offset={offset}");
            let (added, page) = self.read::<T>(&path, field, &sum)?;
            // Whoever does not know of pages gives the same again.
            if page.first.is_some() && page.first == before {
                return Ok(sum);
            }
            sum = added;
            offset += page.count;
            let is_last = match page.total {
                Some(total) => page.count == 0 || offset as u64 >= total,
                None => page.count < SMALLEST_PAGE,
            };
            if is_last {
                return Ok(sum);
            }
            before = page.first;
        }
    }

    fn read<T>(&self, path: &str, field: &'static str, sum: &S) -> Result<(S, Page), Trouble>
    where
        T: serde::de::DeserializeOwned + Into<Agent>,
    {
        self.coder.read(path, |body| {
            let (mut sum, mut page) = (sum.clone(), Page::default());
            page.total = body.each(field, &mut |found: T| {
                let agent = found.into();
                page.count += 1;
                page.first.get_or_insert_with(|| agent.id.clone());
                if self.wanted.admits(&agent) {
                    (self.add)(&mut sum, agent);
                }
            })?;
            Ok((sum, page))
        })
    }

    fn names_somebody(&self) -> bool {
        self.owner(true).is_some_and(|user| user != "me")
    }

    /// The owner as Coder is asked for them. Those of the first generation know `me` and nobody else.
    fn owner(&self, by_name: bool) -> Option<&str> {
        self.wanted.user.as_deref().filter(|user| by_name || *user == "me")
    }
}

#[derive(Default)]
struct Page {
    count: usize,
    /// How many there are on all pages, where Coder says so.
    total: Option<u64>,
    first: Option<String>,
}

/// The words of Coder's own search, as part of a query.
fn query(owner: Option<&str>, status: Option<&str>) -> String {
    let owner =
        owner.map(
            |owner| {
                if owner == "me" { "owner:me".to_owned() } else { format!("owner:\"{owner}\"") }
            },
        );
    let status = status.map(|status| format!("status:\"{status}\""));
    let words: Vec<_> = owner.into_iter().chain(status).collect();
    encoded(&words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::query;

    #[test]
    fn coder_is_asked_in_its_own_words() {
        assert_eq!(query(None, None), "");
        assert_eq!(query(Some("me"), None), "owner%3Ame");
        assert_eq!(query(Some("ann"), Some("active")), "owner%3A%22ann%22%20status%3A%22active%22");
    }
}
