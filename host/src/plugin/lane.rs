//! Where calls run: those that answer at once where they came in, those that compute in a lane of their own.
//!
//! A call starts on the thread that read it, which costs no hand-over. One that has used up its time
//! slice moves to threads of low priority, so that whoever computes never stands in another's way.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    thread,
};

use tokio::{runtime::Runtime, task::JoinHandle};

/// How much the threads of the slow lane stand back behind all others.
const NICENESS: i32 = 10;

/// Made when the first call needs it.
#[derive(Default)]
pub(super) struct SlowLane(OnceLock<Option<Runtime>>);

/// Ends the work with the one who waits for it.
struct Awaited<T>(JoinHandle<T>);

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl SlowLane {
    /// Runs `work` here until it says that it computes, and then in the slow lane.
    /// None: it panicked there.
    pub(super) async fn run<F>(&self, computes: &AtomicBool, work: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let mut work = Box::pin(work);
        let here = poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if computes.load(Ordering::Relaxed) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        match here.await {
            Some(output) => Some(output),
            None => self.run_there(work).await,
        }
    }

    /// Runs `work` in the slow lane from the beginning.
    pub(super) async fn run_there<F>(&self, work: Pin<Box<F>>) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let Some(runtime) = self.0.get_or_init(start) else { return Some(work.await) };
        let mut awaited = Awaited(runtime.spawn(work));
        (&mut awaited.0).await.ok()
    }
}

impl Drop for SlowLane {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take().flatten() {
            runtime.shutdown_background();
        }
    }
}

fn start() -> Option<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(thread::available_parallelism().map_or(2, usize::from))
        .thread_name("slow-lane")
        .event_interval(1)
        .on_thread_start(|| {
            if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
                tracing::debug!(%error, "the slow lane keeps its priority");
            }
        })
        .enable_all()
        .build()
        .inspect_err(|error| tracing::error!(%error, "there is no slow lane"))
        .ok()
}
