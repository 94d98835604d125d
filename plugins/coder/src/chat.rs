//! A chat with one of Coder's own agents, which Coder has in place of tasks since 2.37.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::agent::{Agent, Status, known};

/// The label by which a job finds its chat again.
pub(crate) const MARK: &str = "windlass-job";

/// A chat, as Coder tells of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Chat {
    pub(crate) id: String,
    owner_username: Option<String>,
    owner_name: Option<String>,
    owner_id: Option<String>,
    title: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) workspace_id: Option<String>,
    agent_id: Option<String>,
    pub(crate) last_error: Option<ChatError>,
    pub(crate) last_turn_summary: Option<String>,
    summary: Option<String>,
    pub(crate) archived: bool,
    labels: BTreeMap<String, String>,
    created_at: Option<String>,
    updated_at: Option<String>,
}

/// Why a chat stopped.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ChatError {
    pub(crate) message: String,
    detail: String,
    kind: String,
}

impl Chat {
    /// Whether it was made for this job.
    pub(crate) fn is_marked(&self, job: &str) -> bool {
        self.labels.get(MARK).is_some_and(|marked| marked == job)
    }

    /// Why it stopped, if it failed.
    pub(crate) fn failure(&self) -> Option<String> {
        let error = self.last_error.as_ref()?;
        let parts = [error.message.as_str(), error.detail.as_str()];
        let told: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Some(if told.is_empty() { error.kind.clone() } else { told.join(": ") })
    }

    /// Who it belongs to, by each name that Coder has for them.
    pub(crate) fn owners(&self) -> [Option<&str>; 3] {
        [self.owner_username.as_deref(), self.owner_name.as_deref(), self.owner_id.as_deref()]
    }

    fn fleet_status(&self) -> Status {
        match self.status.as_deref() {
            _ if self.archived => Status::Stopped,
            Some("running" | "interrupting") => Status::Busy,
            // A client of Coder's has to do something for it.
            Some("waiting" | "requires_action") => Status::Idle,
            Some("error") => Status::Error,
            _ => Status::Offline,
        }
    }
}

impl From<Chat> for Agent {
    fn from(chat: Chat) -> Self {
        let status = chat.fleet_status();
        let failure = chat.failure();
        let user = chat.owner_username.or(chat.owner_name).or(chat.owner_id);
        Self {
            id: chat.id,
            user: user.unwrap_or_default(),
            workspace_id: chat.workspace_id,
            workspace_name: None,
            status,
            created_at: chat.created_at,
            last_activity_at: chat.updated_at.clone(),
            updated_at: chat.updated_at,
            capabilities: Vec::new(),
            current_assignment: chat.title.clone(),
            // It runs within Coder, with a workspace or without.
            connected: matches!(status, Status::Busy | Status::Idle),
            metadata: known(
                "chat",
                [
                    ("title", chat.title),
                    ("chat_status", chat.status),
                    ("agent_id", chat.agent_id),
                    ("message", failure.or(chat.last_turn_summary).or(chat.summary)),
                ],
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(chat: Value, expected: Status) {
        let agent = Agent::from(serde_json::from_value::<Chat>(chat).unwrap());
        assert_eq!(agent.status, expected);
    }

    #[test]
    fn what_a_chat_is_to_the_fleet() {
        check(json!({"status": "running"}), Status::Busy);
        check(json!({"status": "interrupting"}), Status::Busy);
        check(json!({"status": "waiting"}), Status::Idle);
        check(json!({"status": "requires_action"}), Status::Idle);
        check(json!({"status": "error"}), Status::Error);
        check(json!({"status": "waiting", "archived": true}), Status::Stopped);
        check(json!({}), Status::Offline);
    }

    #[test]
    fn a_chat_says_why_it_failed() {
        let chat = json!({
            "id": "1", "owner_username": "ann", "title": "Fix it", "status": "error", "workspace_id": null,
            "last_error": {"kind": "auth", "message": "No key.", "detail": "ask an admin"},
        });
        let agent = Agent::from(serde_json::from_value::<Chat>(chat).unwrap());
        assert_eq!((agent.user.as_str(), agent.connected), ("ann", false));
        assert_eq!(agent.metadata["message"], "No key.: ask an admin");
    }
}
