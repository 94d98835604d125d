//! All that a Coder has, and how it moves on.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{
    catalogue::{TASKS, Template, Version},
    chats::Chat,
    life::{Step, Turn},
};

/// Which of Coder's generations it is: what it has, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    /// Up to 2.28: tasks below `/api/experimental`, whose status is their workspace's.
    Older,
    /// 2.29 to 2.36: tasks below `/api/v2`, chats below `/api/experimental`.
    Tasks,
    /// Since 2.37: chats below `/api/v2`, and no tasks.
    Chats,
    /// Workspaces alone.
    Floor,
}

pub(super) struct World {
    pub(super) generation: Generation,
    pub(super) token: String,
    pub(super) workspaces: Vec<Workspace>,
    pub(super) chats: Vec<Chat>,
    pub(super) next_steps: VecDeque<Vec<Step>>,
    pub(super) next_turns: VecDeque<Vec<Turn>>,
    pub(super) many_lines: HashMap<String, u64>,
    pub(super) most_on_page: u64,
    /// Seconds since it was set up. They pass by what happens.
    pub(super) now: u64,
    serial: u64,
}

pub(super) struct User {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) whole_name: &'static str,
}

pub(super) const ANN: User =
    User { id: "c0ffee00-0000-4000-8000-000000000001", name: "ann", whole_name: "Ann Example" };
pub(super) const BOB: User =
    User { id: "c0ffee00-0000-4000-8000-000000000002", name: "bob", whole_name: "Bob Example" };

pub(super) struct Workspace {
    pub(super) id: String,
    pub(super) agent_id: String,
    pub(super) name: String,
    pub(super) owner: User,
    pub(super) template: &'static Template,
    pub(super) version: &'static Version,
    pub(super) preset: Option<&'static str>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) task: Option<Task>,
    pub(super) step: Step,
    pub(super) steps: VecDeque<Step>,
    /// The last one is what goes on, or went on last.
    pub(super) builds: Vec<Build>,
    pub(super) log: Vec<Entry>,
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) said: u64,
    pub(super) texts: Texts,
}

/// The same as JSON, until it changes: a list of thousands is asked for again and again.
#[derive(Default)]
pub(super) struct Texts {
    pub(super) task: Option<Arc<str>>,
    pub(super) workspace: Option<Arc<str>>,
}

pub(super) struct Task {
    pub(super) id: String,
    pub(super) display_name: String,
    pub(super) prompt: String,
}

pub(super) struct Build {
    pub(super) id: String,
    pub(super) transition: &'static str,
    pub(super) reason: String,
    pub(super) created: u64,
    /// How it ended, once another one has begun.
    pub(super) ended: Option<Step>,
}

/// A line of a task's conversation.
pub(super) struct Entry {
    pub(super) kind: &'static str,
    pub(super) content: String,
    pub(super) time: u64,
}

/// What each step takes, by the clocks in the answers.
const STEP_SECONDS: u64 = 60;

impl World {
    pub(super) fn new(generation: Generation, token: &str) -> Self {
        let mut world = Self {
            generation,
            token: token.to_owned(),
            workspaces: Vec::new(),
            chats: Vec::new(),
            next_steps: VecDeque::new(),
            next_turns: VecDeque::new(),
            many_lines: HashMap::new(),
            most_on_page: u64::MAX,
            now: 7_200,
            serial: 0,
        };
        world.furnish();
        world
    }

