//! What a deployment offers: found out once, remembered for a while, and found out anew where it is not so any more.

use serde::{Deserialize, Serialize, de::IgnoredAny};
use windlass_sdk::memory;

use crate::{ask::Coder, body::Body, error::Trouble};

/// Where tasks are since Coder 2.29, and where they were before.
const TASKS: [&str; 2] = ["/api/v2/tasks", OLDER_TASKS];
const OLDER_TASKS: &str = "/api/experimental/tasks";
/// Where chats are since Coder 2.37, and where they were before.
const CHATS: [&str; 2] = ["/api/v2/chats", "/api/experimental/chats"];
/// How long it is believed. Deployments are upgraded, and switch things on.
const BELIEVED_MS: u64 = 3_600_000;

/// What there is besides workspaces, which every deployment has.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The path of all tasks.
    pub(crate) tasks: Option<String>,
    /// The path of all chats.
    pub(crate) chats: Option<String>,
}

impl Offer {
    /// Whether its tasks are those of the first generation, which show the status of their workspace.
    pub(crate) fn is_older(&self) -> bool {
        self.tasks.as_deref() == Some(OLDER_TASKS)
    }
}

impl Coder {
    /// Does something with what the deployment offers. Whatever finds no way in it must not have done anything.
    pub(crate) fn offered<T>(
        &self,
        mut act: impl FnMut(&Offer) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let Some(offer) = self.remembered() else { return act(&self.found_out()?) };
        match act(&offer) {
            // Whoever does not know the way has not done anything.
            Err(trouble) if trouble.is_no_route() => {
                let known = self.found_out()?;
                if (&known.tasks, &known.chats) == (&offer.tasks, &offer.chats) {
                    return Err(trouble);
                }
                act(&known)
            }
            done => done,
        }
    }

    fn remembered(&self) -> Option<Offer> {
        serde_json::from_str(&memory::recall(&self.key())?).ok()
    }

    /// Asks it anew what it offers.
    pub(crate) fn found_out(&self) -> Result<Offer, Trouble> {
        // What stands in the place of a Coder that is away may have an answer to everything else.
        self.get::<IgnoredAny>("/api/v2/buildinfo")
            .map_err(|trouble| if trouble.is_missing() { Trouble::Unreadable } else { trouble })?;
        let offer = Offer {
            tasks: self.place(&TASKS, "?q=owner%3Ame", |_| false)?,
            // Coder forbids chats to whoever has no role for them.
            chats: self.place(&CHATS, "?limit=1", |status| status == 403)?,
        };
        if let Ok(text) = serde_json::to_string(&offer) {
            memory::remember(&self.key(), &text, BELIEVED_MS);
        }
        Ok(offer)
    }

    /// The first of these places that is there.
    fn place(
        &self,
        places: &[&str],
        query: &str,
        is_absence: impl Fn(u16) -> bool,
    ) -> Result<Option<String>, Trouble> {
        for place in places {
            let asked = self.read(&format!("{place}{query}"), |body| match body {
                body @ Body::Whole(_) => body.parse::<IgnoredAny>().map(drop),
                // It is there, and more than has to be read.
                Body::Long(_) => Ok(()),
            });
            match asked {
                Ok(()) => return Ok(Some((*place).to_owned())),
                Err(trouble)
                    if trouble.is_missing() || trouble.status().is_some_and(&is_absence) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(None)
    }

    fn key(&self) -> String {
        // What it offers depends on who asks.
        format!("offer of {} for {}", self.target.url, self.target.token)
    }
}
