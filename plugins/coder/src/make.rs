//! A new agent: what a deployment has for it is chosen, all of it is checked, and then it is made, once.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass_sdk::{Error, Result};

use crate::{
    agent::Agent,
    ask::Coder,
    chat::{Chat, MARK},
    error::{self, About, Trouble, once},
    find::User,
    message::Text,
    offer::Offer,
    order::Order,
    path::encoded,
    task::Task,
    template::{Parameter, Preset, Template, check_values},
    workspace::Workspace,
};

/// The parameter by which a workspace of the first generation is told what to do.
const PROMPT: &str = "AI Prompt";

/// What is to be said to Coder, so that there is an agent.
pub(crate) struct Plan {
    /// To be made before, for what follows.
    workspace: Option<(String, Value)>,
    path: String,
    body: Value,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Task,
    Chat,
    Workspace,
}

/// A template with all that an order says of it.
struct Chosen {
    template: Template,
    presets: Vec<Preset>,
    preset: Option<Preset>,
    values: BTreeMap<String, String>,
    parameters: Vec<Parameter>,
}

/// Makes what is ordered, marked for a job if it is for one. `begin` is called when all is checked.
pub(crate) fn make(
    coder: &Coder,
    order: &Order,
    mark: Option<&str>,
    begin: impl Fn() -> Result<(), Error>,
) -> Result<Agent, Error> {
    let plan = Plan::of(coder, order)?.marked(mark);
    begin()?;
    match plan.carry_out(coder) {
        // What was remembered of the deployment is not so any more. Nothing was made by who found no way.
        Err((trouble, None)) if trouble.is_no_route() => {
            coder.found_out().map_err(|trouble| trouble.about(About::Part))?;
            let plan = Plan::of(coder, order)?.marked(mark);
            plan.carry_out(coder).or_else(Plan::told)
        }
        made => made.or_else(Plan::told),
    }
}

/// The query that finds what was marked.
pub(crate) fn mark_of(job: &str) -> String {
    encoded(&format!("{MARK}:{job}"))
}

impl Plan {
    /// Fails where it cannot be made as it is wanted. Nothing has been made then.
    pub(crate) fn of(coder: &Coder, order: &Order) -> Result<Self, Error> {
        order.check()?;
        let offer = coder.offered(|offer| Ok(offer.clone()));
        let offer = offer.map_err(|trouble| trouble.about(About::Part))?;
        match (&offer.tasks, &offer.chats) {
            (Some(place), _) => Self::task(coder, order, &offer, place),
            (None, Some(place)) => Self::chat(coder, order, place),
            (None, None) => Self::workspace(coder, order),
        }
    }

    fn task(coder: &Coder, order: &Order, offer: &Offer, place: &str) -> Result<Self, Error> {
        let mut chosen = Chosen::of(coder, order)?;
        chosen.settle_for_preset()?;
        order.check_is_free(coder)?;
        let prompt = order.prompt.trim();
        let mut body = json!({
            "template_version_id": chosen.template.active_version_id,
            "input": prompt,
            "name": order.workspace_name.trim(),
        });
        if offer.is_older() {
            // The first of that generation call it so, and overlook what they do not know.
            body["prompt"] = prompt.into();
        }
        if let Some(preset) = &chosen.preset {
            body["template_version_preset_id"] = preset.id.clone().into();
        }
        let path = format!("{place}/{}", encoded(&order.user));
        Ok(Self { workspace: None, path, body, kind: Kind::Task })
    }

    /// A chat goes on in the workspace of that name; where there is none, it gets one from the template, or none at all.
    fn chat(coder: &Coder, order: &Order, place: &str) -> Result<Self, Error> {
        let owner = User::me(coder).map_err(|trouble| trouble.about(About::Part))?;
        if order.user != "me" && order.user != owner.username && order.user != owner.id {
            let message = format!(
                "chats belong to the owner of the session token: `user` is `me` or `{}`",
                owner.username
            );
            return Err(error::of_field("user", message));
        }
        let mut body = json!({"content": Text::new(order.prompt.trim()), "client_type": "api"});
        let (mut organization, mut workspace) = (owner.organization_ids.first().cloned(), None);
        match coder.get::<Workspace>(&order.workspace()?) {
            Ok(found) => {
                order.check_says_nothing("the workspace of that name is there already")?;
                body["workspace_id"] = found.id.into();
                organization =
                    Some(found.organization_id).filter(|it| !it.is_empty()).or(organization);
            }
            Err(trouble) if !trouble.is_missing() => return Err(trouble.about(About::Template)),
            Err(_) if order.template_name.is_none() => {
                order.check_says_nothing(
                    "there is no such workspace, and no template is named for one",
                )?;
            }
            Err(_) => {
                let chosen = Chosen::of(coder, order)?;
                chosen.check()?;
                organization = Some(chosen.template.organization_id.clone());
                workspace = Some((chosen.path(order), chosen.body(order)));
            }
        }
        let message = "the owner of the session token is in no organization of this Coder";
        body["organization_id"] =
            organization.ok_or_else(|| error::of_field("user", message))?.into();
        Ok(Self { workspace, path: place.to_owned(), body, kind: Kind::Chat })
    }

