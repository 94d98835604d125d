//! The lives of tasks, workspaces and chats: one step after another, and what each is called.

/// Where a workspace is, and the task in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A task whose workspace is not there yet.
    Unplaced,
    /// The build waits.
    Pending,
    /// The build runs.
    Building,
    /// The build is done, and the agent connects.
    Starting,
    /// The agent is there, and nobody has said what it does.
    Ready,
    Working(&'static str),
    Idle(&'static str),
    Complete(&'static str),
    Failed(&'static str),
    /// The agent was there, and is not reached any more.
    Lost,
    BuildFailed(&'static str),
    BuildCanceled,
    Stopping,
    Stopped,
    Deleting,
    Deleted,
}

/// Lives that tests often want.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Life {
    Completes,
    Idles,
    Fails,
    StaysWorking,
    StaysInitializing,
    BuildFails,
}

/// What a chat does with what it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It has not begun: the status is that of one that has ended.
    Fresh,
    Running,
    /// It runs, and says this.
    Says(&'static str),
    /// It runs, and calls this tool, which answers.
    Calls(&'static str),
    Interrupting,
    Waiting,
    RequiresAction,
    /// It ends with this message of the error.
    Fails(&'static str),
}

impl From<Life> for Vec<Step> {
    fn from(life: Life) -> Self {
        let mut steps = vec![Step::Pending, Step::Building];
        steps.extend(match life {
            Life::BuildFails => vec![Step::BuildFailed("terraform apply: exit status 1")],
            Life::StaysInitializing => vec![Step::Starting],
            Life::StaysWorking => vec![Step::Starting, Step::Working("Reading code")],
            Life::Completes => works(Step::Complete("Done")),
            Life::Idles => works(Step::Idle("Waiting for input")),
            Life::Fails => works(Step::Failed("The tests do not pass")),
        });
        steps
    }
}

fn works(end: Step) -> Vec<Step> {
    vec![Step::Starting, Step::Working("Reading code"), Step::Working("Writing the change"), end]
}

/// The life of a workspace without a task.
pub(super) fn plain() -> Vec<Step> {
    vec![Step::Pending, Step::Building, Step::Starting, Step::Ready]
}

/// What a chat does if nobody says otherwise.
pub(super) fn answers() -> Vec<Turn> {
    let said = [Turn::Says("I read the code."), Turn::Says("Done.")];
    [vec![Turn::Fresh, Turn::Running], said.to_vec(), vec![Turn::Waiting]].concat()
}

impl Step {
    pub(super) fn of_workspace(&self) -> &'static str {
        match self {
            Self::Unplaced | Self::Pending => "pending",
            Self::Building => "starting",
            Self::BuildFailed(_) => "failed",
            Self::BuildCanceled => "canceled",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            _ => "running",
        }
    }

    pub(super) fn of_job(&self) -> &'static str {
        match self {
            Self::Unplaced | Self::Pending => "pending",
            Self::Building | Self::Stopping | Self::Deleting => "running",
            Self::BuildFailed(_) => "failed",
            Self::BuildCanceled => "canceled",
            _ => "succeeded",
        }
    }

    pub(super) fn of_task(&self) -> &'static str {
        match self {
            Self::Unplaced | Self::Pending => "pending",
            Self::Building | Self::Starting => "initializing",
            Self::BuildFailed(_) => "error",
            Self::Stopped | Self::Deleted => "paused",
            Self::Lost | Self::BuildCanceled | Self::Stopping | Self::Deleting => "unknown",
            _ => "active",
        }
    }

    /// What the agent in it last said: its state, and its words.
    pub(super) fn said(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Working(message) => Some(("working", message)),
            Self::Idle(message) => Some(("idle", message)),
            Self::Complete(message) => Some(("complete", message)),
            Self::Failed(message) => Some(("failed", message)),
            _ => None,
        }
    }

    /// The agent's connection, its lifecycle, and what is wrong with it. None: there is none.
    pub(super) fn agent(&self) -> Option<(&'static str, &'static str, Option<&'static str>)> {
        match self {
            Self::Starting => Some(("connecting", "starting", Some("agent has not yet connected"))),
            Self::Lost => Some(("disconnected", "ready", Some("agent has lost connection"))),
            _ => (self.of_task() == "active").then_some(("connected", "ready", None)),
        }
    }

    /// Whether a build goes on.
    pub(super) fn builds(&self) -> bool {
        matches!(self.of_job(), "pending" | "running")
    }
}

impl Turn {
    pub(super) fn status(&self) -> &'static str {
        match self {
            Self::Fresh | Self::Waiting => "waiting",
            Self::Running | Self::Says(_) | Self::Calls(_) => "running",
            Self::Interrupting => "interrupting",
            Self::RequiresAction => "requires_action",
            Self::Fails(_) => "error",
        }
    }
}
