//! One call of a guest, from the fresh store to the answer.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use tokio::time::timeout;
use wasmtime::{CallHook, Store, UpdateDeadline, component::ResourceTable};

use super::{Entry, Meter, Observer, Occasion, Plugin, engine::Running, meter::TooManyHostCalls};
use crate::{
    capability::{
        CallState,
        types::{Code, Error},
    },
    config::Limits,
    figures::Stage,
    traces,
};

/// The most that a guest may hand over at once, whatever for.
const LARGEST_TRANSFER: usize = 32 << 20;

/// How a call failed beyond what the guest itself answers.
enum Stopped {
    Deadline,
    Panicked,
    Trapped { error: wasmtime::Error, memory_refused: bool },
}

impl Plugin {
    /// Calls a function of the guest in a world of its own. Dropping the future stops the guest.
    pub async fn enter<E: Entry>(
        self: &Arc<Self>,
        entry: E,
        occasion: Occasion<'_>,
        observer: Arc<dyn Observer>,
    ) -> Result<E::Exit, Error> {
        if let Some(remaining) = self.quarantine.remaining() {
            return Err(self.out_of_service(remaining.as_secs() + 1));
        }
        let limits = self.limits();
        let store = self.store(occasion, limits, self.engine.start_call(), observer);
        let computes = store.data().meter.computes();
        let work = AssertUnwindSafe(run(self.clone(), store, entry)).catch_unwind();
        // It takes its trace along when it moves to other threads.
        let work = traces::within(traces::current(), work);
        let lane = self.engine.slow_lane().run(&computes, work);
        let lane = self.doors.figures.time(Stage::Guest, lane);
        let stopped = match timeout(limits.deadline(), lane).await {
            Err(_) => Stopped::Deadline,
            Ok(None | Some(Err(_))) => Stopped::Panicked,
            Ok(Some(Ok(Err(stopped)))) => stopped,
            Ok(Some(Ok(Ok(answer)))) => {
                self.quarantine.forget_crashes();
                return answer.and_then(|exit| self.within_output::<E>(exit));
            }
        };
        Err(self.explain(&stopped, &limits, "memory_mib"))
    }

    /// Whether it crashed so often that it is left alone for a while.
    pub fn is_out_of_service(&self) -> bool {
        self.quarantine.remaining().is_some()
    }

    /// The same for a job, which takes its time: it runs behind all calls, with limits of its own, and whoever waits for it decides
    /// how long that may be, and whether a plugin that is out of service is entered: what ends a job has to be. The inner result is the
    /// guest's own.
    pub async fn work<E: Entry>(
        self: &Arc<Self>,
        entry: E,
        occasion: Occasion<'_>,
        observer: Arc<dyn Observer>,
    ) -> Result<Result<E::Exit, Error>, Error> {
        let limits = self.limits().of_job();
        let store = self.store(occasion, limits, self.engine.start_work(), observer);
        let work = AssertUnwindSafe(run(self.clone(), store, entry)).catch_unwind();
        let work = traces::within(traces::current(), work);
        let stopped = match self.engine.slow_lane().run_there(Box::pin(work)).await {
            None | Some(Err(_)) => Stopped::Panicked,
            Some(Ok(Err(stopped))) => stopped,
            Some(Ok(Ok(answer))) => {
                self.quarantine.forget_crashes();
                return Ok(answer.and_then(|exit| self.within_output::<E>(exit)));
            }
        };
        Err(self.explain(&stopped, &limits, "job_memory_mib"))
    }

    fn store(
        &self,
        occasion: Occasion<'_>,
        limits: Limits,
        running: Running,
        observer: Arc<dyn Observer>,
    ) -> Store<CallState> {
        let mut policy = match occasion.promise {
            Some((tool, hints)) => {
                let policy = self.policy.for_tool(tool, hints);
                occasion.trial.map_or(policy.clone(), |changes| policy.on_trial(changes))
            }
            None => self.policy.clone(),
        };
        if let Some(caller) = occasion.caller {
            policy = policy.for_caller(caller);
        }
        let state = CallState {
            policy,
            doors: self.doors.clone(),
            web: self.web.clone(),
            counters: self.counters.clone(),
            memory: self.memory.clone(),
            table: ResourceTable::new(),
            meter: Meter::new(limits),
            observer,
            job: occasion.job.map(Arc::from),
            trace: traces::current(),
            effects: occasion.effects.cloned().unwrap_or_default(),
            running,
            wasi: None,
        };
        store(self.engine.inner(), state, limits.slice_ms)
    }

