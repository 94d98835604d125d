//! A client on stdio: a line out, a line in. It reads no JSON, so that it measures the server and not itself.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout},
};

use anyhow::{Context as _, Result, bail};

use crate::serve::Server;

/// A server that was started on stdio. It is killed when this is dropped.
pub(super) struct Line {
    child: Child,
    input: ChildStdin,
    answers: Answers,
    next: usize,
}

/// What the server writes, line by line.
pub(super) struct Answers {
    output: BufReader<ChildStdout>,
    line: Vec<u8>,
}

impl Line {
    /// Starts a server and waits until `initialize` is answered.
    pub(super) fn start(server: &Server) -> Result<Self> {
        let mut child = server.stdio().spawn().context("cannot start the server")?;
        let input = child.stdin.take().context("no stdin")?;
        let output = BufReader::with_capacity(1 << 16, child.stdout.take().context("no stdout")?);
        let answers = Answers { output, line: Vec::new() };
        let mut line = Self { child, input, answers, next: 0 };
        line.request(
            "initialize",
            r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"0"}}"#,
        )?;
        line.send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n")?;
        Ok(line)
    }

    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request that is not waited for; gives its id.
    pub(super) fn begin(&mut self, method: &str, parameters: &str) -> Result<usize> {
        self.next += 1;
        let message = message(self.next, method, parameters);
        self.send(&message)?;
        Ok(self.next)
    }

    pub(super) fn send(&mut self, message: &str) -> Result<()> {
        Ok(self.input.write_all(message.as_bytes())?)
    }

    /// Sends a request and waits for its answer, which must not be an error.
    pub(super) fn request(&mut self, method: &str, parameters: &str) -> Result<()> {
        self.answer(method, parameters).map(drop)
    }

    /// The same; gives the answer.
    pub(super) fn answer(&mut self, method: &str, parameters: &str) -> Result<&str> {
        self.answer_after(method, parameters, |_| {})
    }

    /// The same, and hears what else the server tells meanwhile.
    pub(super) fn answer_after(
        &mut self,
        method: &str,
        parameters: &str,
        mut hear: impl FnMut(&str),
    ) -> Result<&str> {
        let id = self.begin(method, parameters)?;
        let mark = format!("\"id\":{id},");
        loop {
            let line = self.answers.line()?;
            if line.contains(&mark) {
                break;
            }
            hear(line);
        }
        let answer = self.answers.last()?;
        if is_error(answer) {
            bail!("`{method}` failed: {answer}");
        }
        Ok(answer)
    }

    /// Both ends, for a client that writes and reads at the same time.
    pub(super) fn split(&mut self) -> (&mut ChildStdin, &mut Answers) {
        (&mut self.input, &mut self.answers)
    }
}

impl Answers {
    /// The next answer; what the server tells unasked is passed over.
    pub(super) fn next(&mut self) -> Result<&str> {
        while !self.line()?.contains("\"id\":") {}
        self.last()
    }

    /// The next line, whatever it is.
    fn line(&mut self) -> Result<&str> {
        self.line.clear();
        if self.output.read_until(b'\n', &mut self.line)? == 0 {
            bail!("the server closed stdout");
        }
        self.last()
    }

    /// The same one again.
    fn last(&self) -> Result<&str> {
        Ok(str::from_utf8(&self.line)?)
    }

    /// Whether an answer can be read without waiting.
    pub(super) fn is_waiting(&self) -> bool {
        self.output.buffer().contains(&b'\n')
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn message(id: usize, method: &str, parameters: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{parameters}}}\n")
}

/// Whether an answer is an error of the protocol or of a tool.
pub(super) fn is_error(answer: &str) -> bool {
    answer.contains("\"error\":{") || answer.contains("\"isError\":true")
}
