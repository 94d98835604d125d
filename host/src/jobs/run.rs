//! One run of a job: a guest in an instance of its own, until it is done, asks, fails, or is stopped.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    Board,
    active::Active,
    record::{Failed, Record, State},
};
use crate::{
    audit::{Event, Kind},
    capability::{
        types::{Code, Error},
        work,
    },
    error::{Result, told},
    plugin::{Occasion, Plugin, Run, Stopped},
    time::now,
};

/// How long what was begun may take to be cleaned up.
const CLEANING: Duration = Duration::from_secs(30);
/// How soon it is tried again to write down what has to be.
const RETRY: Duration = Duration::from_secs(1);

/// How a run ended.
enum Ended {
    /// The guest's own answer, or why there is none.
    Ran(Result<Result<work::Outcome, Error>, Error>),
    Stopped,
    Late,
    /// The host ends. The next one runs it again.
    Interrupted,
}

impl Board {
    pub(super) async fn run(self: Arc<Self>, active: Arc<Active>) {
        let _turn = active.turn.lock().await;
        let record = active.record();
        if record.state != State::Queued {
            return self.queue().leave(&active.id);
        }
        let Some(plugin) = (self.plugins)(&record.owner) else {
            self.queue().leave(&active.id);
            return self.line_up(&active);
        };
        let record = active.change(|record| {
            record.state = State::Running;
            record.attempt = record.attempt.max(1);
            record.started.get_or_insert_with(now);
        });
        self.write_surely(&active).await;
        let heard = self.heard(&active);
        heard.say(&format!("attempt {} begins", record.attempt));
        let ended = match self.job(&record, &plugin).await {
            Ok(job) => self.begin(&active, &plugin, job).await,
            Err(error) => Ended::Ran(Err(error)),
        };
        self.settle(&active, &plugin, ended).await;
    }

    async fn begin(
        self: &Arc<Self>,
        active: &Arc<Active>,
        plugin: &Arc<Plugin>,
        job: work::Job,
    ) -> Ended {
        let record = active.record();
        let left = record.deadline().map_or(0, |at| at.saturating_sub(now()));
        let caller = Arc::from(record.caller.as_str());
        let occasion = Occasion::job(&caller, &record.id).noting(&active.effects);
        let observer = Arc::new(self.heard(active));
        let mut ending = self.ending.subscribe();
        tokio::select! {
            biased;
            () = active.stopped() => Ended::Stopped,
            _ = ending.wait_for(|ending| *ending) => Ended::Interrupted,
            () = sleep(Duration::from_millis(left)) => Ended::Late,
            ran = plugin.work(Run(job), occasion, observer) => Ended::Ran(ran),
        }
    }

    /// What a run gets.
    async fn job(&self, record: &Record, plugin: &Plugin) -> Result<work::Job, Error> {
        let gone = |message: String| Error::new(Code::Unavailable, message);
        let texts = self.database.job_texts(&record.id).await;
        let texts = texts.map_err(|failure| gone(format!("{:#}", told(failure))))?;
        let (input, _) = texts.ok_or_else(|| gone("its input is gone".to_owned()))?;
        Ok(work::Job {
            id: record.id.clone(),
            kind: record.kind.clone(),
            input,
            config: plugin.settings.config.to_string(),
            attempt: record.attempt,
            note: record.note.clone(),
            answers: record.asked.as_ref().map(|asked| asked.answers(&record.given)),
        })
    }

    async fn settle(self: &Arc<Self>, active: &Arc<Active>, plugin: &Arc<Plugin>, ended: Ended) {
        match ended {
            Ended::Ran(Ok(Ok(work::Outcome::Done(result)))) => {
                match serde_json::from_str::<serde::de::IgnoredAny>(&result) {
                    Ok(_) => self.complete(active, result).await,
                    Err(error) => {
                        let message = format!("its result is no JSON: {error}");
                        let error = Error::new(Code::Other, message);
                        self.fail(active, Failed::new(error, false)).await;
                    }
                }
            }
            Ended::Ran(Ok(Ok(work::Outcome::Ask(questions)))) => {
                active.change(|record| {
                    record.state = State::InputRequired;
                    record.rounds += 1;
                    record.given.clear();
                    record.asked = Some(questions.into());
                });
                self.write_surely(active).await;
                self.heard(active).say("it asks, and waits for the answer");
                self.queue().leave(&active.id);
                // Whoever answered before it had left its place could not line it up.
                if active.record().state == State::Queued {
                    self.line_up(active);
                }
                self.wake();
            }
            Ended::Ran(Ok(Err(error))) => self.fail(active, Failed::new(error, true)).await,
            Ended::Ran(Err(error)) => {
                self.clean(active, plugin).await;
                self.fail(active, Failed::new(error, false)).await;
            }
            Ended::Stopped => {
                self.clean(active, plugin).await;
                self.finish(active, State::Canceled, None, None).await;
            }
            Ended::Interrupted => {}
            Ended::Late => {
                self.clean(active, plugin).await;
                self.fail(active, overdue(&active.record())).await;
            }
        }
    }