    /// What the caller reads. What the operator needs to know goes to the log, once.
    fn explain(&self, stopped: &Stopped, limits: &Limits, memory: &str) -> Error {
        let name = self.name();
        match stopped {
            Stopped::Deadline => Error::new(
                Code::Timeout,
                format!(
                    "out of time: plugin `{name}` may take {} s for one call (`plugins.{name}.limits.deadline_seconds`)",
                    limits.deadline_seconds
                ),
            ),
            Stopped::Panicked => {
                tracing::error!(plugin = name, "the host panicked in a call");
                Error::new(
                    Code::Other,
                    "the host failed in this call; its log says more".to_owned(),
                )
            }
            Stopped::Trapped { error, memory_refused } => {
                self.explain_trap(error, memory_refused.then_some(memory), limits)
            }
        }
    }

    /// `memory` is the limit that was too little, if one was.
    fn explain_trap(&self, trap: &wasmtime::Error, memory: Option<&str>, limits: &Limits) -> Error {
        let name = self.name();
        tracing::warn!(plugin = name, trap = format!("{trap:#}"), "a call trapped");
        if trap.downcast_ref::<TooManyHostCalls>().is_some() {
            return Error::new(
                Code::Limit,
                format!(
                    "plugin `{name}` called the host more than {} times in one call (`plugins.{name}.limits.host_calls`)",
                    limits.host_calls
                ),
            );
        }
        if is_too_much_output(trap) {
            return self.too_much_output();
        }
        if trap.is::<wasmtime::PoolConcurrencyLimitError>() {
            // Calls that were given up have not all left their places yet.
            let message = "busy: calls are still ending; try again in a moment, or raise `server.concurrent_calls`";
            return Error::new(Code::Limit, message);
        }
        let out = self.quarantine.count_crash(limits.crashes, limits.quarantine());
        if out {
            tracing::error!(
                plugin = name,
                "out of service after {} crashes in a row",
                limits.crashes
            );
        }
        if let Some(key) = memory {
            return Error::new(
                Code::Limit,
                format!(
                    "plugin `{name}` needs more memory than its {} MiB (`plugins.{name}.limits.{key}`)",
                    limits.memory_mib
                ),
            );
        }
        Error::new(Code::Other, format!("plugin `{name}` crashed; the host's log says where"))
    }

    fn within_output<E: Entry>(&self, exit: E::Exit) -> Result<E::Exit, Error> {
        if E::size(&exit) > self.limits().output() { Err(self.too_much_output()) } else { Ok(exit) }
    }

    fn too_much_output(&self) -> Error {
        let name = self.name();
        let most = self.limits().output_mib;
        Error::new(
            Code::Limit,
            format!(
                "the result of plugin `{name}` is larger than {most} MiB (`plugins.{name}.limits.output_mib`)"
            ),
        )
    }

    fn out_of_service(&self, seconds: u64) -> Error {
        let name = self.name();
        let crashes = self.limits().crashes;
        Error::new(
            Code::Unavailable,
            format!(
                "plugin `{name}` is out of service after {crashes} crashes in a row; it is tried again in {seconds} s"
            ),
        )
    }
}

/// A store for one call of a guest.
pub(super) fn store(engine: &wasmtime::Engine, state: CallState, slice: u64) -> Store<CallState> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.meter);
    store.set_hostcall_fuel(LARGEST_TRANSFER);
    store.call_hook(|mut context, hook| {
        let state = context.data_mut();
        match hook {
            CallHook::CallingHost => {
                state.meter.count_host_call()?;
                state.running.wait();
            }
            CallHook::ReturningFromHost => state.running.go_on(),
            CallHook::CallingWasm | CallHook::ReturningFromWasm => {}
        }
        Ok(())
    });
    // The first slice runs where the call came in, before others that wait there.
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |context| {
        context.data().meter.use_up_slice();
        Ok(UpdateDeadline::Yield(slice))
    });
    store
}

/// The clock, which the store keeps going, ticks until the guest has really stopped; its caller may have gone before.
async fn run<E: Entry>(
    plugin: Arc<Plugin>,
    mut store: Store<CallState>,
    entry: E,
) -> Result<Result<E::Exit, Error>, Stopped> {
    let entered = async {
        let instance = plugin.instance.instantiate_async(&mut store).await?;
        entry.enter(&mut store, &instance, &plugin.exports).await
    };
    let result = entered.await;
    store.data_mut().flush_printed();
    result.map_err(|error| {
        let memory_refused = store.data().meter.memory_was_refused();
        Stopped::Trapped { error, memory_refused }
    })
}

/// Wasmtime's own limit on what crosses from a guest has no type to ask for.
fn is_too_much_output(trap: &wasmtime::Error) -> bool {
    format!("{trap:#}").contains("fuel allocated for hostcalls")
}
