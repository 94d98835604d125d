//! What a process gets, what of it is heard, and how its end is told.

mod container;

use container::{Container, Heard, possible, shell, until};
use windlass_supervisor::protocol::{Demand, How, MOST_UNACKNOWLEDGED, Order, Report, Start};

macro_rules! container {
    () => {
        if possible() { Container::start() } else { return }
    };
}

#[test]
fn output_exit_codes_and_signals_are_told() {
    let container = container!();
    let (heard, ended) = container.run(shell("e_1", "echo out; echo err >&2; exit 7"));
    assert_eq!((heard.text(), &heard.stderr[..]), ("out\n", &b"err\n"[..]));
    assert_eq!((ended.how, ended.code, ended.signal), (How::Exited, Some(7), None));
    assert!(ended.memory_kib > 0 && heard.pid > 1);
    let (_, ended) = container.run(shell("e_2", "kill -USR1 $$"));
    assert_eq!((ended.how, ended.code, ended.signal), (How::Exited, None, Some(10)));
    let (_, ended) =
        container.run(shell("e_3", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"));
    assert!(ended.cpu_ms > 0 && ended.cpu_ms <= ended.wall_ms + 100);
}

#[test]
fn environment_folder_and_stdin_are_as_ordered() {
    let container = container!();
    let script = "echo $OF_THE_CONTAINER $MINE $WINDLASS_PROCESS; pwd; cat; ls -l /proc/$$/fd";
    let mut start = shell("e_1", script);
    start.env = vec![("MINE".into(), "a b".into()), ("WINDLASS_PROCESS".into(), "forged".into())];
    start.cwd = "/usr".into();
    let (heard, _) = container.run(start);
    let mut lines = heard.text().lines();
    assert_eq!(lines.next(), Some("yes a b e_1"));
    assert_eq!(lines.next(), Some("/usr"));
    // Nothing of the supervisor's is inherited.
    let rest: Vec<_> = lines.collect();
    assert!(
        !rest.iter().any(|line| line.contains("socket:") || line.contains("anon_inode:")),
        "{rest:?}"
    );
}

#[test]
fn input_comes_in_order_and_ends() {
    let container = container!();
    let mut line =
        container.begin(Start { input: true, ..shell("e_1", "sleep 0.05; cat; echo end") });
    let all: Vec<u8> = (0..3_000_000u32).map(|number| number as u8).collect();
    all.chunks(100_000).for_each(|part| line.input(part));
    line.input(b"");
    let mut heard = Heard::default();
    let ended = heard.hear(&mut line).unwrap();
    assert_eq!(ended.code, Some(0));
    assert!(heard.stdout == [&all[..], b"end\n"].concat());
}

#[test]
fn a_process_that_reads_nothing_can_still_be_cancelled() {
    let container = container!();
    let mut line = container.begin(Start { input: true, ..shell("e_1", "sleep 1000") });
    let mut sender = line.stream.try_clone().unwrap();
    let flood = std::thread::spawn(move || {
        use std::io::Write as _;
        let part = windlass_supervisor::frames::frame(
            windlass_supervisor::protocol::Kind::Input,
            &[7; 500_000],
        );
        (0..40).try_for_each(|_| sender.write_all(&part)).is_err()
    });
    container.order(&Order::Cancel { id: "e_1".into() });
    let ended = Heard::default().hear(&mut line).unwrap();
    assert_eq!(ended.how, How::Cancelled);
    line.stream.shutdown(std::net::Shutdown::Both).unwrap();
    flood.join().unwrap();
}

#[test]
fn a_terminal_is_one() {
    let container = container!();
    let script = "test -t 0 && test -t 1 && test -t 2 && stty size && read line && echo got $line; \
                  exec 3</dev/tty && echo controlled";
    let start = Start { terminal: Some((30, 90)), input: true, ..shell("e_1", script) };
    let mut line = container.begin(start);
    line.input(b"hello\n");
    let mut heard = Heard::default();
    let ended = heard.hear(&mut line).unwrap();
    assert_eq!(ended.code, Some(0), "{}", heard.text());
    for part in ["30 90\r\n", "got hello\r\n", "controlled\r\n"] {
        assert!(heard.text().contains(part), "{}", heard.text());
    }
}

#[test]
fn why_a_process_does_not_start_is_said() {
    let container = container!();
    let refused = |change: &dyn Fn(&mut Start)| {
        let mut start = shell("e_1", "true");
        change(&mut start);
        let (heard, ended) = container.run(start);
        assert_eq!((ended.how, ended.last, heard.pid), (How::Refused, 0, 0));
        ended.message.unwrap()
    };
    let missing = "`foo`: no such program in the container";
    assert_eq!(refused(&|it| it.command = vec!["foo".into()]), missing);
    assert_eq!(refused(&|it| it.command = vec!["/foo".into()]), missing.replace("foo", "/foo"));
    assert_eq!(refused(&|it| it.command.clear()), "`command` is empty");
    let denied = refused(&|it| it.command = vec!["/etc/passwd".into()]);
    assert_eq!(denied, "`/etc/passwd` may not be executed by the container's user");
    assert_eq!(
        refused(&|it| it.cwd = "/nowhere".into()),
        "`cwd`: no such folder in the container: `/nowhere`"
    );
    assert_eq!(refused(&|it| it.cwd = "/etc/passwd".into()), "`cwd`: `/etc/passwd` is no folder");
    assert!(
        refused(&|it| it.env = vec![("A\0B".into(), String::new())]).contains("cannot be started")
    );
    assert!(refused(&|it| it.command.push("x".repeat(300_000))).contains("too long"));
}

#[test]
fn a_container_at_its_limit_says_so_and_lives() {
    if !possible() {
        return;
    }
    let container = Container::start_with("8");
    let mut line =
        container.begin(shell("e_1", "for i in 1 2 3 4 5 6; do sleep 1000 & done; wait"));
    until("its limit", || container.others().len() >= 7);
    let (_, ended) = container.run(shell("e_2", "true"));
    assert_eq!(
        ended.message.unwrap(),
        "no process can be started: the container is at its limit of processes"
    );
    line.say(&Demand::Cancel);
    Heard::default().hear(&mut line).unwrap();
    until("room", || container.others().is_empty());
    assert_eq!(container.run(shell("e_3", "exit 3")).1.code, Some(3));
}

#[test]
fn a_known_process_is_not_started_twice() {
    let container = container!();
    let start = shell("e_1", "echo once; read x </dev/zero; sleep 1000");
    let mut first = container.begin(start.clone());
    let mut heard = Heard::default();
    heard.hear_until(&mut first, |heard| heard.last == 1);
    container.order(&Order::Start(start));
    let mut second = container.of_process("e_1", true);
    assert!(first.next().is_none());
    second.say(&Demand::Resume { after: 0 });
    let Report::Started { pid } = second.hear() else { panic!() };
    assert_eq!(pid, heard.pid);
    second.say(&Demand::Cancel);
    assert_eq!(heard.hear(&mut second).unwrap().last, 1);
    assert!(container.others().is_empty());
}

#[test]
fn a_child_in_the_background_keeps_nobody_waiting_and_lives_on() {
    let container = container!();
    // It goes on writing to the pipe of its parent: that must not end it.
    let script = "(while :; do echo again; sleep 0.01; done) & echo started";
    let (heard, ended) = container.run(shell("e_1", script));
    assert_eq!((ended.how, ended.code), (How::Exited, Some(0)));
    assert!(heard.text().contains("started\n"));
    let (_, ended) = container.run(shell("e_2", "sleep 0.2"));
    assert_eq!(ended.code, Some(0));
    assert!(container.others().iter().any(|line| line.contains("echo again")));
}

#[test]
fn nothing_is_lost_or_doubled_when_the_host_goes_away() {
    let container = container!();
    let script = "head -c 100000000 /dev/zero | tr '\\0' x; seq 1 300000 >&2";
    let mut line = container.begin(shell("e_1", script));
    let mut heard = Heard::default();
    for stop in [1, 40_000_000, 41_000_000, 99_000_000] {
        assert!(heard.hear_until(&mut line, |heard| heard.stdout.len() >= stop).is_none());
        drop(line);
        container.lose_host();
        assert_eq!(container.find_host(), ["e_1"]);
        line = container.of_process("e_1", true);
        line.say(&Demand::Resume { after: heard.last });
    }
    let ended = heard.hear(&mut line).unwrap();
    assert_eq!((ended.code, ended.last), (Some(0), heard.last));
    assert!(heard.stdout.len() == 100_000_000 && heard.stdout.iter().all(|byte| *byte == b'x'));
    let numbers = (1..=300_000).map(|number| format!("{number}\n")).collect::<String>();
    assert!(heard.stderr == numbers.as_bytes());
}

#[test]
fn the_end_waits_for_a_host_that_is_away() {
    let container = container!();
    let line = container.begin(Start { timeout_ms: Some(300), ..shell("e_1", "yes") });
    drop(line);
    container.lose_host();
    until("ended by its time", || container.others().is_empty());
    assert_eq!(container.find_host(), ["e_1"]);
    for _ in 0..2 {
        let mut line = container.of_process("e_1", true);
        line.say(&Demand::Resume { after: 0 });
        let mut heard = Heard::default();
        // Without acknowledging, so that it can be told once more.
        let ended = heard.hear(&mut line).unwrap();
        assert_eq!(ended.how, How::TimedOut);
        assert!(heard.stdout.len() >= MOST_UNACKNOWLEDGED || heard.last == ended.last);
        if !heard.stdout.is_empty() {
            line.say(&Demand::Forget);
            break;
        }
    }
    until("forgotten", || {
        container.lose_host();
        container.find_host().is_empty()
    });
}

#[test]
fn output_is_not_taken_without_end_from_a_process_that_nobody_hears() {
    let container = container!();
    let mut line = container.begin(shell("e_1", "head -c 30000000 /dev/zero; echo done >&2"));
    let mut taken = 0;
    let mut last = 0;
    while taken < MOST_UNACKNOWLEDGED {
        let (kind, body) = line.next().unwrap();
        if kind == windlass_supervisor::protocol::Kind::Chunk {
            taken += body.len() - windlass_supervisor::protocol::ChunkHead::SIZE;
            last += 1;
        }
    }
    assert_eq!(taken, MOST_UNACKNOWLEDGED);
    assert!(container.is_alive());
    let mut heard = Heard { last, ..Heard::default() };
    line.say(&Demand::Acknowledge { seq: last });
    assert_eq!(heard.hear(&mut line).unwrap().code, Some(0));
    assert_eq!(taken + heard.stdout.len(), 30_000_000);
}
