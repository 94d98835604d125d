//! An agent that somebody names: a task where there are tasks, else a chat, else a workspace.

use serde::Deserialize;

use crate::{
    agent::Agent,
    ask::Coder,
    chat::Chat,
    error::{Refusal, Trouble},
    offer::Offer,
    path::{is_id, step},
    task::Task,
    workspace::Workspace,
};

/// An agent as a caller names it.
#[derive(Clone, Copy)]
pub(crate) struct Name<'a> {
    pub(crate) user: &'a str,
    pub(crate) id: &'a str,
}

#[derive(Clone, Copy)]
enum Kind {
    Task,
    Chat,
    Workspace,
}

/// Who the token belongs to.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) organization_ids: Vec<String>,
}

impl User {
    pub(crate) fn me(coder: &Coder) -> Result<Self, Trouble> {
        coder.get("/api/v2/users/me")
    }
}

/// What may be behind a name.
pub(crate) enum Place {
    /// A task, by the path that it would have.
    Task(String),
    /// A chat that is there, and its path.
    Chat(String, Box<Chat>),
    /// A workspace that is there.
    Workspace(Box<Workspace>),
}

impl Name<'_> {
    /// Does something with the first that is there. What is not there says so.
    pub(crate) fn first<T>(
        &self,
        coder: &Coder,
        mut act: impl FnMut(&Place) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let user = step("user", self.user).map_err(Trouble::Unanswered)?;
        let id = step("agent_id", self.id).map_err(Trouble::Unanswered)?;
        coder.offered(|offer| {
            let mut missed = None;
            let mut routeless = None;
            for kind in [Kind::Task, Kind::Chat, Kind::Workspace] {
                let Some(place) = self.place(coder, offer, kind, (&user, &id)).transpose() else {
                    continue;
                };
                let tried = place.and_then(|place| act(&place));
                match tried {
                    Err(trouble) if trouble.is_no_route() => {
                        routeless.get_or_insert(trouble);
                    }
                    Err(trouble) if trouble.is_unknown() => {
                        missed.get_or_insert(trouble);
                    }
                    done => return done,
                }
            }
            Err(routeless.or(missed).unwrap_or_else(nowhere))
        })
    }

    /// What is known of it.
    pub(crate) fn agent(&self, coder: &Coder) -> Result<Agent, Trouble> {
        self.first(coder, |place| match place {
            Place::Task(path) => coder.get::<Task>(path).map(Agent::from),
            Place::Chat(_, chat) => Ok(Agent::from((**chat).clone())),
            Place::Workspace(workspace) => Ok(Agent::from((**workspace).clone())),
        })
    }

    /// What may be there of this kind. The name stands in paths as it is given beside.
    fn place(
        &self,
        coder: &Coder,
        offer: &Offer,
        kind: Kind,
        (user, id): (&str, &str),
    ) -> Result<Option<Place>, Trouble> {
        match kind {
            Kind::Task => {
                let place = offer.tasks.as_ref();
                Ok(place.map(|place| Place::Task(format!("{place}/{user}/{id}"))))
            }
            Kind::Chat => {
                // Chats have no names.
                let Some(place) = offer.chats.as_ref().filter(|_| is_id(id)) else {
                    return Ok(None);
                };
                let path = format!("{place}/{id}");
                let chat: Chat = coder.get(&path)?;
                self.owns(coder, &chat.owners())?;
                Ok(Some(Place::Chat(path, Box::new(chat))))
            }
            Kind::Workspace if is_id(id) => {
                let workspace: Workspace = coder.get(&format!("/api/v2/workspaces/{id}"))?;
                self.owns(coder, &[Some(&workspace.owner_name), Some(&workspace.owner_id)])?;
                Ok(Some(Place::Workspace(Box::new(workspace))))
            }
            Kind::Workspace => {
                let path = format!("/api/v2/users/{user}/workspace/{id}");
                coder.get(&path).map(|workspace| Some(Place::Workspace(Box::new(workspace))))
            }
        }
    }

    /// Fails where it is somebody else's: what has an id is found whoever is named with it.
    fn owns(&self, coder: &Coder, owners: &[Option<&str>]) -> Result<(), Trouble> {
        let is_owner =
            |name: &str| owners.iter().flatten().any(|owner| owner.eq_ignore_ascii_case(name));
        let is_theirs = if self.user == "me" {
            let me = User::me(coder)?;
            is_owner(&me.id) || is_owner(&me.username)
        } else {
            is_owner(self.user)
        };
        if is_theirs { Ok(()) } else { Err(nowhere()) }
    }
}

/// As Coder would say it.
pub(crate) fn nowhere() -> Trouble {
    let message = "Resource not found or you do not have access to this resource".to_owned();
    Trouble::Refused(Refusal { status: 404, message, retry_after: None })
}
