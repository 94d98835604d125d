//! The way into a container and out of it, beside loopback without one.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{super::figures::quantile, desk::Desk};
use crate::command;

/// The port of loopback inside that leads to [`Site`].
pub(super) const FORWARD: u16 = 11434;

const WEB: u16 = 3000;
const ECHO: u16 = 3001;

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

/// A page from a server inside, and from the same server outside: MB a second.
pub(super) fn into(desk: &mut Desk) -> Result<[f64; 2]> {
    let container = desk.spawn()?;
    let workspace = desk.workspace(&container)?;
    let file = std::fs::File::create(workspace.join("page"))?;
    file.set_len(BYTES as u64)?;
    let inside = format!("httpd -p 127.0.0.1:{WEB} -h /workspace; sleep 600");
    desk.begin(&container, &["sh", "-c", &inside])?;
    let (_port, address) = open_port(desk, &container, WEB)?;
    let rate = fetch(&address)?;
    let bare = free_port()?;
    let mut httpd = Command::new("busybox");
    httpd.args(["httpd", "-f", "-p", &bare, "-h"]).arg(&workspace);
    let _httpd = Program(httpd.spawn().context("cannot start `busybox`")?);
    let bare = fetch(&bare)?;
    desk.kill(&container)?;
    Ok([rate, bare])
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

/// A byte to an echo inside and back, and to the same outside: p50 in milliseconds.
pub(super) fn round_trip(desk: &mut Desk) -> Result<[f64; 2]> {
    let container = desk.spawn()?;
    let inside = format!("nc -ll -p {ECHO} -e cat");
    desk.begin(&container, &["sh", "-c", &inside])?;
    let (_port, address) = open_port(desk, &container, ECHO)?;
    let there = echo(&address)?;
    let bare = free_port()?;
    let port = bare.rsplit(':').next().unwrap_or_default();
    let nc = Command::new("busybox").args(["nc", "-ll", "-p", port, "-e", "cat"]).spawn();
    let _nc = Program(nc.context("cannot start `busybox`")?);
    let bare = echo(&bare)?;
    desk.kill(&container)?;
    Ok([there, bare])
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

fn free_port() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn fetch(address: &str) -> Result<f64> {
    let mut stream = listening(address, |stream| stream.write_all(b"GET /page HTTP/1.0\r\n\r\n"))?;
    let start = Instant::now();
    let (mut block, mut got) = (vec![0; BLOCK], 0);
    while let read @ 1.. = stream.read(&mut block)? {
        got += read;
    }
    ensure!(got > BYTES, "{got} bytes are not all");
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
