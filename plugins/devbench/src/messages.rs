//! Messages of `exec_poll`: one for each chunk of output, and those that close it.

use schemars::JsonSchema;
use serde::Serialize;
use windlass_sdk::{
    clock,
    processes::{Carrier, Chunk, Ending, Info, Origin, ResultOf, State},
};

use crate::{
    encoding::{self, Encoding},
    exec,
};

/// More would make an answer large by their number alone.
const MOST_MESSAGES: usize = 4000;
/// A character has four bytes at most: that many of them may lack the last.
const LONGEST_TAIL: usize = 3;

/// A piece of output, or the end of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Message {
    pub(crate) seq: u64,
    /// `stdout` or `stderr`; null in the last message.
    stream: Option<&'static str>,
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<Encoding>,
    ts: String,
    exit_code: Option<i32>,
    usage: Option<Usage>,
    complete: bool,
}

/// What a program took.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Usage {
    wall_ms: u64,
    stdout_bytes: u64,
    stderr_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_peak_kib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<u8>,
    /// `engine` where it was not the supervisor that ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<&'static str>,
}

/// What comes after the last chunk: a word on how it ended, where there is one, and the end.
pub(crate) struct Closing {
    word: Option<String>,
    exit_code: i32,
    usage: Usage,
    ended: u64,
}

/// Bytes of a stream that begin a character which the next chunk of that stream ends.
#[derive(Default)]
struct Carried {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// One message for each chunk, and whether all of them are in it.
///
/// A character that two chunks share is in the message of the second. Where the second is not there yet, the answer
/// ends before the first of the two; only if that one is all there is, it goes out as base64.
pub(crate) fn of_chunks(chunks: Vec<Chunk>, complete: bool) -> (Vec<Message>, bool) {
    let all = chunks.len();
    let kept = if complete && all <= MOST_MESSAGES { all } else { whole(&chunks) };
    let lasts = [Origin::Stdout, Origin::Stderr]
        .map(|origin| chunks.iter().take(kept).rposition(|chunk| chunk.origin == origin));
    let mut carried = Carried::default();
    let messages = chunks.into_iter().take(kept).enumerate().map(|(at, chunk)| {
        let (seq, origin, time) = (chunk.seq, chunk.origin, chunk.time);
        let bytes = carried.join(chunk, lasts.contains(&Some(at)));
        let (data, encoding) = encoding::written(bytes);
        let encoding = (encoding == Encoding::Base64).then_some(encoding);
        Message::output(seq, origin, (data, encoding), time)
    });
    (messages.collect(), kept == all)
}

/// Whether the very first chunk ends within a character whose rest is not there.
pub(crate) fn begins_cut(chunks: &[Chunk]) -> bool {
    let origin = chunks.first().map(|chunk| chunk.origin);
    origin.is_some_and(|origin| first_of_unfinished(chunks, origin) == Some(0))
}

/// How many chunks, from the first on, end within no character. At least one, so that a poll gets on.
fn whole(chunks: &[Chunk]) -> usize {
    let mut kept = chunks.len().min(MOST_MESSAGES);
    loop {
        let taken = chunks.get(..kept).unwrap_or_default();
        let cut = [Origin::Stdout, Origin::Stderr].into_iter().filter_map(|origin| {
            let start = first_of_unfinished(taken, origin)?;
            (start > 0).then_some(start)
        });
        match cut.min() {
            Some(earlier) => kept = earlier,
            None => return kept,
        }
    }
}

/// Where the unfinished end of a stream begins: it may be spread over more chunks than one.
fn first_of_unfinished(chunks: &[Chunk], origin: Origin) -> Option<usize> {
    let mut tail = Vec::new();
    let mut first = None;
    for (at, chunk) in chunks.iter().enumerate().filter(|(_, chunk)| chunk.origin == origin) {
        let end = chunk.data.get(chunk.data.len().saturating_sub(LONGEST_TAIL)..);
        if chunk.data.len() > LONGEST_TAIL {
            tail.clear();
        }
        let before = tail.len();
        tail.extend_from_slice(end.unwrap_or_default());
        let unfinished = encoding::unfinished(&tail);
        first = match unfinished {
            0 => None,
            // All that was carried is still open: it begins where it began.
            _ if before > 0 && unfinished == tail.len() => first,
            _ => Some(at),
        };
        tail.drain(..tail.len() - unfinished);
    }
    first
}

/// How a process is, in one word.
pub(crate) fn status(state: &State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Running => "running",
        State::Ended(result) => match result.ending {
            Ending::Exited => "completed",
            Ending::TimedOut => "timed_out",
            Ending::Cancelled => "cancelled",
            Ending::Refused | Ending::Lost => "failed",
        },
    }
}

