//! `exec_poll`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_sdk::{
    Call, Error, Hints, Result, Tool,
    processes::{Info, Output, Process, State},
};

use crate::{
    WRAPPED,
    error::About,
    messages::{self, Closing, Message},
};

/// As much output as one answer holds.
const MOST_BYTES: u32 = 1 << 20;
/// How long the rest of a character may take that was cut between two chunks, and how much comes with it.
const PATIENCE_MS: u32 = 100;
const MORE_BYTES: u32 = 64 << 10;
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
        let about = |error| About::Exec.of(error);
        let process = Process::open(&self.exec_id).map_err(about)?;
        let read = |after, most, wait_ms| process.read(after, most, wait_ms);
        Ok(self.poll(read, || process.info()).map_err(about)?)
    }
}

impl ExecPoll {
    fn poll(
        &self,
        read: impl Fn(u64, u32, u32) -> Result<Output, Error>,
        info: impl FnOnce() -> Result<Info, Error>,
    ) -> Result<Polled, Error> {
        let mut output = read(self.after_seq, MOST_BYTES, self.wait_s.min(LONGEST_WAIT_S) * 1000)?;
        let mut last = output.chunks.last().map(|chunk| chunk.seq);
        if let Some(last) = last.as_mut()
            && !output.complete
            && messages::begins_cut(&output.chunks)
        {
            append(&mut output, read(*last, MORE_BYTES, PATIENCE_MS)?, last);
        }
        let chunks = std::mem::take(&mut output.chunks);
        let (mut messages, whole) = messages::of_chunks(chunks, output.complete);
        let complete = whole && output.complete;
        if complete && let State::Ended(result) = &output.state {
            let closing = Closing::of(result, &info()?);
            if last.is_none() {
                // Nothing came after the cursor: it is at the last chunk, or at one of the closing messages.
                let before = self.after_seq.saturating_sub(closing.count());
                let seen = read(before, MOST_BYTES, 0)?.chunks.last().map(|chunk| chunk.seq);
                last = seen.or((before == 0).then_some(0));
            }
            messages.extend(last.into_iter().flat_map(|last| closing.after(last, self.after_seq)));
        }
        Ok(self.polled(messages, complete, &output))
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

/// Adds what comes after the last chunk.
fn append(output: &mut Output, more: Output, last: &mut u64) {
    if more.dropped > *last {
        output.dropped = more.dropped;
    }
    *last = more.chunks.last().map_or(*last, |chunk| chunk.seq);
    output.chunks.extend(more.chunks);
    (output.state, output.complete) = (more.state, more.complete);
}

#[cfg(test)]
mod tests {
    use windlass_sdk::processes::{Carrier, Chunk, Ending, Origin, ResultOf};

    use super::*;

    /// What a process has printed, one chunk for each text, and how it ended, if it has.
    struct Printed<'a> {
        texts: &'a [&'a [u8]],
        dropped: u64,
        ending: Option<Ending>,
    }

    impl Printed<'_> {
        fn state(&self) -> State {
            let Some(ending) = self.ending else { return State::Running };
            State::Ended(ResultOf {
                ending,
                exit_code: Some(0),
                signal: None,
                message: None,
                wall_ms: 1,
                cpu_ms: None,
                memory_kib: None,
                ended: 0,
            })
        }

        /// Up to two chunks at a time.
        fn read(&self, after: u64) -> Output {
            let chunk = |(seq, data): (u64, &&[u8])| {
                let (origin, data, time) = (Origin::Stdout, data.to_vec(), 0);
                Chunk { seq, origin, data, time }
            };
            let after = after.max(self.dropped);
            let left = (1..).zip(self.texts).filter(|(seq, _)| *seq > after);
            let chunks: Vec<_> = left.map(chunk).take(2).collect();
            let reached = chunks.last().map_or(after, |chunk| chunk.seq);
            let complete = self.ending.is_some() && reached >= self.texts.len() as u64;
            Output { chunks, dropped: self.dropped, state: self.state(), complete }
        }

        fn poll(&self, after_seq: u64) -> Polled {
            let info = || Info {
                id: "e_1".to_owned(),
                container: "c_1".to_owned(),
                command: Vec::new(),
                root: false,
                carrier: Carrier::Supervisor,
                state: self.state(),
                started: 0,
                stdout_bytes: 0,
                stderr_bytes: 0,
            };
            let poll = ExecPoll { exec_id: "e_1".to_owned(), after_seq, wait_s: 0 };
            poll.poll(|after, _, _| Ok(self.read(after)), || Ok(info())).unwrap()
        }

        /// Polls from a cursor on until it is complete, and gives the numbers of all messages.
        fn follow(&self, mut cursor: u64) -> Vec<u64> {
            let mut seen = Vec::new();
            loop {
                let polled = self.poll(cursor);
                seen.extend(polled.messages.iter().map(|message| message.seq));
                cursor = seen.last().copied().unwrap_or(cursor);
                if polled.complete {
                    assert!(self.poll(cursor).messages.is_empty() && self.poll(cursor).complete);
                    return seen;
                }
                assert!(!polled.messages.is_empty(), "it does not get on");
            }
        }
    }

    #[test]
    fn every_cursor_gets_each_message_once_and_in_order() {
        let texts: &[&[u8]] = &[b"a", b"b\xf0", b"\x9f", b"\x98", b"\x80", b"\xff", b"c\xc3"];
        for ending in [Ending::Exited, Ending::TimedOut, Ending::Cancelled, Ending::Lost] {
            for count in 0..=texts.len() {
                let printed = Printed { texts: &texts[..count], dropped: 0, ending: Some(ending) };
                let closing =
                    if matches!(ending, Ending::Exited | Ending::TimedOut) { 1 } else { 2 };
                let end = count as u64 + closing;
                for cursor in 0..end + 3 {
                    let expected: Vec<u64> = (cursor + 1..=end).collect();
                    assert_eq!(printed.follow(cursor), expected, "{ending:?} {count} {cursor}");
                }
            }
        }
    }

    #[test]
    fn what_is_gone_is_said() {
        let texts: &[&[u8]] = &[b"a", b"b", b"c"];
        let printed = Printed { texts, dropped: 2, ending: Some(Ending::Exited) };
        let polled = printed.poll(0);
        assert_eq!((polled.truncated, polled.dropped_until), (true, Some(2)));
        assert_eq!(printed.follow(0), [3, 4]);
        let polled = printed.poll(2);
        assert_eq!((polled.truncated, polled.dropped_until), (false, None));
    }

    #[test]
    fn while_it_runs_there_is_no_end() {
        let printed = Printed { texts: &[b"a"], dropped: 0, ending: None };
        let polled = printed.poll(0);
        assert_eq!((polled.messages.len(), polled.complete, polled.status), (1, false, "running"));
        assert!(printed.poll(1).messages.is_empty());
    }
}
