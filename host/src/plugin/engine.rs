//! The engine that all plugins share, and the thread that makes its time pass.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use anyhow::Context as _;
use wasmtime::{Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::lane::SlowLane;

/// How often guests are looked at. A time slice is a whole number of these.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// How many ticks the clock goes on after the last call: the next one seldom is far.
const IDLE_TICKS: u32 = 100;

/// Parts of one component: a language's runtime may need several modules, each with tables.
const PARTS: u32 = 16;

/// How much of a memory or a stack is wiped by hand for the next call, rather than given back to the
/// system and faulted in again. A call touches about so much.
const KEPT_MEMORY: usize = 64 << 10;
/// The same for a table.
const KEPT_TABLE: usize = 16 << 10;

#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    clock: Arc<Clock>,
    slow_lane: Arc<SlowLane>,
}

/// Ticks while calls run, and sleeps while none does.
struct Clock {
    running: AtomicUsize,
    awake: AtomicBool,
    thread: Thread,
}

/// Keeps the clock ticking while a guest computes.
pub struct Running {
    clock: Arc<Clock>,
    /// Whether it lets the clock rest while the guest waits for the host. For a call that is over at once it would be more work than it
    /// saves; a job may wait for hours.
    rests: bool,
    resting: bool,
}

impl Engine {
    /// An engine for so many calls at once, each with so much memory.
    pub fn new(calls: usize, memory: usize) -> anyhow::Result<Self> {
        let calls = u32::try_from(calls).context("server.concurrent_calls is too large")?;
        let mut config = base();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(calls, memory)));
        let inner = wasmtime::Engine::new(&config)
            .map_err(anyhow::Error::from)
            .context("cannot set up memory for so many calls; lower server.concurrent_calls or limits.memory_mib")?;
        let clock = Clock::start(&inner)?;
        Ok(Self { inner, clock, slow_lane: Arc::default() })
    }

    /// An engine that compiles for every machine of this kind, and not for this one only.
    pub fn portable() -> anyhow::Result<wasmtime::Engine> {
        let mut config = base();
        config.target(&format!("{}-unknown-linux-gnu", std::env::consts::ARCH))?;
        Ok(wasmtime::Engine::new(&config)?)
    }

    /// How many instances of guests are in use.
    pub fn guests(&self) -> u64 {
        self.inner.pooling_allocator_metrics().map_or(0, |it| it.component_instances())
    }

    pub fn inner(&self) -> &wasmtime::Engine {
        &self.inner
    }

    pub(super) fn slow_lane(&self) -> &SlowLane {
        &self.slow_lane
    }

    pub(super) fn start_call(&self) -> Running {
        self.start(false)
    }

    /// The same for what takes its time.
    pub(super) fn start_work(&self) -> Running {
        self.start(true)
    }

    fn start(&self, rests: bool) -> Running {
        self.clock.start_one();
        Running { clock: self.clock.clone(), rests, resting: false }
    }
}

impl Running {
    /// The guest waits for the host.
    pub(super) fn wait(&mut self) {
        if self.rests && !self.resting {
            self.resting = true;
            self.clock.running.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The guest computes.
    pub(super) fn go_on(&mut self) {
        if self.resting {
            self.resting = false;
            self.clock.start_one();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.resting {
            self.clock.running.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// All that decides whether compiled code fits.
fn base() -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(true);
    config.concurrency_support(false);
    config.wasm_backtrace_max_frames(None);
    config
}

fn pool(calls: u32, memory: usize) -> PoolingAllocationConfig {
    let parts = calls.saturating_mul(PARTS);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(calls)
        .total_core_instances(parts)
        .total_memories(calls)
        .total_tables(calls.saturating_mul(2))
        .total_stacks(calls)
        .max_core_instances_per_component(PARTS * 4)
        .max_tables_per_component(PARTS)
        .max_memories_per_component(PARTS)
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20)
        .max_memory_size(memory)
        .max_unused_warm_slots(PARTS)
        .linear_memory_keep_resident(KEPT_MEMORY)
        .table_keep_resident(KEPT_TABLE)
        .async_stack_keep_resident(KEPT_MEMORY)
        // Where the system can tell which pages were written, only those are wiped.
        .pagemap_scan(Enabled::Auto);
    pool
}

impl Clock {
    fn start(engine: &wasmtime::Engine) -> anyhow::Result<Arc<Self>> {
        let (send, receive) = std::sync::mpsc::channel::<Arc<Self>>();
        let engine = engine.weak();
        let ticking = thread::Builder::new().name("clock".to_owned()).spawn(move || {
            if let Ok(clock) = receive.recv() {
                clock.tick(&engine);
            }
        })?;
        let thread = ticking.thread().clone();
        let clock =
            Arc::new(Self { running: AtomicUsize::new(0), awake: AtomicBool::new(false), thread });
        send.send(clock.clone()).context("the clock did not start")?;
        Ok(clock)
    }

    fn start_one(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
        if !self.awake.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }

    fn tick(&self, engine: &wasmtime::EngineWeak) {
        let mut idle = 0;
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
            idle = if self.running.load(Ordering::Relaxed) == 0 { idle + 1 } else { 0 };
            if idle > IDLE_TICKS {
                self.awake.store(false, Ordering::Release);
                if self.running.load(Ordering::Acquire) == 0 {
                    thread::park();
                }
                idle = 0;
            }
        }
    }
}
