//! Thousands of tasks at once.

use super::{
    catalogue::TASKS,
    life::Step,
    tasks, workspaces,
    world::{ANN, BOB, Entry, Task, World},
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

impl World {
    /// The texts of all are made here, so that no request pays for them.
    pub(super) fn fill(&mut self, tasks: usize) {
        self.workspaces.clear();
        for number in 0..tasks {
            let owner = if (number / IN_A_ROW).is_multiple_of(2) { ANN } else { BOB };
            let name = format!("agent-{number}");
            let prompt = format!("Do what {name} says");
            let workspace = self.workspace(owner, &name, &TASKS, &TASKS.versions[0]);
            self.workspaces.push(workspace);
            self.build(number, "start", vec![STEPS[number % STEPS.len()].clone()]);
            let id = self.id("7a5c");
            let workspace = &mut self.workspaces[number];
            let entry = Entry { kind: "input", content: prompt.clone(), time: workspace.created };
            workspace.log.insert(0, entry);
            workspace.task = Some(Task { id, display_name: format!("Task {name}"), prompt });
            tasks::text(self.generation, workspace);
            workspaces::text(workspace);
        }
    }
}