    /// Three tasks that stay as they are.
    fn furnish(&mut self) {
        let seeds = [
            (ANN, "fix-login", Step::Working("Reading code"), 5_400),
            (ANN, "upgrade", Step::Stopped, 3_600),
            (BOB, "docs", Step::Failed(""), 4_200),
        ];
        for (number, (owner, name, step, said)) in (1..).zip(seeds) {
            let prompt = format!("Do what {name} says");
            let entry =
                |kind, content: &str, time| Entry { kind, content: content.to_owned(), time };
            let mut log = vec![entry("input", &prompt, 1), entry("output", "I shall.", 5)];
            log.extend(step.said().map(|(_, message)| entry("output", message, said)));
            let id = format!("6f1a3c58-7a14-4a67-9a55-2f3f6c1d0b{number:02}");
            let task = Task { id, display_name: format!("Task {name}"), prompt };
            let mut workspace = self.workspace(owner, name, &TASKS, &TASKS.versions[0]);
            workspace.id = format!("9a0b1c2d-0000-4000-8000-{:012}", number + 1);
            workspace.begin(
                if step == Step::Stopped { "stop" } else { "start" },
                self.id("b01d"),
                0,
            );
            (workspace.created, workspace.updated, workspace.said) = (0, 3_600, said);
            (workspace.task, workspace.step, workspace.log) = (Some(task), step, log);
            self.workspaces.push(workspace);
        }
    }

    /// One that is nowhere yet, and has no build.
    pub(super) fn workspace(
        &mut self,
        owner: User,
        name: &str,
        template: &'static Template,
        version: &'static Version,
    ) -> Workspace {
        Workspace {
            id: self.id("9a0b"),
            agent_id: self.id("a9e7"),
            name: name.to_owned(),
            owner,
            template,
            version,
            preset: None,
            parameters: Vec::new(),
            task: None,
            step: Step::Pending,
            steps: VecDeque::new(),
            builds: Vec::new(),
            log: Vec::new(),
            created: self.now,
            updated: self.now,
            said: self.now,
            texts: Texts::default(),
        }
    }

    pub(super) fn turn(&mut self, generation: Generation) {
        self.generation = generation;
        for workspace in &mut self.workspaces {
            workspace.texts = Texts::default();
        }
    }

    /// An id that is no other's. What it is of can be read in its first digits.
    pub(super) fn id(&mut self, kind: &str) -> String {
        self.serial += 1;
        format!("{kind}1d00-0000-4000-8000-{:012x}", self.serial)
    }

    /// Time passes by what happens.
    pub(super) fn pass(&mut self) -> u64 {
        self.now += STEP_SECONDS;
        self.now
    }

    /// One step further, if there is one. A read does this before it is answered.
    pub(super) fn advance(&mut self, place: usize) -> &mut Workspace {
        let step = self.workspaces[place].steps.pop_front();
        if let Some(step) = step {
            let now = self.pass();
            self.workspaces[place].enter(step, now);
        }
        &mut self.workspaces[place]
    }

    /// Begins a build, with the steps that follow on it. The first one is where it is at once.
    pub(super) fn build(&mut self, place: usize, transition: &'static str, steps: Vec<Step>) {
        let (now, id) = (self.pass(), self.id("b01d"));
        let workspace = &mut self.workspaces[place];
        workspace.begin(transition, id, now);
        workspace.steps = steps.into();
        self.advance(place);
    }
}

impl Workspace {
    fn begin(&mut self, transition: &'static str, id: String, now: u64) {
        if let Some(last) = self.builds.last_mut() {
            last.ended = Some(self.step.clone());
        }
        let reason = "initiator".to_owned();
        self.builds.push(Build { id, transition, reason, created: now, ended: None });
    }

    pub(super) fn enter(&mut self, step: Step, now: u64) {
        if let Some((_, message)) = step.said() {
            self.said = now;
            self.log.push(Entry { kind: "output", content: message.to_owned(), time: now });
        }
        (self.step, self.updated, self.texts) = (step, now, Texts::default());
    }
}

/// A user by name, by id, or `me`.
pub(super) fn user(name: &str) -> Option<User> {
    let named = |user: &User| name == user.name || name == user.id;
    if name == "me" {
        return Some(ANN);
    }
    [ANN, BOB].into_iter().find(named)
}

/// A time as Coder writes it: it was set up on the first of May, at eight.
pub(super) fn moment(seconds: u64) -> String {
    let seconds = seconds + 8 * 3_600;
    let (day, hour) = (seconds / 86_400 % 28 + 1, seconds / 3_600 % 24);
    format!("2026-05-{day:02}T{hour:02}:{:02}:{:02}Z", seconds / 60 % 60, seconds % 60)
}