    fn workspace(coder: &Coder, order: &Order) -> Result<Self, Error> {
        let mut chosen = Chosen::of(coder, order)?;
        if !chosen.parameters.iter().any(|it| it.name == PROMPT) {
            let message = format!(
                "this Coder has neither tasks nor chats, and template `{}` has no parameter `{PROMPT}`: nobody there would read the prompt",
                chosen.template.name
            );
            return Err(error::of_field("template_name", message));
        }
        chosen.values.insert(PROMPT.to_owned(), order.prompt.trim().to_owned());
        chosen.check()?;
        order.check_is_free(coder)?;
        let (path, body) = (chosen.path(order), chosen.body(order));
        Ok(Self { workspace: None, path, body, kind: Kind::Workspace })
    }

    /// So that it is found again by the job that it is made for. Tasks and workspaces have their name.
    fn marked(mut self, job: Option<&str>) -> Self {
        if let Some(job) = job.filter(|_| self.kind == Kind::Chat) {
            self.body["labels"] = json!({MARK: job});
        }
        self
    }

    /// Makes it. Where that fails, a workspace that was made for it is named.
    fn carry_out(mut self, coder: &Coder) -> Result<Agent, (Trouble, Option<String>)> {
        let mut workspace = None;
        if let Some((path, body)) = &self.workspace {
            let made = coder.post(path, body).map_err(|trouble| (trouble, None))?;
            workspace = made["id"].as_str().map(str::to_owned);
            self.body["workspace_id"] = made["id"].clone();
        }
        let made = coder.post(&self.path, &self.body);
        let agent = made.and_then(|made| {
            let read = match self.kind {
                Kind::Task => serde_json::from_value::<Task>(made).map(Agent::from),
                Kind::Chat => serde_json::from_value::<Chat>(made).map(Agent::from),
                Kind::Workspace => serde_json::from_value::<Workspace>(made).map(Agent::from),
            };
            read.map_err(|_| Trouble::Unreadable)
        });
        agent.map_err(|trouble| (trouble, workspace))
    }

    fn told((trouble, workspace): (Trouble, Option<String>)) -> Result<Agent, Error> {
        let told = once::<Agent>(Err(trouble), About::Template);
        let Some(workspace) = workspace else { return told };
        told.map_err(|error| {
            let mut details = error.known();
            details.insert("workspace_id".to_owned(), workspace.clone().into());
            let message = format!(
                "{}; the workspace `{workspace}` was made for it, and stays",
                error.message
            );
            Error::new(error.code, message).with_details(&details)
        })
    }
}

impl Chosen {
    fn of(coder: &Coder, order: &Order) -> Result<Self, Error> {
        let template = Template::named(coder, order.template_name.as_deref())?;
        template.check(coder)?;
        let presets = template.presets(coder)?;
        let values = order.values()?;
        let preset = Preset::named(&presets, order.preset.as_deref())?;
        // The usual one is not for who wants something else.
        let preset = preset.filter(|it| order.preset.is_some() || it.agrees_with(&values)).cloned();
        let parameters = template.parameters(coder)?;
        Ok(Self { template, presets, preset, values, parameters })
    }

    fn check(&self) -> Result<(), Error> {
        check_values(&self.parameters, &self.values, self.preset.as_ref())
    }

    /// Coder's tasks take presets and no parameters: what is given has to be what a preset or the template says.
    fn settle_for_preset(&mut self) -> Result<(), Error> {
        self.parameters.retain(|parameter| parameter.name != PROMPT);
        self.check()?;
        if self.has(self.preset.as_ref()) {
            return Ok(());
        }
        let Some(preset) = self.presets.iter().find(|preset| self.has(Some(preset))) else {
            let names: Vec<_> = self.presets.iter().map(|it| it.name.clone()).collect();
            let message = format!(
                "tasks of this Coder take presets and no parameters, and no preset of template `{}` has these values: there are {}",
                self.template.name,
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            );
            return Err(error::of_choice("rich_parameters", message, &names));
        };
        self.preset = Some(preset.clone());
        Ok(())
    }

    /// Whether all that was given is so with this preset.
    fn has(&self, preset: Option<&Preset>) -> bool {
        let preset = preset.map(Preset::values).unwrap_or_default();
        let usual = |name: &str| {
            let found = self.parameters.iter().find(|parameter| parameter.name == name);
            found.map(|parameter| parameter.default_value.as_str())
        };
        let is_so = |(name, value): (&String, &String)| {
            preset.get(name.as_str()).copied().or_else(|| usual(name)) == Some(value.as_str())
        };
        self.values.iter().all(is_so)
    }

    fn path(&self, order: &Order) -> String {
        format!("/api/v2/users/{}/workspaces", encoded(&order.user))
    }

    fn body(&self, order: &Order) -> Value {
        let values = self.values.iter().map(|(name, value)| json!({"name": name, "value": value}));
        let mut body = json!({
            "name": order.workspace_name.trim(),
            "template_version_id": self.template.active_version_id,
            "rich_parameter_values": values.collect::<Vec<_>>(),
        });
        if let Some(preset) = &self.preset {
            body["template_version_preset_id"] = preset.id.clone().into();
        }
        body
    }
}
