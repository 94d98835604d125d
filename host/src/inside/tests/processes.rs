//! Processes from their start to their end, and across the end of the host.

use std::{
    sync::{Arc, Barrier},
    time::Duration,
};

use windlass_supervisor::protocol::{Demand, Order, Report};

use super::played::{LONG, SECRET, State, ended, named, play, wanted};
use crate::{
    error::Failure,
    inside::{Carrier, Ending, How, Inside, State as Phase, WORKERS},
};

fn how(inside: &Inside, id: &str) -> String {
    match inside.info(&named("coder", id)).unwrap().state {
        Phase::Queued => "queued".to_owned(),
        Phase::Running => "running".to_owned(),
        Phase::Ended(ending) => format!("{:?}", ending.how).to_lowercase(),
    }
}

async fn over(inside: &Inside, id: &str) -> Ending {
    let mut after = 0;
    loop {
        let output = inside.read(&named("coder", id), after, 1 << 20, LONG).await.unwrap();
        after = output.chunks.last().map_or(after, |chunk| chunk.seq);
        match output.state {
            Phase::Ended(ending) if output.complete => return ending,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_process_is_started_read_and_forgotten() {
    let state = State::new();
    let (inside, mut control) = state.furnished().await;
    let id = inside.start("c_1", wanted(None)).await.unwrap();
    let start = control.start().await;
    assert_eq!((&start.id, &start.env[0].1), (&id, &SECRET.to_owned()));
    let mut line = state.process(&id, false).await;
    line.say(&Report::Started { pid: 2 }).await;
    let process = named("coder", &id);
    let waiting = inside.read(&process, 0, 1 << 20, LONG);
    let (output, ()) = tokio::join!(waiting, line.print(1, b"hello"));
    let output = output.unwrap();
    assert_eq!(output.chunks[0].data, b"hello");
    assert!(!output.complete && output.state == Phase::Running);
    let nothing = inside.read(&process, 1, 1 << 20, Duration::ZERO).await.unwrap();
    assert!(nothing.chunks.is_empty());
    line.end(1).await;
    // By the time that the supervisor may forget it, everybody can see that it has ended.
    assert_eq!(line.hear::<Demand>().await, Demand::Forget);
    assert_eq!(how(&inside, &id), "exited");
    assert_eq!(inside.info(&process).unwrap().stdout_bytes, 5);
    for file in ["state.db", "state.db-wal"] {
        let bytes = std::fs::read(state.path(file)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(SECRET), "{file}");
    }
    assert!(inside.running("coder").is_empty());
    inside.cancel(&process).await.unwrap();
    assert!(inside.signal(&process, 15).is_err());
}

#[tokio::test]
async fn another_plugins_process_is_not_there() {
    let state = State::new();
    let (inside, _control) = state.furnished().await;
    let id = inside.start("c_1", wanted(None)).await.unwrap();
    for (plugin, id) in [("other", id.as_str()), ("coder", "e_none")] {
        let Err(Failure::Answer(error)) = inside.info(&named(plugin, id)) else { panic!("{id}") };
        assert_eq!(error.message, format!("there is no process `{id}`"));
        assert!(inside.cancel(&named(plugin, id)).await.is_err());
        assert!(inside.signal(&named(plugin, id), 9).is_err());
        assert!(inside.read(&named(plugin, id), 0, 1, Duration::ZERO).await.is_err());
    }
}

#[tokio::test]
async fn four_run_and_the_others_wait_in_order() {
    let state = State::new();
    let (inside, mut control) = state.furnished().await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(inside.start("c_1", wanted(None)).await.unwrap());
    }
    for id in &ids[..4] {
        assert_eq!(&control.start().await.id, id);
    }
    let states: Vec<_> = ids.iter().map(|id| how(&inside, id)).collect();
    assert_eq!(states[3..], ["running", "queued", "queued", "queued"]);
    inside.cancel(&named("coder", &ids[4])).await.unwrap();
    assert_eq!(how(&inside, &ids[4]), "cancelled");
    play(&state, &ids[1]).await;
    assert_eq!(control.start().await.id, ids[5]);
    // What is in line for an engine gets its turn as well.
    let (id, feed) = inside.start_elsewhere("c_1", wanted(None)).await.unwrap();
    let feed = feed.unwrap();
    play(&state, &ids[0]).await;
    assert_eq!(control.start().await.id, ids[6]);
    assert_eq!(how(&inside, &id), "queued");
    play(&state, &ids[2]).await;
    assert!(feed.admitted().await);
    feed.chunk(true, &[7; 100_000]).await.unwrap();
    feed.ended(Ending::without(How::Exited, None)).await;
    let seen = inside.info(&named("coder", &id)).unwrap();
    assert_eq!((seen.carrier, seen.stderr_bytes), (Carrier::Engine, 100_000));
    let (id, feed) = inside.start_elsewhere("c_1", wanted(None)).await.unwrap();
    drop(feed);
    assert_eq!(over(&inside, &id).await.how, How::Lost);
    inside.cancel_all("c_1").await;
    let mut cancelled = Vec::new();
    while cancelled.len() < 3 {
        if let Order::Cancel { id } = control.order().await {
            cancelled.push(id);
        }
    }
    assert_eq!(cancelled, [&ids[6], &ids[5], &ids[3]].map(String::clone));
}

#[tokio::test]
async fn a_key_stands_for_one_process_however_often_it_is_asked() {
    let state = State::new();
    let (inside, mut control) = state.furnished().await;
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let inside = inside.clone();
        asked.spawn(async move { inside.start("c_1", wanted(Some("k"))).await.unwrap() });
    }
    let ids = asked.join_all().await;
    let id = control.start().await.id;
    assert!(ids.iter().all(|other| *other == id));
    let other = inside.start("c_1", wanted(Some("l"))).await.unwrap();
    assert_eq!(control.start().await.id, other);
    play(&state, &id).await;
    drop(inside);
    let inside = state.inside();
    state.greet(&inside, &[&other]).await;
    assert_eq!(inside.start("c_1", wanted(Some("k"))).await.unwrap(), id);
    assert_eq!(inside.start("c_1", wanted(Some("l"))).await.unwrap(), other);
}

#[tokio::test]
async fn the_next_host_takes_up_what_runs() {
    let state = State::new();
    let (inside, mut control) = state.furnished().await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(inside.start("c_1", wanted(None)).await.unwrap());
    }
    let (queued, feed) = inside.start_elsewhere("c_1", wanted(None)).await.unwrap();
    for id in &ids[..4] {
        assert_eq!(&control.start().await.id, id);
    }
    let mut line = state.process(&ids[0], false).await;
    line.print(1, b"one").await;
    let first = inside.read(&named("coder", &ids[0]), 0, 99, LONG).await.unwrap();
    assert_eq!(first.chunks.len(), 1);
    let mut gone = state.process(&ids[1], false).await;
    gone.end(0).await;
    assert_eq!(gone.hear::<Demand>().await, Demand::Forget);
    assert_eq!(control.start().await.id, ids[4]);
    std::mem::forget(feed);
    drop(inside);

    let inside = state.inside();
    assert_eq!(over(&inside, &queued).await.how, How::Lost);
    assert_eq!(how(&inside, &ids[1]), "exited");
    assert_eq!(how(&inside, &ids[5]), "queued");
    // The supervisor has lost two of them: their places go to the one in line.
    let mut control = state.greet(&inside, &[&ids[0], &ids[4]]).await;
    assert_eq!(control.start().await.id, ids[5]);
    assert_eq!(over(&inside, &ids[2]).await.how, How::Lost);
    let mut line = state.process(&ids[0], true).await;
    assert_eq!(line.hear::<Demand>().await, Demand::Resume { after: 1 });
    line.print(2, b"two").await;
    line.end(2).await;
    assert_eq!(line.hear::<Demand>().await, Demand::Forget);
    let all = inside.read(&named("coder", &ids[0]), 0, 99, LONG).await.unwrap();
    let all: Vec<_> = all.chunks.iter().map(|chunk| chunk.data.as_slice()).collect();
    assert_eq!(all, [b"one", b"two"]);
}

