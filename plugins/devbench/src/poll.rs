//! `exec_poll`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Tool,
    processes::{Output, Process, State},
};

use crate::{
    WRAPPED,
    error::About,
    messages::{self, Closing, Message},
};

/// As much output as one answer holds.
const MOST_BYTES: u32 = 1 << 20;
/// A call that waits longer looks as if it hung.
const LONGEST_WAIT_S: u32 = 60;

/// Reads what a program has printed since a message, up to 1 MiB. Pass the `seq` of the last message as `after_seq`
/// of the next call, until `complete`: the last message then holds `exit_code` and `usage`. The exit code is -1 after a
/// timeout or where the program could not start, -2 after a cancel. `data` that is no UTF-8, or ends within a
/// character of which no more has been printed yet, is base64, and `encoding` says so. `truncated` means that output up
/// to `dropped_until` is gone: 64 MiB are kept, for 24 hours.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ExecPoll {
    /// What `exec_start` answered.
    exec_id: String,
    /// The `seq` of the last message that was read. 0: from the beginning.
    #[serde(default)]
    after_seq: u64,
    /// Waits up to so many seconds for something to read.
    #[serde(default)]
    #[schemars(range(max = LONGEST_WAIT_S))]
    wait_s: u32,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Polled {
    messages: Vec<Message>,
    /// Whether the program has ended and no more is to come.
    complete: bool,
    /// `queued`, `running`, `completed`, `timed_out`, `cancelled`, or `failed`: it could not start, or its container is gone.
    status: &'static str,
    /// Whether output is missing before these messages.
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped_until: Option<u64>,
}

impl Tool for ExecPoll {
    const NAME: &'static str = "exec_poll";
    const TITLE: Option<&'static str> = Some("Read a program's output");
    const HINTS: Hints = Hints::READ_ONLY.union(Hints::IDEMPOTENT);
    const WRAPPED_UNDER: Option<&'static str> = WRAPPED;
    type Output = Polled;

    fn run(self, _: &Call) -> Result<Polled> {
        let polled = Process::open(&self.exec_id).and_then(|process| self.poll(&process));
        Ok(polled.map_err(|error| About::Exec.of(error))?)
    }
}

impl ExecPoll {
    fn poll(&self, process: &Process) -> Result<Polled, Error> {
        let wait_ms = self.wait_s.min(LONGEST_WAIT_S) * 1000;
        let mut output = process.read(self.after_seq, MOST_BYTES, wait_ms)?;
        let last = output.chunks.last().map(|chunk| chunk.seq);
        let chunks = std::mem::take(&mut output.chunks);
        let (mut messages, whole) = messages::of_chunks(chunks, output.complete);
        let complete = whole && output.complete;
        if complete && let State::Ended(result) = &output.state {
            let closing = Closing::of(result, &process.info()?);
            let last = match last {
                Some(last) => Some(last),
                None => self.find_last(process, &closing)?,
            };
            messages.extend(last.into_iter().flat_map(|last| closing.after(last, self.after_seq)));
        }
        Ok(self.polled(messages, complete, &output))
    }

    /// The number of the last chunk, where none has come after the cursor. None: the cursor is past the end.
    fn find_last(&self, process: &Process, closing: &Closing) -> Result<Option<u64>, Error> {
        let before = self.after_seq.saturating_sub(closing.count());
        let output = process.read(before, MOST_BYTES, 0)?;
        let seen = output.chunks.last().map(|chunk| chunk.seq);
        Ok(seen.or((before == 0).then_some(0)))
    }

    fn polled(&self, messages: Vec<Message>, complete: bool, output: &Output) -> Polled {
        let truncated = output.dropped > self.after_seq;
        Polled {
            messages,
            complete,
            status: messages::status(&output.state),
            truncated,
            dropped_until: truncated.then_some(output.dropped),
        }
    }
}
