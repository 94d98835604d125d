//! Streams through the host's socket, both ways; and what comes of bytes that are no frames.
#![allow(clippy::unwrap_used, reason = "what its tests share may fail as they may")]

mod container;

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    thread,
};

use container::{Container, Heard, Line, possible, shell, until};
use windlass_supervisor::protocol::{Demand, Event, Hello, Order};

const MUCH: usize = 100_000_000;

macro_rules! container {
    () => {
        if possible() { Container::start() } else { return }
    };
}

/// A port on which nothing listens. The namespace of the test's container has the loopback of the machine.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn listen(container: &Container) -> u16 {
    let port = free_port();
    container.order(&Order::Listen { ports: vec![port] });
    assert!(container.is_alive());
    port
}

fn egress(container: &Container, port: u16) -> (TcpStream, UnixStream) {
    let inside = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (_, line) = container.accept(|hello| *hello == Hello::Egress { port });
    (inside, bare(line))
}

fn bare(line: Line) -> UnixStream {
    line.stream
}

fn to_end(stream: &mut impl std::io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_program_inside_reaches_the_host_and_each_side_ends_for_itself() {
    let container = container!();
    let port = listen(&container);
    let (mut inside, mut host) = egress(&container, port);
    inside.write_all(b"question").unwrap();
    inside.shutdown(Shutdown::Write).unwrap();
    assert_eq!(to_end(&mut host), b"question");
    host.write_all(b"answer").unwrap();
    host.shutdown(Shutdown::Write).unwrap();
    assert_eq!(to_end(&mut inside), b"answer");
}

#[test]
fn an_answer_comes_through_though_the_question_is_not_heard_out() {
    let container = container!();
    let port = listen(&container);
    let (inside, mut host) = egress(&container, port);
    let mut asking = inside.try_clone().unwrap();
    let flood = thread::spawn(move || while asking.write_all(&[7; 100_000]).is_ok() {});
    host.read_exact(&mut [0; 1000]).unwrap();
    host.write_all(b"too long").unwrap();
    drop(host);
    let mut answer = [0; 8];
    (&inside).read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"too long");
    let _ = inside.shutdown(Shutdown::Both);
    flood.join().unwrap();
}

#[test]
fn the_host_reaches_a_port_inside() {
    let container = container!();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    container.order(&Order::Dial { ticket: 5, port });
    let (hello, line) = container.accept(|hello| matches!(hello, Hello::Ingress { .. }));
    assert_eq!(hello, Hello::Ingress { ticket: 5, error: None });
    let (mut inside, mut host) = (server.accept().unwrap().0, bare(line));
    host.write_all(b"question").unwrap();
    host.shutdown(Shutdown::Write).unwrap();
    assert_eq!(to_end(&mut inside), b"question");
    inside.write_all(b"answer").unwrap();
    drop(inside);
    assert_eq!(to_end(&mut host), b"answer");

    let port = free_port();
    container.order(&Order::Dial { ticket: 6, port });
    let (hello, mut line) = container.accept(|hello| matches!(hello, Hello::Ingress { .. }));
    let error = Some(format!("nothing listens on port `{port}` in the container"));
    assert_eq!(hello, Hello::Ingress { ticket: 6, error });
    assert!(line.next().is_none());
}

#[test]
fn much_goes_both_ways_and_outlives_the_host_s_orders() {
    let container = container!();
    let port = listen(&container);
    let (mut inside, mut host) = egress(&container, port);
    container.lose_host();
    container.find_host();
    let sent = thread::spawn(move || {
        let part: Vec<u8> = (0..100_000u32).map(|number| number as u8).collect();
        (0..MUCH / part.len()).for_each(|_| inside.write_all(&part).unwrap());
        inside.shutdown(Shutdown::Write).unwrap();
        to_end(&mut inside).len()
    });
    let received = to_end(&mut host);
    let expected = (0..MUCH).map(|at| (at % 100_000) as u8);
    assert!(received.len() == MUCH && received.iter().copied().eq(expected));
    host.write_all(&received).unwrap();
    drop(host);
    assert_eq!(sent.join().unwrap(), MUCH);
}

#[test]
fn only_the_ordered_ports_are_listened_on() {
    let container = container!();
    let port = listen(&container);
    let other = listen(&container);
    until("closed", || TcpStream::connect(("127.0.0.1", port)).is_err());
    egress(&container, other);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_port = taken.local_addr().unwrap().port();
    container.order(&Order::Listen { ports: vec![taken_port] });
    let Event::Taken { port, .. } = container.control.borrow_mut().hear() else { panic!() };
    assert_eq!(port, taken_port);
}

#[test]
fn no_more_streams_are_open_than_may_be() {
    let container = container!();
    let port = listen(&container);
    let open: Vec<_> = (0..256).map(|_| egress(&container, port)).collect();
    let mut refused = TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert!(matches!(refused.read(&mut [0]), Ok(0) | Err(_)));
    container.order(&Order::Dial { ticket: 1, port });
    let (hello, _) = container.accept(|hello| matches!(hello, Hello::Ingress { .. }));
    assert!(matches!(hello, Hello::Ingress { error: Some(_), .. }));
    drop(open);
    until("room", || {
        let mut inside = TcpStream::connect(("127.0.0.1", port)).unwrap();
        inside.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
        // It stays open, and nothing comes.
        inside.read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    });
}

#[test]
fn bytes_that_are_no_frames_end_their_connection_and_nothing_else() {
    let container = container!();
    for bytes in [&[255; 64][..], &[0; 64], &[3, 0, 0, 0, 0, b'{', b'x'], &[1, 0, 0, 0, 77]] {
        let mut line =
            container.begin(shell(&format!("e_{bytes:?}"), "echo ready; sleep 0.1; exit 5"));
        line.stream.write_all(bytes).unwrap();
        let mut heard = Heard::default();
        if heard.hear(&mut line).is_none() {
            line = container.of_process(&format!("e_{bytes:?}"), true);
            line.say(&Demand::Resume { after: heard.last });
        }
        assert_eq!(heard.hear(&mut line).unwrap().code, Some(5));
        assert_eq!(heard.text(), "ready\n");
        line.say(&Demand::Forget);
        assert!(container.is_alive());
    }
    for bytes in [&[255; 64][..], &[3, 0, 0, 0, 0, b'{', b'x']] {
        container.control.borrow_mut().stream.write_all(bytes).unwrap();
        assert!(container.control.borrow_mut().next().is_none());
        container.lose_host();
        container.find_host();
        assert!(container.is_alive());
    }
}
