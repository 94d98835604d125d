//! Which jobs a plugin may submit, and whose jobs anybody may see.

use std::sync::Arc;

use super::{Approved, Policy, processes::check_key};
use crate::error::{Result, denied, invalid, limit};

/// Longer words and titles are a mistake.
const LONGEST_WORD: usize = 128;
const LONGEST_TITLE: usize = 512;
/// A larger input belongs into a workspace.
const LARGEST_INPUT: usize = 1 << 20;
/// What one run leaves for the next is a few words.
const LARGEST_NOTE: usize = 64 << 10;
/// How many jobs are listed at once.
const LARGEST_PAGE: u32 = 1000;

/// A job that is about to be submitted.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub caller: Arc<str>,
    pub kind: String,
    pub title: String,
    /// JSON.
    pub input: String,
    pub lane: Option<String>,
    pub key: Option<String>,
    pub deadline_s: u64,
}

/// The same as the plugin asks for it.
#[derive(Clone, Debug, Default)]
pub struct AskedJob {
    pub kind: String,
    pub title: String,
    pub input: String,
    pub lane: Option<String>,
    pub key: Option<String>,
    pub deadline_s: Option<u32>,
}

/// Whose jobs are meant: those of a caller, of one plugin or of all.
#[derive(Clone, Debug)]
pub struct JobsOf {
    pub caller: Arc<str>,
    pub plugin: Option<Arc<str>>,
}

/// What one run leaves for the next.
#[derive(Debug)]
pub struct Note(pub String);

impl Policy {
    /// `most_s` is what the limits allow.
    pub fn approve_job(&self, asked: AskedJob, most_s: u64) -> Result<Approved<NewJob>> {
        self.may_write("jobs.submit")?;
        self.has_jobs("jobs.submit")?;
        check_text("kind", &asked.kind, LONGEST_WORD)?;
        check_text("title", &asked.title, LONGEST_TITLE)?;
        if let Some(lane) = &asked.lane {
            check_text("lane", lane, LONGEST_WORD)?;
        }
        check_key(asked.key.as_deref())?;
        let size = asked.input.len();
        if size > LARGEST_INPUT {
            return Err(limit(format!(
                "an input of {size} bytes is larger than the {LARGEST_INPUT} that a job takes; leave it in a workspace"
            )));
        }
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&asked.input) {
            return Err(invalid(format!("the input of a job is JSON, and this is none: {error}")));
        }
        Ok(self.approved(NewJob {
            caller: self.caller.clone(),
            kind: asked.kind,
            title: asked.title,
            input: asked.input,
            lane: asked.lane,
            key: asked.key,
            deadline_s: asked.deadline_s.map_or(most_s, |it| u64::from(it.max(1)).min(most_s)),
        }))
    }

    /// A yes to look at the plugin's jobs for the caller at hand.
    pub fn approve_looking_at_jobs(&self) -> Result<Approved<JobsOf>> {
        self.has_jobs("jobs")?;
        let plugin = Some(self.plugin.clone());
        Ok(self.approved(JobsOf { caller: self.caller.clone(), plugin }))
    }

    /// A yes to end one of them.
    pub fn approve_ending_jobs(&self) -> Result<Approved<JobsOf>> {
        self.may_write("jobs.cancel")?;
        self.approve_looking_at_jobs()
    }

    pub fn approve_note(&self, text: String) -> Result<Approved<Note>> {
        self.has_jobs("jobs.note")?;
        if text.len() > LARGEST_NOTE {
            let size = text.len();
            return Err(limit(format!(
                "a note of {size} bytes is larger than the {LARGEST_NOTE} that a job keeps"
            )));
        }
        Ok(self.approved(Note(text)))
    }

    fn has_jobs(&self, what: &str) -> Result<()> {
        if self.grants.jobs {
            return Ok(());
        }
        Err(denied(format!(
            "not allowed: `{what}` needs `plugins.{}.grants.jobs = true`",
            self.plugin
        )))
    }
}