#[tokio::test]
async fn a_container_that_stops_takes_its_processes_along() {
    let state = State::new();
    let (inside, mut control) = state.furnished().await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(inside.start("c_1", wanted(None)).await.unwrap());
    }
    control.start().await;
    inside.distrust("c_1").await;
    let states: Vec<_> = ids.iter().map(|id| how(&inside, id)).collect();
    assert_eq!(states, ["lost", "lost", "lost", "lost", "refused", "refused"]);
    control.0.closed().await;
    inside.remove("c_1").await.unwrap();
    assert!(!state.path("containers/c_1").exists());
    assert!(inside.start("c_1", wanted(None)).await.is_err());
    assert_eq!(inside.forget_before(u64::MAX).await.unwrap(), 6);
    assert!(inside.info(&named("coder", &ids[0])).is_err());
    drop(inside);
    assert!(state.inside().info(&named("coder", &ids[0])).is_err());
}

#[tokio::test]
async fn an_order_that_did_not_get_there_is_given_again() {
    let state = State::new();
    let (inside, control) = state.furnished().await;
    drop(control);
    let id = inside.start("c_1", wanted(None)).await.unwrap();
    inside.cancel(&named("coder", &id)).await.unwrap();
    let mut control = state.control(&[]).await;
    assert_eq!(control.start().await.id, id);
    let mut line = state.process(&id, false).await;
    assert_eq!(line.hear::<Demand>().await, Demand::Cancel);
}

