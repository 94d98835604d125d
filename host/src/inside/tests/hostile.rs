//! A supervisor that says what it should not, and strangers that pose as one.

use tokio::{io::AsyncWriteExt as _, net::UnixStream};
use windlass_supervisor::protocol::{Demand, Hello, Kind, Order, VERSION};

use super::played::{LONG, Line, State, named, play, wanted};
use crate::{inside::frames, policy::Reach};

#[tokio::test]
async fn a_stranger_is_not_heard() {
    let state = State::new();
    let inside = state.inside();
    inside.prepare("coder", "c_1", Reach::Granted).await.unwrap();
    let early = state.dial(&Hello::Control { version: VERSION, processes: Vec::new() }).await;
    inside.trust("c_1", 1);
    early.closed().await;
    let late = state.dial(&Hello::Control { version: VERSION, processes: Vec::new() }).await;
    late.closed().await;
    inside.trust("c_1", std::process::id());
    state.control(&[]).await;
}

#[tokio::test]
async fn a_crowd_of_strangers_is_sent_away() {
    let state = State::new();
    let inside = state.inside();
    inside.prepare("coder", "c_1", Reach::Granted).await.unwrap();
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(state.dial(&Hello::Egress { port: 1 }).await);
    }
    inside.trust("c_1", std::process::id());
    state.control(&[]).await;
    assert!(inside.ready("c_1", LONG).await.unwrap());
    for line in crowd {
        line.closed().await;
    }
}

#[tokio::test]
async fn nonsense_ends_a_connection_and_nothing_else() {
    let state = State::new();
    let (inside, mut control) = state.furnished().await;
    let id = inside.start("c_1", wanted(None)).await.unwrap();
    control.start().await;
    let hello = frames::message(&Hello::Process { id: id.clone(), again: false }).unwrap();
    let deep = frames::frame(Kind::Message, &["[".repeat(1 << 19).as_bytes()]);
    for nonsense in [
        vec![0; 100],
        vec![255; 100],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        frames::frame(Kind::Message, &[b"{\"unheard\":1}"]),
        frames::frame(Kind::Chunk, &[&[0; 30]]),
        deep.clone(),
        [hello.clone(), vec![255; 8]].concat(),
        [hello.clone(), deep].concat(),
        [hello.clone(), frames::frame(Kind::Input, &[b"x"])].concat(),
        [hello.clone(), frames::frame(Kind::Chunk, &[b"short"])].concat(),
        [hello, frames::frame(Kind::Message, &[b"{\"ended\":{}}"])].concat(),
    ] {
        let path = state.path("containers/c_1/host");
        let mut line = Line(UnixStream::connect(path).await.unwrap());
        // The host may have hung up before all of it is said.
        let _ = line.0.write_all(&nonsense).await;
        line.closed().await;
    }
    play(&state, &id).await;
    assert_eq!(inside.running("coder").len(), 0);
}

#[tokio::test]
async fn a_gap_in_the_output_is_dialled_again() {
    let state = State::new();
    let (inside, mut control) = state.furnished().await;
    let id = inside.start("c_1", wanted(None)).await.unwrap();
    control.start().await;
    let mut line = state.process(&id, false).await;
    line.print(1, b"one").await;
    line.print(3, b"three").await;
    line.closed().await;
    let mut line = state.process(&id, true).await;
    assert_eq!(line.hear::<Demand>().await, Demand::Resume { after: 1 });
    line.print(1, b"other").await;
    line.print(2, b"two").await;
    line.end(3).await;
    line.closed().await;
    // A later connection takes the place of an earlier one.
    let mut earlier = state.process(&id, true).await;
    assert_eq!(earlier.hear::<Demand>().await, Demand::Resume { after: 2 });
    let mut line = state.process(&id, true).await;
    earlier.closed().await;
    assert_eq!(line.hear::<Demand>().await, Demand::Resume { after: 2 });
    line.print(3, b"three").await;
    line.end(3).await;
    assert_eq!(line.hear::<Demand>().await, Demand::Forget);
    let output = inside.read(&named("coder", &id), 0, 99, LONG).await.unwrap();
    let all: Vec<_> = output.chunks.iter().map(|chunk| chunk.data.as_slice()).collect();
    assert_eq!(all, [b"one".as_slice(), b"two", b"three"]);
}

#[tokio::test]
async fn a_process_that_nobody_knows_is_forgotten() {
    let state = State::new();
    let (_inside, _control) = state.furnished().await;
    let mut line = state.process("e_unknown", true).await;
    assert_eq!(line.hear::<Demand>().await, Demand::Cancel);
    assert_eq!(line.hear::<Demand>().await, Demand::Forget);
    line.closed().await;
}

#[tokio::test]
async fn the_latest_control_connection_counts() {
    let state = State::new();
    let (inside, first) = state.furnished().await;
    let mut second = state.control(&[]).await;
    first.0.closed().await;
    assert!(inside.ready("c_1", LONG).await.unwrap());
    let id = inside.start("c_1", wanted(None)).await.unwrap();
    assert_eq!(second.start().await.id, id);
}

#[tokio::test]
async fn another_version_is_left_to_the_engine() {
    let state = State::new();
    let inside = state.inside();
    inside.prepare("coder", "c_1", Reach::Granted).await.unwrap();
    inside.trust("c_1", std::process::id());
    let mut line = state.dial(&Hello::Control { version: 99, processes: Vec::new() }).await;
    assert_eq!(line.hear::<Order>().await, Order::Welcome { version: VERSION });
    let refused = format!("{:?}", inside.ready("c_1", LONG).await.unwrap_err());
    assert!(refused.contains("speaks version 99 of its protocol"), "{refused}");
}
