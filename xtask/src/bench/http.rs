//! HTTP/1.1 as bare as it can be: one connection, one request at a time, answers whole or in chunks.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

/// A server that is silent for so long has lost the request.
const SILENCE: Duration = Duration::from_secs(60);

pub(super) struct Http {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

/// How the body of an answer ends.
enum Body {
    Sized(usize),
    Chunked,
}

impl Http {
    pub(super) fn connect(authority: &str) -> Result<Self> {
        let stream = TcpStream::connect(authority).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, reader, line: String::new(), body: Vec::new() })
    }

    /// Sends a request; gives the body of the answer, which must be one of success.
    pub(super) fn ask(&mut self, request: &str) -> Result<&[u8]> {
        self.stream.write_all(request.as_bytes())?;
        let (status, body) = self.read_head()?;
        self.body.clear();
        match body {
            Body::Sized(length) => self.read_bytes(length)?,
            Body::Chunked => while self.read_chunk()? {},
        }
        if !is_success(&status) {
            bail!("{status}: {}", String::from_utf8_lossy(&self.body));
        }
        Ok(&self.body)
    }

    /// Sends a request whose answer comes in chunks that are wanted one by one.
    pub(super) fn ask_for_chunks(&mut self, request: &str) -> Result<()> {
        self.stream.write_all(request.as_bytes())?;
        match self.read_head()? {
            (status, Body::Chunked) if is_success(&status) => Ok(()),
            (status, _) => bail!("{status}, and no chunks"),
        }
    }

    /// The next of those.
    pub(super) fn chunk(&mut self) -> Result<&[u8]> {
        self.body.clear();
        if self.read_chunk()? { Ok(&self.body) } else { bail!("there are no more chunks") }
    }

    fn read_head(&mut self) -> Result<(String, Body)> {
        let status = self.read_line()?.to_owned();
        let mut body = Body::Sized(0);
        loop {
            let header = self.read_line()?.to_ascii_lowercase();
            match header.split_once(':') {
                None => return Ok((status, body)),
                Some(("content-length", value)) => body = Body::Sized(value.trim().parse()?),
                Some(("transfer-encoding", value)) if value.trim() == "chunked" => {
                    body = Body::Chunked;
                }
                Some(_) => {}
            }
        }
    }

    /// Says whether another one follows.
    fn read_chunk(&mut self) -> Result<bool> {
        let length = usize::from_str_radix(self.read_line()?, 16)?;
        self.read_bytes(length)?;
        self.read_line()?;
        Ok(length > 0)
    }

    fn read_bytes(&mut self, length: usize) -> Result<()> {
        let start = self.body.len();
        self.body.resize(start + length, 0);
        let part = self.body.get_mut(start..).unwrap_or_default();
        Ok(self.reader.read_exact(part)?)
    }

    fn read_line(&mut self) -> Result<&str> {
        self.line.clear();
        if self.reader.read_line(&mut self.line)? == 0 {
            bail!("the server closed the connection");
        }
        Ok(self.line.trim_end())
    }
}

fn is_success(status: &str) -> bool {
    status.split(' ').nth(1).is_some_and(|code| code.starts_with('2'))
}
