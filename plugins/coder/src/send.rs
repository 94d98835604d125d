//! `send_input_to_agent`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_sdk::{Call, Error, Hints, Result, Tool};

use crate::{
    ask::Coder,
    error::{self, About, Trouble, once},
    find::{Name, Place},
    message::Text,
};

/// More belongs into a file.
const LONGEST_INPUT: usize = 256 << 10;

/// Says something to an agent that waits for it, or interrupts nothing where it is at work: it hears it afterwards.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct SendInputToAgent {
    /// Who owns the agent: a name, an id, or `me`.
    user: String,
    /// The agent's id, or the name of its task.
    agent_id: String,
    /// What it is told.
    input_text: String,
    /// Which Coder, where the configuration names more than one.
    deployment: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Said {
    success: bool,
    data: Value,
    message: String,
}

impl Said {
    pub(crate) fn new(data: Value, message: String) -> Self {
        Self { success: true, data, message }
    }
}

impl Tool for SendInputToAgent {
    const NAME: &'static str = "send_input_to_agent";
    const TITLE: Option<&'static str> = Some("Send input to an agent");
    const HINTS: Hints = Hints::OPEN_WORLD;
    type Output = Said;

    fn run(self, call: &Call) -> Result<Said> {
        let coder = Coder::of(call, self.deployment.as_deref())?;
        let input = self.input()?;
        let name = Name { user: &self.user, id: &self.agent_id };
        let said = name.first(&coder, |place| match place {
            Place::Task(path) => coder.post(&format!("{path}/send"), &json!({"input": input})),
            Place::Chat(path, _) => {
                let body = json!({"content": Text::new(input), "busy_behavior": "queue"});
                let said = coder.post(&format!("{path}/messages"), &body)?;
                Ok(json!({"status": "sent", "queued": said["queued"] == true}))
            }
            Place::Workspace(_) => Err(Trouble::Unanswered(error::not_here(
                "it is a workspace without a task or a chat: nobody in it would hear this",
            ))),
        });
        let said = once(said, About::Agent)?;
        let data = if said.is_null() { json!({"status": "sent"}) } else { said };
        Ok(Said::new(data, format!("Input sent to agent {}", self.agent_id)))
    }
}

impl SendInputToAgent {
    fn input(&self) -> Result<&str, Error> {
        let input = self.input_text.trim();
        match input.len() {
            0 => Err(error::of_field("input_text", "`input_text` is empty: say something")),
            1..=LONGEST_INPUT => Ok(input),
            length => {
                let message = format!("`input_text` has {length} bytes, more than {LONGEST_INPUT}");
                Err(error::of_field("input_text", message))
            }
        }
    }
}
