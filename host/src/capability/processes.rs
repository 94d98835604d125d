//! `processes`: programs that run in containers, and what they print.

use std::time::Duration;

use wasmtime::component::Resource;

use super::{CallState, bindings::windlass::plugin::processes as wit, containers::Container};
use crate::{
    error::Result,
    inside::{self, Carrier, Ending, How},
    policy::NewProcess,
};

/// Where a program starts if nobody says where.
const WORKSPACE: &str = "/workspace";
/// The most that is handed over at once.
const LARGEST_READ: u32 = 8 << 20;
/// Who wants to wait longer asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// A process that belongs to the plugin: that was proven when the handle was made.
pub struct Process(String);

impl wit::Host for CallState {
    async fn running(&mut self) -> Result<Vec<wit::Info>> {
        let named = self.policy.approve_looking(String::new())?;
        let rooms = self.doors.life.rooms().await?;
        Ok(rooms.inside().running(named.owner()).into_iter().map(info).collect())
    }
}

impl wit::HostProcess for CallState {
    async fn start(
        &mut self,
        container: Resource<Container>,
        spec: wit::Spec,
    ) -> Result<Resource<Process>> {
        let entry = self.table.get(&container)?.0.clone();
        let shape = shape(&spec.command);
        let process = self.policy.approve_process(asked(spec))?;
        self.effects.add(format!("process start {shape} in {}", entry.id));
        let id = self.doors.life.rooms().await?.run(&entry, process).await?;
        Ok(self.table.push(Process(id))?)
    }

    async fn open(&mut self, id: String) -> Result<Resource<Process>> {
        let named = self.policy.approve_looking(id.clone())?;
        self.doors.life.rooms().await?.inside().info(&named)?;
        Ok(self.table.push(Process(id))?)
    }

    async fn info(&mut self, process: Resource<Process>) -> Result<wit::Info> {
        let id = self.table.get(&process)?.0.clone();
        let named = self.policy.approve_looking(id)?;
        Ok(info(self.doors.life.rooms().await?.inside().info(&named)?))
    }

    async fn read(
        &mut self,
        process: Resource<Process>,
        after: u64,
        most: u32,
        wait_ms: u32,
    ) -> Result<wit::Output> {
        let id = self.table.get(&process)?.0.clone();
        let wait = Duration::from_millis(wait_ms.into()).min(LONGEST_WAIT);
        let most = most.min(LARGEST_READ) as usize;
        let named = self.policy.approve_looking(id)?;
        let read = self.doors.life.rooms().await?.inside().read(&named, after, most, wait).await?;
        Ok(output(read))
    }

    async fn tail(&mut self, process: Resource<Process>, most: u32) -> Result<wit::Output> {
        let id = self.table.get(&process)?.0.clone();
        let most = most.min(LARGEST_READ) as usize;
        let named = self.policy.approve_looking(id)?;
        self.doors.life.rooms().await?.inside().tail(&named, most).await.map(output)
    }

    async fn signal(&mut self, process: Resource<Process>, number: u8) -> Result<()> {
        let id = self.table.get(&process)?.0.clone();
        let named = self.policy.approve_changing(id.clone())?;
        self.effects.add(format!("process signal {id} {number}"));
        self.doors.life.rooms().await?.inside().signal(&named, number)
    }

    async fn cancel(&mut self, process: Resource<Process>) -> Result<()> {
        let id = self.table.get(&process)?.0.clone();
        let named = self.policy.approve_changing(id.clone())?;
        self.effects.add(format!("process cancel {id}"));
        self.doors.life.rooms().await?.inside().cancel(&named).await
    }

    async fn drop(&mut self, process: Resource<Process>) -> wasmtime::Result<()> {
        self.table.delete(process)?;
        Ok(())
    }
}

/// A command line as far as the record tells: what its arguments are is nobody's business.
pub(super) fn shape(command: &[String]) -> String {
    let program = command.first().map_or("", String::as_str);
    let count = command.len().saturating_sub(1);
    format!("`{}` with {count} arguments", program.escape_debug())
}

fn asked(spec: wit::Spec) -> NewProcess {
    NewProcess {
        command: spec.command,
        env: spec.env,
        cwd: spec.cwd.unwrap_or_else(|| WORKSPACE.to_owned()),
        stdin: spec.stdin,
        terminal: spec.terminal.map(|terminal| (terminal.rows, terminal.columns)),
        timeout_ms: spec.timeout_ms,
        root: spec.root,
        key: spec.key,
    }
}

fn output(read: inside::Output) -> wit::Output {
    wit::Output {
        chunks: read.chunks.into_iter().map(chunk).collect(),
        dropped: read.dropped,
        state: state(read.state),
        complete: read.complete,
    }
}

fn chunk(chunk: inside::Chunk) -> wit::Chunk {
    let origin = if chunk.stderr { wit::Origin::Stderr } else { wit::Origin::Stdout };
    wit::Chunk { seq: chunk.seq, origin, data: chunk.data, time: chunk.time }
}

fn info(process: inside::Process) -> wit::Info {
    wit::Info {
        id: process.id,
        container: process.container,
        command: process.command,
        root: process.root,
        carrier: match process.carrier {
            Carrier::Supervisor => wit::Carrier::Supervisor,
            Carrier::Engine => wit::Carrier::Engine,
        },
        state: state(process.state),
        started: process.started,
        stdout_bytes: process.stdout_bytes,
        stderr_bytes: process.stderr_bytes,
    }
}

fn state(state: inside::State) -> wit::State {
    match state {
        inside::State::Queued => wit::State::Queued,
        inside::State::Running => wit::State::Running,
        inside::State::Ended(ending) => wit::State::Ended(result_of(ending)),
    }
}

fn result_of(ending: Ending) -> wit::ResultOf {
    wit::ResultOf {
        ending: match ending.how {
            How::Exited => wit::Ending::Exited,
            How::TimedOut => wit::Ending::TimedOut,
            How::Cancelled => wit::Ending::Cancelled,
            How::Refused => wit::Ending::Refused,
            How::Lost => wit::Ending::Lost,
        },
        exit_code: ending.code,
        signal: ending.signal,
        message: ending.message,
        wall_ms: ending.wall_ms,
        cpu_ms: ending.cpu_ms,
        memory_kib: ending.memory_kib,
        ended: ending.ended,
    }
}
