//! What a run came to: judged, kept, told.

use serde_json::{Value, json};
use windlass_sdk::{
    Error, Result, Stop, clock,
    log::{self, Level},
    types::Code,
    workspaces::Workspace,
};

use super::Work;
use crate::{
    artifact,
    changes::{self, Difference},
    consent,
    ending::Ending,
    event::Request,
    follow::{End, tell},
    record::{Done, Record},
    schema,
    server::{Answered, Server},
    summary,
    watch::{self, Line},
};

/// How long the model may take to stop.
const STOPPING_MS: u64 = 15_000;
/// How long a session is at rest that has nothing to do: more than opencode takes to begin with what it was given.
const REST_MS: u64 = 4_000;
/// As much of what the model said is told with an error.
const LONGEST_TOLD: usize = 16 << 10;
/// Between two looks.
const PAUSE_MS: u32 = 200;

impl Work<'_> {
    pub(super) fn settle(&mut self, server: &Server, end: End) -> Result<Option<Done>> {
        let (answered, code, why) = match end {
            End::Over(answered, Ending::Completed) => {
                return self.complete(server, *answered).map(Some);
            }
            End::Over(answered, Ending::Failed(why)) => (Some(*answered), Code::Failed, why),
            End::Over(answered, _) => {
                (Some(*answered), Code::Failed, "somebody stopped it within opencode".to_owned())
            }
            End::Failed(why) => (None, Code::Failed, why),
            End::Silent => (None, Code::Timeout, self.silence()?),
            End::Asks(requests) => return Err(self.ask(&requests)?),
            End::Lost(words) => {
                let line =
                    Line::Warning(format!("opencode went away {}", summary::shortened(&words)));
                tell(&line, &mut self.note.tally);
                return Ok(None);
            }
        };
        Err(self.fail(server, answered.as_ref(), Error::new(code, why)).into())
    }

    fn silence(&self) -> Result<String, Error> {
        let seconds = self.settings.silence_ms()?.div_ceil(1000);
        let retries = match self.note.tally.retries {
            0 => "",
            _ => " but failures",
        };
        Ok(format!(
            "nothing came from the model for {seconds} s{retries}, which is all that `request_timeout` allows"
        ))
    }

    fn complete(&mut self, server: &Server, answered: Answered) -> Result<Done> {
        let structured = match &self.task.schema {
            None => None,
            Some(schema) => match misfit(schema, answered.message.info.structured.as_ref()) {
                Ok(text) => Some(text),
                Err(why) => {
                    return Err(self.fail(server, Some(&answered), Error::failed(why)).into());
                }
            },
        };
        let difference = self.difference(server);
        let done = self.keep("completed", Some(&answered), difference.as_ref());
        Ok(Done { structured_output: structured, ..done })
    }

    /// The error that the run ends with.
    fn fail(&mut self, server: &Server, answered: Option<&Answered>, error: Error) -> Error {
        log::write(Level::Error, &error.message);
        let difference = self.difference(server);
        let kept = self.keep_failed(answered, difference.as_ref(), &error.message);
        let error_code = if error.code == Code::Timeout { "TIMEOUT" } else { "RUN_FAILED" };
        error.with_details(&json!({
            "error_code": error_code,
            "run_id": self.run.id,
            "session_id": self.task.session,
            "final_output": kept.final_output.chars().take(LONGEST_TOLD).collect::<String>(),
            "result_summary": kept.result_summary,
        }))
    }

    pub(super) fn difference(&self, server: &Server) -> Option<Difference> {
        let since = changes::since(&server.container, self.note.tree.as_deref()?);
        since.map_err(|error| log::write(Level::Warn, &error.message)).ok()
    }

    pub(super) fn keep(
        &self,
        state: &str,
        answered: Option<&Answered>,
        difference: Option<&Difference>,
    ) -> Done {
        self.record().keep(state, &self.task.task, answered, difference, None)
    }

    fn keep_failed(
        &self,
        answered: Option<&Answered>,
        difference: Option<&Difference>,
        why: &str,
    ) -> Done {
        self.record().keep("failed", &self.task.task, answered, difference, Some(why))
    }

    fn record(&self) -> Record<'_> {
        Record {
            run: &self.run.id,
            id: &self.task.session,
            session: &self.session,
            provider: &self.provider,
            note: &self.note,
        }
    }

    /// Ends the run with questions; whoever answers them is told what they are.
    fn ask(&mut self, requests: &[Request]) -> Result<Stop, Error> {
        self.note.keep()?;
        let told: Vec<_> = requests
            .iter()
            .map(|request| json!({"id": request.id, "wants": watch::wanted(request)}))
            .collect();
        let meta = Workspace::open(&self.session.meta)?;
        meta.put(artifact::place(&self.run.id, artifact::QUESTIONS), json!(told).to_string())?;
        Ok(consent::questions(requests).into())
    }

    /// Stops the model. Gives what it said.
    pub(super) fn stop(&mut self, server: &Server) -> Result<Option<Answered>, Error> {
        let conversation = self.note.conversation.clone();
        let (start, mut idle_since) = (clock::now(), None);
        loop {
            server.abort(&conversation)?;
            let now = clock::now();
            if server.is_idle(&conversation)? {
                let latest = server.latest(&conversation)?;
                let own = latest.filter(|it| it.message.info.is_of(&self.note.message));
                let since = *idle_since.get_or_insert(now);
                // What was just given to a server that is loading itself begins only after it seemed to be at rest.
                if own.is_some() || now > since + REST_MS && now > self.note.prompted + REST_MS {
                    return Ok(own);
                }
            } else {
                idle_since = None;
            }
            if now > start + STOPPING_MS {
                return Err(Error::failed("opencode does not stop what it does"));
            }
            clock::sleep(PAUSE_MS);
        }
    }
}

/// What was to be given by a schema, as JSON, if it fits.
fn misfit(schema: &Value, given: Option<&Value>) -> Result<String, String> {
    let given = given.ok_or("the model gave nothing in the form that `schema` wants")?;
    match schema::fits(schema, given) {
        Ok(()) => Ok(given.to_string()),
        Err(why) => Err(format!("what the model gave does not fit `schema`: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_fits_or_fails_the_run() {
        let schema = json!({"type": "object", "required": ["a"]});
        assert_eq!(misfit(&schema, Some(&json!({"a": 1}))).unwrap(), "{\"a\":1}");
        assert!(misfit(&schema, Some(&json!({}))).unwrap_err().contains("`/` lacks `a`"));
        assert!(misfit(&schema, None).unwrap_err().contains("gave nothing"));
    }
}
