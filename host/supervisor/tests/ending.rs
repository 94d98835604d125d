//! Nothing is left of a process that is ended, whatever it does; and nothing inside ends the first process.
#![allow(clippy::unwrap_used, reason = "what its tests share may fail as they may")]

mod container;

use std::{
    fs,
    time::{Duration, Instant},
};

use container::{Container, Heard, Line, possible, shell, until};
use rustix::process::{Pid, Signal, kill_process};
use windlass_supervisor::protocol::{Demand, Ended, How, Start};

macro_rules! container {
    () => {
        if possible() { Container::start() } else { return }
    };
}

/// Starts it, waits until it has said `ready`, cancels it, and waits for its end.
fn cancelled(container: &Container, start: Start) -> Ended {
    let (mut heard, mut line) = ready(container, start);
    line.say(&Demand::Cancel);
    heard.hear(&mut line).unwrap()
}

fn ready(container: &Container, start: Start) -> (Heard, Line) {
    let mut line = container.begin(start);
    let mut heard = Heard::default();
    let ended = heard.hear_until(&mut line, |heard| heard.text().contains("ready"));
    assert!(ended.is_none(), "{ended:?} {}", heard.text());
    (heard, line)
}

#[test]
fn what_ends_when_told_to_is_not_waited_for() {
    let container = container!();
    let began = Instant::now();
    let script = "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done";
    let ended = cancelled(&container, shell("e_1", script));
    assert_eq!((ended.how, ended.code), (How::Cancelled, Some(3)));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(container.others().is_empty());
}

#[test]
fn what_ignores_it_is_killed_after_the_grace() {
    let container = container!();
    let script = "trap '' TERM; (sleep 1000; sleep 1000) & sleep 1000 & echo ready; while :; do sleep 1000; done";
    let ended = cancelled(&container, Start { grace_ms: 200, ..shell("e_1", script) });
    assert_eq!((ended.how, ended.signal, ended.message), (How::Cancelled, Some(9), None));
    assert!(ended.wall_ms >= 200 && container.others().is_empty());
}

#[test]
fn a_time_limit_holds_the_same_way() {
    let container = container!();
    let (_, ended) = container.run(Start { timeout_ms: Some(100), ..shell("e_1", "sleep 1000") });
    assert_eq!((ended.how, ended.signal), (How::TimedOut, Some(15)));
    assert!(ended.wall_ms >= 100 && container.others().is_empty());
}

#[test]
fn children_that_flee_are_found() {
    let container = container!();
    for (number, flight) in [
        "setsid sleep 1000 &",
        "(setsid sh -c 'setsid sleep 1000 & sleep 1000' &);",
        "env -i setsid sleep 1000 &",
        "(env -i setsid sh -c 'sleep 1000 & (sleep 1000 &)' &);",
        "setsid sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.1; done' &",
        "WINDLASS_PROCESS=e_forged setsid sleep 1000 &",
    ]
    .iter()
    .enumerate()
    {
        let script = format!("{flight} sleep 0.05; echo ready; sleep 1000");
        let start = Start { grace_ms: 300, ..shell(&format!("e_{number}"), &script) };
        let (mut heard, mut line) = ready(&container, start);
        assert!(container.others().len() >= 2, "{flight}");
        line.say(&Demand::Cancel);
        let ended = heard.hear(&mut line).unwrap();
        assert_eq!((ended.how, ended.message), (How::Cancelled, None), "{flight}");
        assert_eq!(container.others(), Vec::<String>::new(), "{flight}");
        line.say(&Demand::Forget);
    }
}

#[test]
fn an_orphan_that_may_be_anothers_is_left_until_the_last_ends() {
    let container = container!();
    let (_, mut other) = ready(&container, shell("e_1", "echo ready; sleep 1000"));
    let script = "(env -i setsid sleep 1234 &); sleep 0.05; echo ready; sleep 1000";
    let ended = cancelled(&container, shell("e_2", script));
    assert!(ended.message.unwrap().contains("1 processes without a marker may belong to others"));
    assert!(container.others().contains(&"sleep 1234".to_owned()));
    other.say(&Demand::Signal { number: 15 });
    assert_eq!(Heard::default().hear(&mut { other }).unwrap().signal, Some(15));
    until("swept", || container.others().is_empty());
}

#[test]
fn the_end_of_one_leaves_others_and_what_they_left_alone() {
    let container = container!();
    container.run(shell("e_1", "setsid sleep 1111 >/dev/null 2>&1 & (env -i setsid sleep 2222 >/dev/null 2>&1 &); sleep 0.1"));
    let (_, _line) = ready(&container, shell("e_2", "echo ready; exec sleep 3333"));
    cancelled(&container, shell("e_3", "echo ready; sleep 4444"));
    let mut others = container.others();
    others.sort();
    assert_eq!(others, ["sleep 1111", "sleep 2222", "sleep 3333"]);
}

#[test]
fn a_fork_bomb_ends() {
    let container = container!();
    // A shell that cannot fork gives up, so a bomb may go out by itself: sleepers that were there before it stay.
    let sleepers = "i=0; while [ $i -lt 20 ]; do sleep 1000 & i=$((i + 1)); done; echo ready;";
    for (number, bomb) in [
        "(b() { b | b & }; while :; do b; done) 2>/dev/null & exec sleep 1000",
        "setsid sh -c 'trap \"\" TERM; b() { setsid sleep 0.1 & b | b & }; while :; do b; done' 2>/dev/null & exec sleep 1000",
    ]
    .iter()
    .enumerate()
    {
        let script = format!("{sleepers} {bomb}");
        let start = Start { grace_ms: 100, ..shell(&format!("e_{number}"), &script) };
        let (mut heard, mut line) = ready(&container, start);
        until("all are there", || container.others().len() > 20);
        line.say(&Demand::Cancel);
        let ended = heard.hear(&mut line).unwrap();
        assert_eq!((ended.how, ended.message), (How::Cancelled, None));
        assert_eq!(container.others(), Vec::<String>::new());
        line.say(&Demand::Forget);
        assert_eq!(container.run(shell(&format!("e_after_{number}"), "exit 4")).1.code, Some(4));
    }
}

#[test]
fn nothing_inside_ends_or_reads_the_first_process() {
    let container = container!();
    let script = "for s in TERM KILL INT HUP QUIT STOP SEGV CHLD USR1 PIPE ALRM; do kill -$s 1; done; \
                  cat /proc/1/environ; cat /proc/1/mem; ls /proc/1/fd; cat /proc/1/maps; echo ready";
    let (heard, ended) = container.run(shell("e_1", script));
    assert_eq!((heard.text(), ended.code), ("ready\n", Some(0)));
    let refused = String::from_utf8(heard.stderr).unwrap();
    assert_eq!(refused.matches("ermission denied").count(), 4, "{refused}");
    assert!(container.is_alive());
}

#[test]
fn a_stop_from_outside_ends_all() {
    let mut container = container!();
    let script = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let (mut heard, mut line) = ready(&container, shell("e_1", script));
    let first = Pid::from_raw(container.outside()).unwrap();
    kill_process(first, Signal::TERM).unwrap();
    heard.hear_until(&mut line, |heard| heard.text().contains("bye"));
    assert!(container.wait().success());
}

#[test]
fn zombies_are_reaped() {
    let container = container!();
    container.run(shell("e_1", "for i in 1 2 3 4 5 6 7 8; do (sleep 0.01 &); done"));
    let first = container.outside();
    let children = format!("/proc/{first}/task/{first}/children");
    until("reaped", || fs::read_to_string(&children).unwrap().is_empty());
}
