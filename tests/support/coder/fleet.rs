//! Thousands of agents at once.

use super::{
    catalogue::{ORGANIZATIONS, TASKS},
    chats::Chat,
    life::{Step, Turn},
    tasks, workspaces,
    world::{ANN, BOB, Entry, Generation, Task, World},
};

/// What the tasks of a fleet are at, in turn.
const STEPS: [Step; 10] = [
    Step::Working("Reading code"),
    Step::Working("Writing the change"),
    Step::Idle("Waiting for input"),
    Step::Complete("Done"),
    Step::Failed("The tests do not pass"),
    Step::Stopped,
    Step::Starting,
    Step::Pending,
    Step::BuildFailed("terraform apply: exit status 1"),
    Step::Lost,
];

/// How many tasks in a row are one user's: more than there are kinds, so that either has all.
const IN_A_ROW: usize = 10;

/// The same for chats, in the order of `STEPS`.
const TURNS: [Turn; 5] =
    [Turn::Running, Turn::Waiting, Turn::Fails("Overloaded"), Turn::RequiresAction, Turn::Fresh];

impl World {
    /// As many agents as it is told, and nothing else: tasks, or chats where there are no tasks.
    pub(super) fn fill(&mut self, agents: usize) {
        self.workspaces.clear();
        self.chats.clear();
        for number in 0..agents {
            match self.generation {
                Generation::Chats => self.fill_chat(number),
                _ => self.fill_task(number),
            }
        }
    }

    /// The texts are made here, so that no request pays for them.
    fn fill_task(&mut self, number: usize) {
        let owner = if (number / IN_A_ROW).is_multiple_of(2) { ANN } else { BOB };
        let name = format!("agent-{number}");
        let prompt = format!("Do what {name} says");
        let step = STEPS[number % STEPS.len()].clone();
        let workspace = self.workspace(owner, &name, &TASKS, &TASKS.versions[0]);
        self.workspaces.push(workspace);
        self.build(number, if step == Step::Stopped { "stop" } else { "start" }, vec![step]);
        let id = self.id("7a5c");
        let workspace = &mut self.workspaces[number];
        let entry = Entry { kind: "input", content: prompt.clone(), time: workspace.created };
        workspace.log.insert(0, entry);
        workspace.task = Some(Task { id, display_name: format!("Task {name}"), prompt });
        tasks::text(self.generation, workspace);
        workspaces::text(workspace);
    }

    fn fill_chat(&mut self, number: usize) {
        let prompt = format!("Do what agent-{number} says");
        let chat = self.chat(ORGANIZATIONS[0].id, prompt);
        self.chats.push(Chat { turn: TURNS[number % TURNS.len()].clone(), ..chat });
    }
}
