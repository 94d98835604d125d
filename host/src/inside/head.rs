//! The head of a request to the proxy: where it wants to go, and what is passed on of it. Pure.

use url::Url;

/// A longer head is a mistake, or an attack.
pub(super) const LONGEST_HEAD: usize = 64 << 10;
/// As many as servers usually take.
const MOST_HEADERS: usize = 128;

/// What belongs to one connection, and not to the next.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "upgrade",
    "host",
];

/// A head, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) host: String,
    pub(super) port: u16,
    /// How many bytes of the request it took.
    pub(super) length: usize,
    /// What the server is sent in its place. None: a tunnel, of which the server sees nothing.
    pub(super) passed_on: Option<Vec<u8>>,
}

/// Reads the head of a request. None where there is more to come, and otherwise what is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Head>, String> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= LONGEST_HEAD => length,
        Ok(httparse::Status::Partial) if bytes.len() < LONGEST_HEAD => return Ok(None),
        Ok(_) => {
            return Err(format!("the head of the request is longer than {LONGEST_HEAD} bytes"));
        }
        Err(error) => return Err(format!("this is no request to a proxy: {error}")),
    };
    let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
    if method.eq_ignore_ascii_case("connect") {
        let (host, port) = target
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)))
            .ok_or_else(|| format!("`{target}` is no `host:port` to connect to"))?;
        return Ok(Some(Head { host, port, length, passed_on: None }));
    }
    let url = absolute(target)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let passed_on = Some(rewrite(method, &url, request.headers));
    Ok(Some(Head { host, port, length, passed_on }))
}

fn absolute(target: &str) -> Result<Url, String> {
    if target.starts_with('/') {
        let why =
            "this is the proxy to the world outside the container: ask it for `http://host/…`";
        return Err(why.to_owned());
    }
    let url = Url::parse(target).map_err(|error| format!("the URL cannot be read: {error}"))?;
    match url.scheme() {
        "http" => Ok(url),
        "https" => Err("`https` goes through `CONNECT`".to_owned()),
        other => Err(format!("the proxy does not speak `{other}`")),
    }
}

/// The head as a server expects it. Each connection serves one request.
fn rewrite(method: &str, url: &Url, headers: &[httparse::Header<'_>]) -> Vec<u8> {
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\n").into_bytes();
    let named: Vec<String> = headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("connection"))
        .flat_map(|header| {
            let value = String::from_utf8_lossy(header.value).to_ascii_lowercase();
            value.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()
        })
        .collect();
    for header in headers {
        let name = header.name.to_ascii_lowercase();
        // What frames the body stays, whatever the sender says of it.
        let frames = matches!(name.as_str(), "content-length" | "transfer-encoding");
        if HOP_BY_HOP.contains(&name.as_str()) || (named.contains(&name) && !frames) {
            continue;
        }
        head.extend(name.as_bytes());
        head.extend(b": ");
        head.extend(header.value);
        head.extend(b"\r\n");
    }
    head.extend(b"connection: close\r\n\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(request: &str) -> String {
        match read(request.as_bytes()) {
            Ok(None) => "more".to_owned(),
            Err(why) => format!("no: {why}"),
            Ok(Some(Head { host, port, length, passed_on })) => {
                let sent = passed_on.map(|sent| String::from_utf8(sent).unwrap());
                let rest = &request[length..];
                format!("{host} {port} {:?} {rest:?}", sent.unwrap_or_default())
            }
        }
    }

    #[track_caller]
    fn check(request: &str, expected: &str) {
        assert_eq!(shown(request), expected, "{request:?}");
    }

    #[test]
    fn where_a_request_goes_and_what_is_passed_on() {
        check(
            "CONNECT a.example:443 HTTP/1.1\r\n\r\n\x16\x03",
            r#"a.example 443 "" "\u{16}\u{3}""#,
        );
        check("CONNECT [::1]:443 HTTP/1.1\r\n\r\n", r#"[::1] 443 "" """#);
        check(
            "GET http://a.example HTTP/1.0\r\n\r\n",
            r#"a.example 80 "GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n" """#,
        );
        check(
            "POST http://me:pw@a.example:81/x?y#z HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\nX-A: 1\r\n\r\nhi",
            r#"a.example 81 "POST /x?y HTTP/1.1\r\nhost: a.example:81\r\ncontent-length: 2\r\nx-a: 1\r\nconnection: close\r\n\r\n" "hi""#,
        );
        check(
            "GET http://a.example/ HTTP/1.1\r\nConnection: keep-alive, X-A, Content-Length\r\nX-A: 1\r\nKeep-Alive: 5\r\nProxy-Authorization: basic x\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Connection: keep-alive\r\nContent-Length: 0\r\nx-b: 2\r\n\r\n",
            r#"a.example 80 "GET / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 0\r\nx-b: 2\r\nconnection: close\r\n\r\n" """#,
        );
        check("GET http://a.exa", "more");
        check("", "more");
    }

    #[test]
    fn what_is_no_request_to_a_proxy_is_refused() {
        check(
            "GET / HTTP/1.1\r\n\r\n",
            "no: this is the proxy to the world outside the container: ask it for `http://host/…`",
        );
        check("GET https://a.example/ HTTP/1.1\r\n\r\n", "no: `https` goes through `CONNECT`");
        check("GET ftp://a.example/ HTTP/1.1\r\n\r\n", "no: the proxy does not speak `ftp`");
        check(
            "CONNECT a.example HTTP/1.1\r\n\r\n",
            "no: `a.example` is no `host:port` to connect to",
        );
        check(
            "CONNECT a.example:99999 HTTP/1.1\r\n\r\n",
            "no: `a.example:99999` is no `host:port` to connect to",
        );
        check("\x16\x03\x01", "no: this is no request to a proxy: invalid token");
        check(
            "GET http://a.example/ HTTP/1.1\r\nx y: z\r\n\r\n",
            "no: this is no request to a proxy: invalid header name",
        );
        let many = "a: b\r\n".repeat(MOST_HEADERS + 1);
        check(
            &format!("GET http://a.example/ HTTP/1.1\r\n{many}\r\n"),
            "no: this is no request to a proxy: too many headers",
        );
        let long = format!("GET http://a.example/ HTTP/1.1\r\na: {}", "x".repeat(LONGEST_HEAD));
        check(&long, "no: the head of the request is longer than 65536 bytes");
    }
}