impl Carried {
    /// The chunk's bytes after what was carried, without an unfinished end unless it is the last of its stream.
    fn join(&mut self, chunk: Chunk, is_last: bool) -> Vec<u8> {
        let carried = match chunk.origin {
            Origin::Stdout => &mut self.stdout,
            Origin::Stderr => &mut self.stderr,
        };
        let mut bytes = std::mem::take(carried);
        bytes.extend(chunk.data);
        if !is_last {
            *carried = bytes.split_off(bytes.len() - encoding::unfinished(&bytes));
        }
        bytes
    }
}

impl Message {
    fn output(
        seq: u64,
        origin: Origin,
        (data, encoding): (String, Option<Encoding>),
        time: u64,
    ) -> Self {
        let stream = match origin {
            Origin::Stdout => "stdout",
            Origin::Stderr => "stderr",
        };
        let (stream, data, ts) = (Some(stream), Some(data), clock::iso(time));
        Self { seq, stream, data, encoding, ts, exit_code: None, usage: None, complete: false }
    }
}

impl Closing {
    pub(crate) fn of(result: &ResultOf, info: &Info) -> Self {
        let said = result.message.as_ref().map(|message| format!("{message}\n"));
        let by_signal = result.signal.map(|signal| 128 + i32::from(signal));
        let (word, exit_code) = match result.ending {
            Ending::Exited => (None, result.exit_code.or(by_signal).unwrap_or(-1)),
            Ending::TimedOut => (None, -1),
            Ending::Cancelled => (Some("[CANCELLED]\n".to_owned()), -2),
            Ending::Refused => (said.or_else(|| Some("it did not start\n".to_owned())), -1),
            Ending::Lost => (said.or_else(|| Some("its container is gone\n".to_owned())), -1),
        };
        let usage = Usage {
            wall_ms: result.wall_ms,
            stdout_bytes: info.stdout_bytes,
            stderr_bytes: info.stderr_bytes,
            cpu_ms: result.cpu_ms,
            mem_peak_kib: result.memory_kib,
            timeout: (result.ending == Ending::TimedOut).then_some(true),
            cancelled: (result.ending == Ending::Cancelled).then_some(true),
            signal: result.signal,
            carrier: (info.carrier == Carrier::Engine).then(|| exec::carrier(info.carrier)),
        };
        Self { word, exit_code, usage, ended: result.ended }
    }

    /// How many messages it is.
    pub(crate) fn count(&self) -> u64 {
        1 + u64::from(self.word.is_some())
    }