#[tokio::test]
async fn a_full_disk_holds_the_process_and_loses_nothing() {
    let state = State::new();
    let (inside, mut control) = state.furnished().await;
    let id = inside.start("c_1", wanted(None)).await.unwrap();
    control.start().await;
    let way = state.path("results").join("c_1");
    std::fs::write(&way, b"in the way").unwrap();
    let mut line = state.process(&id, false).await;
    line.print(1, b"one").await;
    line.print(2, b"two").await;
    line.end(2).await;
    let process = Arc::new(named("coder", &id));
    let early = inside.read(&process, 0, 99, Duration::from_millis(300)).await.unwrap();
    assert!(early.chunks.is_empty() && !early.complete);
    std::fs::remove_file(way).unwrap();
    assert_eq!(
        over(&inside, &id).await,
        Ending { ended: over(&inside, &id).await.ended, ..ended(2).into() }
    );
    assert_eq!(inside.read(&process, 0, 99, LONG).await.unwrap().chunks.len(), 2);
}

#[tokio::test]
async fn what_has_ended_holds_no_file_open() {
    let state = State::new();
    let (inside, mut control) = state.furnished().await;
    let open = || {
        let files = std::fs::read_dir("/proc/self/fd").unwrap();
        let mine = state.path("results");
        let leads = |file: std::fs::DirEntry| std::fs::read_link(file.path()).ok();
        files.flatten().filter_map(leads).filter(|file| file.starts_with(&mine)).count()
    };
    let mut ids = Vec::new();
    for _ in 0..8 {
        let id = inside.start("c_1", wanted(None)).await.unwrap();
        control.start().await;
        let mut line = state.process(&id, false).await;
        line.print(1, b"one").await;
        line.end(1).await;
        assert_eq!(line.hear::<Demand>().await, Demand::Forget);
        ids.push(id);
    }
    assert_eq!(open(), 0);
    drop(inside);
    let inside = state.inside();
    for id in &ids {
        let output = inside.read(&named("coder", id), 0, 99, LONG).await.unwrap();
        assert!(output.complete && output.chunks.len() == 1);
    }
    assert_eq!(open(), 0);
    assert_eq!(inside.forget_before(u64::MAX).await.unwrap(), 8);
    assert_eq!(std::fs::read_dir(state.path("results")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_supervisor_that_is_gone_is_no_connection_though_nobody_has_heard_of_it_yet() {
    let state = State::new();
    let (inside, control) = state.furnished().await;
    assert!(inside.is_connected("c_1"));
    // The threads that would hear of it have something else to do.
    let (busy, free) = (Arc::new(Barrier::new(WORKERS + 1)), Arc::new(Barrier::new(WORKERS + 1)));
    for _ in 0..WORKERS {
        let (busy, free) = (busy.clone(), free.clone());
        inside.spawn(async move { (busy.wait(), free.wait()) });
    }
    busy.wait();
    drop(control);
    let connected = inside.is_connected("c_1");
    free.wait();
    assert!(!connected);
}