impl Approved<JobsOf> {
    /// A caller sees the jobs that are for them, whichever plugin does them.
    pub fn of_caller(caller: &Arc<str>) -> Self {
        let request = JobsOf { caller: caller.clone(), plugin: None };
        Self { owner: Arc::from(""), request }
    }

    /// The same of those that one plugin does.
    pub fn of_plugin(caller: &Arc<str>, plugin: &str) -> Self {
        let plugin: Arc<str> = Arc::from(plugin);
        let request = JobsOf { caller: caller.clone(), plugin: Some(plugin.clone()) };
        Self { owner: plugin, request }
    }
}

/// How many are listed.
pub fn page_of_jobs(limit: u32) -> u32 {
    limit.clamp(1, LARGEST_PAGE)
}

fn check_text(what: &str, text: &str, longest: usize) -> Result<()> {
    if text.trim().is_empty() || text.len() > longest || text.chars().any(char::is_control) {
        let length = text.len();
        return Err(invalid(format!(
            "the {what} of a job is 1 to {longest} bytes of text in one line, and this one has {length}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::{capability::tools::Hints, config::Grants, error::Failure};

    #[track_caller]
    fn check(jobs: bool, hints: Hints, asked: AskedJob, expected: &Expect) {
        let grants = Grants { jobs, ..Grants::default() };
        let policy = Policy::new("agent", grants).unwrap().for_tool(&Arc::from("start"), hints);
        let told = match policy.approve_job(asked, 60) {
            Ok(job) => format!("{} s for {}", job.request().deadline_s, job.request().caller),
            Err(Failure::Answer(error)) => format!("{:?}: {}", error.code, error.message),
            Err(Failure::Trap(error)) => panic!("{error}"),
        };
        expected.assert_eq(&told);
    }

    fn job() -> AskedJob {
        let text = |text: &str| text.to_owned();
        AskedJob {
            kind: text("run"),
            title: text("a run"),
            input: text("{}"),
            ..Default::default()
        }
    }

    #[test]
    fn jobs_need_a_grant_and_a_tool_that_writes() {
        check(true, Hints::empty(), job(), &expect!["60 s for local"]);
        check(
            false,
            Hints::empty(),
            job(),
            &expect![
                "Code::Denied: not allowed: `jobs.submit` needs `plugins.agent.grants.jobs = true`"
            ],
        );
        check(
            true,
            Hints::READ_ONLY,
            job(),
            &expect!["Code::Denied: tool `start` says it is read-only: `jobs.submit` is refused"],
        );
    }

    #[test]
    fn a_deadline_is_at_most_what_the_limits_allow() {
        let asked = |deadline_s| AskedJob { deadline_s: Some(deadline_s), ..job() };
        check(true, Hints::empty(), asked(5), &expect!["5 s for local"]);
        check(true, Hints::empty(), asked(0), &expect!["1 s for local"]);
        check(true, Hints::empty(), asked(61), &expect!["60 s for local"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let kind = AskedJob { kind: String::new(), ..job() };
        check(
            true,
            Hints::empty(),
            kind,
            &expect![
                "Code::Invalid: the kind of a job is 1 to 128 bytes of text in one line, and this one has 0"
            ],
        );
        let title = AskedJob { title: "two\nlines".to_owned(), ..job() };
        check(
            true,
            Hints::empty(),
            title,
            &expect![
                "Code::Invalid: the title of a job is 1 to 512 bytes of text in one line, and this one has 9"
            ],
        );
        let input = AskedJob { input: "{".to_owned(), ..job() };
        check(
            true,
            Hints::empty(),
            input,
            &expect![
                "Code::Invalid: the input of a job is JSON, and this is none: EOF while parsing an object at line 1 column 1"
            ],
        );
        let input = AskedJob { input: format!("\"{}\"", "x".repeat(LARGEST_INPUT)), ..job() };
        check(
            true,
            Hints::empty(),
            input,
            &expect![
                "Code::Limit: an input of 1048578 bytes is larger than the 1048576 that a job takes; leave it in a workspace"
            ],
        );
    }
}