    /// The messages that follow the last chunk, as far as they come after the cursor.
    pub(crate) fn after(&self, last: u64, cursor: u64) -> Vec<Message> {
        let word = self
            .word
            .clone()
            .map(|word| Message::output(last + 1, Origin::Stderr, (word, None), self.ended));
        let end = Message {
            seq: last + self.count(),
            stream: None,
            data: None,
            encoding: None,
            ts: clock::iso(self.ended),
            exit_code: Some(self.exit_code),
            usage: Some(self.usage.clone()),
            complete: true,
        };
        word.into_iter().chain([end]).filter(|message| message.seq > cursor).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(texts: &[(char, &[u8])]) -> Vec<Chunk> {
        let chunk = |(at, &(stream, data)): (usize, &(char, &[u8]))| Chunk {
            seq: at as u64 + 1,
            origin: if stream == 'o' { Origin::Stdout } else { Origin::Stderr },
            data: data.to_vec(),
            time: 0,
        };
        texts.iter().enumerate().map(chunk).collect()
    }

    #[track_caller]
    fn check(complete: bool, texts: &[(char, &[u8])], expected: &[&str], whole: bool) {
        let (messages, all) = of_chunks(chunks(texts), complete);
        let shown = messages.iter().map(|message| {
            let data = message.data.clone().unwrap();
            if message.encoding.is_some() { format!("base64 {data}") } else { data }
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected);
        assert_eq!(all, whole);
        assert!(messages.iter().zip(1..).all(|(message, seq)| message.seq == seq));
    }

    #[test]
    fn each_chunk_is_a_message() {
        check(false, &[], &[], true);
        check(true, &[('o', b"a"), ('e', b"b"), ('o', b"c\n")], &["a", "b", "c\n"], true);
        check(true, &[('o', b"\xff\xfe")], &["base64 //4="], true);
    }

    #[test]
    fn a_character_in_two_chunks_is_whole_in_the_second() {
        check(true, &[('o', b"gr\xc3"), ('o', b"\xbcn")], &["gr", "ün"], true);
        check(true, &[('o', b"\xf0"), ('o', b"\x9f\x98"), ('o', b"\x80")], &["", "", "😀"], true);
        // The other stream in between has characters of its own.
        let mixed: [(char, &[u8]); 4] =
            [('o', b"a\xe2\x82"), ('e', b"b\xc3"), ('o', b"\xac"), ('e', b"\xa4")];
        check(true, &mixed, &["a", "b", "€", "ä"], true);
    }

    #[test]
    fn an_answer_ends_before_a_character_that_is_not_whole() {
        check(false, &[('o', b"a"), ('o', b"b\xc3")], &["a"], false);
        let spread: [(char, &[u8]); 4] =
            [('o', b"a"), ('o', b"\xf0"), ('e', b"x"), ('o', b"\x9f\x98")];
        check(false, &spread, &["a"], false);
        // What ends the stream stays, and so does what would stop the reader for good.
        check(true, &[('o', b"a"), ('o', b"b\xc3")], &["a", "base64 YsM="], true);
        check(false, &[('o', b"b\xc3")], &["base64 YsM="], true);
        check(false, &[('o', b"b\xc3"), ('e', b"x")], &["base64 YsM=", "x"], true);
    }

    #[test]
    fn what_begins_cut_is_worth_waiting_for() {
        assert!(begins_cut(&chunks(&[('o', b"b\xc3")])));
        assert!(begins_cut(&chunks(&[('o', b"b\xc3"), ('e', b"x")])));
        assert!(!begins_cut(&chunks(&[('o', b"b\xc3"), ('o', b"\xa4")])));
        assert!(!begins_cut(&chunks(&[('o', b"a"), ('o', b"b\xc3")])));
        assert!(!begins_cut(&[]));
    }

    #[test]
    fn an_answer_has_no_end_of_messages() {
        let many: Vec<(char, &[u8])> = vec![('o', b"x"); MOST_MESSAGES + 1];
        let (messages, whole) = of_chunks(chunks(&many), true);
        assert_eq!((messages.len(), whole), (MOST_MESSAGES, false));
    }

    fn closing(ending: Ending, exit_code: Option<i32>, signal: Option<u8>) -> Closing {
        let result = ResultOf {
            ending,
            exit_code,
            signal,
            message: (ending == Ending::Refused).then(|| "no such program".to_owned()),
            wall_ms: 7,
            cpu_ms: Some(3),
            memory_kib: None,
            ended: 0,
        };
        let info = Info {
            id: "e_1".to_owned(),
            container: "c_1".to_owned(),
            command: Vec::new(),
            root: false,
            carrier: Carrier::Supervisor,
            state: State::Running,
            started: 0,
            stdout_bytes: 5,
            stderr_bytes: 0,
        };
        Closing::of(&result, &info)
    }

    #[track_caller]
    fn check_end(closing: &Closing, last: u64, cursor: u64, expected: &str) {
        let shown = closing.after(last, cursor).into_iter().map(|message| {
            let said = message.data.unwrap_or_default();
            let code = message.exit_code.map(|code| code.to_string()).unwrap_or_default();
            format!("{}:{}{code}", message.seq, said.trim_end())
        });
        assert_eq!(shown.collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn the_end_comes_once_after_the_last_chunk() {
        let exited = closing(Ending::Exited, Some(0), None);
        check_end(&exited, 0, 0, "1:0");
        check_end(&exited, 4, 4, "5:0");
        check_end(&exited, 4, 5, "");
        check_end(&closing(Ending::Exited, None, Some(9)), 4, 0, "5:137");
        check_end(&closing(Ending::TimedOut, None, Some(15)), 4, 0, "5:-1");
        check_end(&closing(Ending::Cancelled, None, Some(15)), 4, 0, "5:[CANCELLED] 6:-2");
        check_end(&closing(Ending::Cancelled, None, Some(15)), 4, 5, "6:-2");
        check_end(&closing(Ending::Refused, None, None), 0, 0, "1:no such program 2:-1");
        check_end(&closing(Ending::Lost, None, None), 3, 0, "4:its container is gone 5:-1");
    }

    #[test]
    fn usage_says_why_it_ended() {
        let usage = |ending| serde_json::to_string(&closing(ending, None, None).usage).unwrap();
        let taken = r#""wall_ms":7,"stdout_bytes":5,"stderr_bytes":0,"cpu_ms":3"#;
        assert_eq!(usage(Ending::Exited), format!("{{{taken}}}"));
        assert_eq!(usage(Ending::TimedOut), format!("{{{taken},\"timeout\":true}}"));
        assert_eq!(usage(Ending::Cancelled), format!("{{{taken},\"cancelled\":true}}"));
    }
}