    /// Has the plugin end what a run left behind.
    pub(super) async fn clean(self: &Arc<Self>, active: &Arc<Active>, plugin: &Arc<Plugin>) {
        let record = active.record();
        let heard = Arc::new(self.heard(active));
        let cleaned = async {
            let job = self.job(&record, plugin).await?;
            let caller = Arc::from(record.caller.as_str());
            let occasion = Occasion::job(&caller, &record.id).noting(&active.effects);
            plugin.work(Stopped(job), occasion, heard.clone()).await.flatten()
        };
        let why = match tokio::time::timeout(CLEANING, cleaned).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.message,
            Err(_) => format!("it took more than {} s", CLEANING.as_secs()),
        };
        tracing::warn!(plugin = record.owner, job = record.id, "not cleaned up: {why}");
        heard.say(&format!("what the run left behind is not cleaned up: {why}"));
    }

    pub(super) async fn complete(&self, active: &Arc<Active>, result: String) {
        self.finish(active, State::Completed, None, Some(result)).await;
    }

    pub(super) async fn fail(&self, active: &Arc<Active>, failed: Failed) {
        self.finish(active, State::Failed, Some(failed), None).await;
    }

    /// Writes down how a job ended, and only then says so. A result waits for a disk that is full.
    pub(super) async fn finish(
        &self,
        active: &Arc<Active>,
        state: State,
        failure: Option<Failed>,
        result: Option<String>,
    ) {
        let writing = active.writing.lock().await;
        let mut complained = false;
        let ended = loop {
            let mut record = active.record();
            record.end(state);
            record.failure.clone_from(&failure);
            let written = match record.row() {
                Ok(row) => self.database.end_job(row, result.clone()).await,
                Err(failure) => Err(failure),
            };
            match written {
                Ok(()) => break record,
                Err(failure) => complain(active, &mut complained, failure),
            }
            sleep(RETRY).await;
        };
        self.record_end(active, &ended);
        active.change(|record| *record = ended);
        drop(writing);
        let why = failure.map(|it| format!(": {}", it.message)).unwrap_or_default();
        self.heard(active).say(&format!("{}{why}", state.name()));
        active.log.close();
        for part in ["log", "result"] {
            (self.hear)(active.news_of(part));
        }
        self.forget_active(&active.id);
    }

    /// Puts how a job ended into the record of what happens.
    fn record_end(&self, active: &Active, ended: &Record) {
        let tool = ended.tool.as_ref().unwrap_or(&ended.kind);
        let error = match (&ended.failure, ended.state) {
            (Some(failed), _) => Some(failed.message.clone()),
            (None, State::Canceled) => Some("canceled".to_owned()),
            (None, _) => None,
        };
        let plugin = (self.plugins)(&ended.owner);
        let ms = now().saturating_sub(ended.started.unwrap_or(ended.created));
        let mut effects = vec![format!("job {} {}", ended.state.name(), ended.id)];
        effects.extend(active.effects.take());
        self.audit.note(Event {
            plugin: ended.owner.clone(),
            digest: plugin.map(|it| it.digest.clone()),
            error,
            effects,
            duration_us: ms.saturating_mul(1000),
            ..Event::new(Kind::Job, &ended.caller, tool)
        });
    }

    /// Writes a record, however long it takes.
    async fn write_surely(&self, active: &Arc<Active>) {
        let mut complained = false;
        while let Err(failure) = self.write(active).await {
            complain(active, &mut complained, failure);
            sleep(RETRY).await;
        }
    }
}

/// Says once that something cannot be written down.
fn complain(active: &Active, complained: &mut bool, failure: crate::error::Failure) {
    if !std::mem::replace(complained, true) {
        tracing::error!(job = active.id, "it cannot be written down: {:#}", told(failure));
    }
}

/// What a job fails with whose time is over.
pub(super) fn overdue(record: &Record) -> Failed {
    let (owner, seconds) = (&record.owner, record.deadline_s);
    let message = format!(
        "out of time: this job had {seconds} s; the most is `plugins.{owner}.limits.job_seconds`"
    );
    Failed::new(Error::new(Code::Timeout, message), false)
}
