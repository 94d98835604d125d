//! The words that a task may consist of, one a line. Other lines are what people write, and do nothing.

use std::{
    env, fs,
    io::Write as _,
    path::Path,
    process::{self, Command},
    thread::sleep,
    time::Duration,
};

/// What a task comes to.
#[derive(Default)]
pub(crate) struct Came {
    pub(crate) end: End,
    /// What is written as the trajectory, where the task wants something else there.
    pub(crate) trajectory: Trajectory,
}

#[derive(Default)]
pub(crate) enum End {
    #[default]
    Silent,
    Finished(String),
    /// `false` in what the agent says of itself.
    GaveUp(String),
    Failed(String),
    Stuck,
    Rejected(String),
    /// Somebody stopped it.
    Interrupted,
}

#[derive(Default)]
pub(crate) enum Trajectory {
    #[default]
    Own,
    Nothing,
    Text(String),
}

/// How often it is looked whether something has come.
const PAUSE: Duration = Duration::from_millis(10);

/// Does what the task says. The directory is the workspace.
pub(crate) fn play(task: &str, stopped: impl Fn() -> bool) -> Came {
    let mut came = Came { end: End::Finished("all done".to_owned()), ..Came::default() };
    for line in task.lines() {
        if stopped() {
            came.end = End::Interrupted;
            return came;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "AWAIT" => {
                while !Path::new("/workspace").join(rest).exists() && !stopped() {
                    sleep(PAUSE);
                }
            }
            "PRINT" => {
                (1..=rest.parse().unwrap()).for_each(|number: u64| println!("line {number}"))
            }
            "BYTES" => std::io::stdout().write_all(b"bad \xff\xfe bytes \0\n").unwrap(),
            "WRITE" => {
                let (path, text) = rest.split_once(' ').unwrap_or((rest, ""));
                fs::write(Path::new("/workspace").join(path), format!("{text}\n")).unwrap();
            }
            "ENV" => println!("{rest}={}", env::var(rest).unwrap_or_default()),
            "RUN" => {
                let status =
                    Command::new("sh").args(["-c", rest]).current_dir("/workspace").status();
                println!("{}", status.unwrap());
            }
            "EXIT" => process::exit(rest.parse().unwrap()),
            "SILENT" => came.end = End::Silent,
            "SAY" => came.end = End::Finished(rest.to_owned()),
            "GIVEUP" => came.end = End::GaveUp(rest.to_owned()),
            "FAIL" => came.end = End::Failed(rest.to_owned()),
            "STUCK" => came.end = End::Stuck,
            "REJECT" => came.end = End::Rejected(rest.to_owned()),
            "NOTRAJECTORY" => came.trajectory = Trajectory::Nothing,
            "TRAJECTORY" => came.trajectory = Trajectory::Text(rest.to_owned()),
            _ => {}
        }
    }
    if stopped() {
        came.end = End::Interrupted;
    }
    came
}
