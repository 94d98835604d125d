//! An agent that somebody names: a task where there are tasks, else a chat, else a workspace.

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
            for kind in [task, chat, workspace] {
                let tried = match kind(coder, offer, &user, &id, self) {
                    Some(Ok(place)) => act(&place),
                    Some(Err(trouble)) => Err(trouble),
                    None => continue,
                };
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

    fn owns(&self, names: &[Option<&str>]) -> Result<(), Trouble> {
        let same = |name: &Option<&str>| name.is_some_and(|it| it.eq_ignore_ascii_case(self.user));
        if self.user == "me" || names.iter().any(same) { Ok(()) } else { Err(nowhere()) }
    }
}

type Tried = Option<Result<Place, Trouble>>;

fn task(_: &Coder, offer: &Offer, user: &str, id: &str, _: &Name<'_>) -> Tried {
    offer.tasks.as_ref().map(|place| Ok(Place::Task(format!("{place}/{user}/{id}"))))
}

/// Chats have no names.
fn chat(coder: &Coder, offer: &Offer, _: &str, id: &str, name: &Name<'_>) -> Tried {
    let place = offer.chats.as_ref().filter(|_| is_id(id))?;
    let path = format!("{place}/{id}");
    let found = coder.get::<Chat>(&path).and_then(|chat| {
        name.owns(&chat.owners())?;
        Ok(Place::Chat(path, Box::new(chat)))
    });
    Some(found)
}

fn workspace(coder: &Coder, _: &Offer, user: &str, id: &str, name: &Name<'_>) -> Tried {
    let found = if is_id(id) {
        coder.get::<Workspace>(&format!("/api/v2/workspaces/{id}"))
    } else {
        coder.get::<Workspace>(&format!("/api/v2/users/{user}/workspace/{id}"))
    };
    Some(found.and_then(|workspace| {
        name.owns(&[Some(workspace.owner_name.as_str()), Some(workspace.owner_id.as_str())])?;
        Ok(Place::Workspace(Box::new(workspace)))
    }))
}

/// As Coder would say it.
pub(crate) fn nowhere() -> Trouble {
    let message = "Resource not found or you do not have access to this resource".to_owned();
    Trouble::Refused(Refusal { status: 404, message, retry_after: None })
}
