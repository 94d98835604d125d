//! One program in a container, to its end: what it printed, up to a limit, and what it answered.

use windlass_sdk::{
    Error,
    containers::Container,
    processes::{Ending, Origin, Output, Process, Spec, State},
    types::Code,
};

use crate::failure;

/// How much is read at once.
const PAGE: u32 = 1 << 20;
/// How long one look waits for more, in milliseconds. The next look follows at once.
const WAIT_MS: u32 = 60_000;
/// As much as is kept of what a program complains about.
const MOST_ERRORS: usize = 64 << 10;

/// Which part of what a program prints is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many bytes are left out at the beginning.
    pub skip: u64,
    /// How many are kept then.
    pub most: usize,
    /// Whether it is ended when there is enough.
    pub stop: bool,
}

/// What a program came to.
#[derive(Debug, Default)]
pub struct Ran {
    /// What it answered. None: it was ended, or died.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Whether there was more on stdout than is kept.
    pub cut: bool,
    /// Bytes of stdout so far, whether kept or not.
    pub printed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { skip: 0, most: 4 << 20, stop: false }
    }
}

impl Ran {
    /// Whether it did what it should.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// What it printed, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// What it complained about, as text.
    pub fn complaint(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    fn take(&mut self, output: &Output, limits: Limits) {
        for chunk in &output.chunks {
            match chunk.origin {
                Origin::Stdout => self.keep(&chunk.data, limits),
                Origin::Stderr => {
                    let room = MOST_ERRORS.saturating_sub(self.stderr.len());
                    self.stderr.extend(chunk.data.iter().take(room));
                }
            }
        }
    }

    fn keep(&mut self, data: &[u8], limits: Limits) {
        let skipped =
            usize::try_from(limits.skip.saturating_sub(self.printed)).unwrap_or(usize::MAX);
        self.printed += data.len() as u64;
        let data = data.get(skipped..).unwrap_or_default();
        let room = limits.most.saturating_sub(self.stdout.len());
        self.cut |= data.len() > room;
        self.stdout.extend(data.iter().take(room));
    }
}

/// Runs a program to its end, or to the limit.
pub(crate) fn run(container: &Container, spec: &Spec, limits: Limits) -> Result<Ran, Error> {
    let process = Process::start(container, spec).map_err(failure::of)?;
    let (mut ran, mut after) = (Ran::default(), 0);
    loop {
        let output = process.read(after, PAGE, WAIT_MS).map_err(failure::of)?;
        after = output.chunks.last().map_or(after, |chunk| chunk.seq);
        ran.take(&output, limits);
        if ran.cut && limits.stop {
            process.cancel().map_err(failure::of)?;
            ran.code = Some(0);
            return Ok(ran);
        }
        if let State::Ended(result) = output.state
            && output.complete
        {
            let seconds = spec.timeout_ms.unwrap_or_default() / 1000;
            return match result.ending {
                Ending::Exited => Ok(Ran { code: result.exit_code, ..ran }),
                Ending::TimedOut => Err(failure::timeout(seconds)),
                Ending::Cancelled => {
                    Err(failure::conflict("the git command was ended by somebody else"))
                }
                Ending::Refused | Ending::Lost => {
                    let why =
                        result.message.unwrap_or_else(|| "its container went away".to_owned());
                    Err(failure::of(Error::new(
                        Code::Unavailable,
                        format!("git could not run: {why}"),
                    )))
                }
            };
        }
    }
}
