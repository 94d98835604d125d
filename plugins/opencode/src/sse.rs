//! Server-sent events: what each one says, however the bytes are cut. What they mean is said elsewhere.

/// A longer event is passed over: it is the output of a tool, which is read when the run has ended.
const LONGEST: usize = 1 << 20;

/// What has come and has no end.
#[derive(Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    said: String,
    too_long: bool,
}

impl Events {
    /// What the events say that end with these bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                events.extend(self.line(&line));
            } else if self.line.len() < LONGEST {
                self.line.push(byte);
            } else {
                self.too_long = true;
            }
        }
        events
    }

    /// An empty line ends an event.
    fn line(&mut self, line: &[u8]) -> Option<String> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            let said = std::mem::take(&mut self.said);
            let whole = !std::mem::take(&mut self.too_long);
            return Some(said).filter(|said| whole && !said.is_empty());
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            let data = String::from_utf8_lossy(data.strip_prefix(b" ").unwrap_or(data));
            if self.said.len() + data.len() > LONGEST {
                self.too_long = true;
                return None;
            }
            if !self.said.is_empty() {
                self.said.push('\n');
            }
            self.said.push_str(&data);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &[&str]) {
        for size in 1..=bytes.len() {
            let mut events = Events::default();
            let said: Vec<_> = bytes.chunks(size).flat_map(|part| events.take(part)).collect();
            assert_eq!(said, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn an_event_ends_at_an_empty_line() {
        check(b"data: {\"a\":1}\n\ndata: b\n\n", &["{\"a\":1}", "b"]);
        check(b": nothing\nid: 7\nevent: x\ndata:a\ndata: b\r\n\r\n\n", &["a\nb"]);
        check(b"data: without an end\n", &[]);
        check("data: \u{e4}\n\n".as_bytes(), &["\u{e4}"]);
    }

    #[test]
    fn an_event_that_is_too_long_is_passed_over() {
        let mut events = Events::default();
        assert!(events.take(b"data: ").is_empty());
        for _ in 0..5 {
            assert!(events.take(&[b'x'; 1 << 20]).is_empty());
        }
        assert_eq!(events.take(b"\n\ndata: next\n\n"), ["next"]);
    }
}
