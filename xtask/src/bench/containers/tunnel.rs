//! The way into a container and out of it, beside loopback without one.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};

use super::{super::figures::quantile, desk::Desk};
use crate::command;

/// The port of loopback inside that leads to [`Site`].
pub(super) const FORWARD: u16 = 11434;

const SOURCE: u16 = 3000;
const ECHO: u16 = 3001;

const ZEROS: &[&str] = &["dd", "if=/dev/zero", "bs=262144", "count=2048"];
const ZERO_BYTES: usize = 262_144 * 2048;

/// What travels.
const MEGABYTES: usize = 512;
const BLOCK: usize = 1 << 18;
const BYTES: usize = MEGABYTES * 1_000_000;

const ROUND_TRIPS: usize = 2_000;

/// How long a program may take to listen, and how often it is tried.
const LISTEN_LIMIT: Duration = Duration::from_secs(10);
const TRY_EVERY: Duration = Duration::from_millis(20);

/// A web server on loopback that answers everything with many bytes.
pub(super) struct Site {
    port: u16,
}

/// A program that is killed when this is dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Site {
    pub(super) fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Whoever asked may have gone.
                thread::spawn(move || drop(answer(stream)));
            }
        });
        Ok(Self { port })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

fn answer(mut stream: TcpStream) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    stream.write_all(format!("HTTP/1.0 200 OK\r\nContent-Length: {BYTES}\r\n\r\n").as_bytes())?;
    let (block, mut left) = (vec![b'x'; BLOCK], BYTES);
    while left > 0 {
        let part = block.get(..left.min(BLOCK)).unwrap_or_default();
        stream.write_all(part)?;
        left -= part.len();
    }
    Ok(())
}

/// Zeros from a program inside, and from the same program outside: MB a second.
pub(super) fn into(desk: &mut Desk) -> Result<[f64; 2]> {
    both(desk, SOURCE, ZEROS, fetch)
}

/// A byte to an echo inside and back, and to the same outside: p50 in milliseconds.
pub(super) fn round_trip(desk: &mut Desk) -> Result<[f64; 2]> {
    both(desk, ECHO, &["cat"], echo)
}

/// Measures a program that serves one connection, inside at this port and outside.
fn both(
    desk: &mut Desk,
    port: u16,
    program: &'static [&'static str],
    measure: fn(&str) -> Result<f64>,
) -> Result<[f64; 2]> {
    let container = desk.spawn()?;
    let inside = format!("nc -ll -p {port} -e {}", program.join(" "));
    desk.begin(&container, &["sh", "-c", &inside])?;
    let (_port, address) = open_port(desk, &container, port)?;
    let there = measure(&address)?;
    desk.kill(&container)?;
    Ok([there, beside(program, measure)?])
}

/// What `nc -e` does, but on this machine's loopback only.
fn beside(program: &'static [&'static str], measure: fn(&str) -> Result<f64>) -> Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept()?;
        let out = OwnedFd::from(stream.try_clone()?);
        let mut served = Command::new("busybox");
        served.args(program).stdin(OwnedFd::from(stream)).stdout(out).stderr(Stdio::null());
        served.status()
    });
    let measured = measure(&address)?;
    server.join().map_err(|_| anyhow!("the server died"))??;
    Ok(measured)
}

/// What the site has, fetched from inside, and with the same program outside: MB a second.
pub(super) fn out(desk: &mut Desk, site: &Site) -> Result<[f64; 2]> {
    let container = desk.spawn()?;
    let wget = |port: u16| format!("wget -Y off -q -O /dev/null http://127.0.0.1:{port}/");
    let start = Instant::now();
    // Through the forward: the proxy's variables are for other clients.
    desk.run(&container, &format!("{} || echo failed", wget(FORWARD)))?;
    let took = start.elapsed();
    desk.kill(&container)?;
    let start = Instant::now();
    command::succeed(Command::new("busybox").args(["sh", "-c", &wget(site.port())]))?;
    Ok([took, start.elapsed()].map(|took| MEGABYTES as f64 / took.as_secs_f64()))
}

/// `windlass port`: the address is good as long as the program runs.
fn open_port(desk: &Desk, container: &str, port: u16) -> Result<(Program, String)> {
    let mut command = desk.server.command(&["port", container, &port.to_string()]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().context("no stdout")?;
    let program = Program(child);
    let line = BufReader::new(stdout).lines().next().context("`windlass port` says nothing")??;
    let address = line.split(|it: char| !it.is_ascii_digit() && !".:".contains(it));
    let mut address =
        address.map(|word| word.trim_matches(':')).filter(|it| it.contains("127.0.0.1:"));
    Ok((program, address.next().with_context(|| format!("no address: {line}"))?.to_owned()))
}

fn fetch(address: &str) -> Result<f64> {
    let mut stream = listening(address, |_| Ok(()))?;
    let start = Instant::now();
    let (mut block, mut got) = (vec![0; BLOCK], 0);
    while let read @ 1.. = stream.read(&mut block)? {
        got += read;
    }
    ensure!(got == ZERO_BYTES, "{got} bytes are not all");
    Ok(got as f64 / 1e6 / start.elapsed().as_secs_f64())
}

fn echo(address: &str) -> Result<f64> {
    let mut stream = listening(address, |stream| {
        stream.set_nodelay(true)?;
        stream.write_all(b"x")
    })?;
    stream.read_exact(&mut [0])?;
    let mut times = Vec::new();
    for _ in 0..ROUND_TRIPS {
        let start = Instant::now();
        stream.write_all(b"x")?;
        stream.read_exact(&mut [0])?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(quantile(0.5, times))
}

/// A connection on which something came back for what was sent: through a tunnel, who listens shows only then.
fn listening(
    address: &str,
    send: impl Fn(&mut TcpStream) -> std::io::Result<()>,
) -> Result<TcpStream> {
    let start = Instant::now();
    loop {
        let asked = TcpStream::connect(address).and_then(|mut stream| {
            send(&mut stream)?;
            let came = stream.peek(&mut [0])?;
            Ok((stream, came))
        });
        match asked {
            Ok((stream, 1..)) => return Ok(stream),
            _ if start.elapsed() < LISTEN_LIMIT => thread::sleep(TRY_EVERY),
            Ok(_) => anyhow::bail!("{address} closes every connection"),
            Err(error) => return Err(error).context(format!("nothing listens at {address}")),
        }
    }
}
