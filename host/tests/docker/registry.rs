//! A small registry on loopback: one image, behind a password, and a count of what was asked for.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// In plain base64 this has both letters that the alphabet for URLs writes in another way.
pub const USER: &str = "me";
pub const PASSWORD: &str = "\u{3fb}\u{3ff}>>>???~~~";

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

const UNKNOWN: &[u8] =
    br#"{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}"#;

pub struct Registry {
    pub address: String,
    shared: Arc<Shared>,
}

struct Shared {
    paths: HashMap<String, (&'static str, Vec<u8>)>,
    layers: AtomicUsize,
    /// A layer is given out only with one of these.
    gate: Semaphore,
}

impl Registry {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (paths, layers, gate) = (image(), AtomicUsize::new(0), Semaphore::new(0));
        let shared = Arc::new(Shared { paths, layers, gate });
        let answering = shared.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(answer(client, answering.clone()));
            }
        });
        Self { address, shared }
    }

    /// How often a layer was asked for.
    pub fn layers(&self) -> usize {
        self.shared.layers.load(Ordering::SeqCst)
    }

    pub fn open(&self) {
        self.shared.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }
}

/// Every path, its type and what is there. Each run has another layer, so that no engine has it already.
fn image() -> HashMap<String, (&'static str, Vec<u8>)> {
    let mut archive = tar::Builder::new(Vec::new());
    let text = uuid::Uuid::new_v4().to_string();
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "file", text.as_bytes()).unwrap();
    let layer = archive.into_inner().unwrap();
    let digest = |bytes: &[u8]| {
        let hex: String = Sha256::digest(bytes).iter().map(|it| format!("{it:02x}")).collect();
        format!("sha256:{hex}")
    };
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"User": "12:34", "Env": ["A=1"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": config.len(), "digest": digest(&config)},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar", "size": layer.len(), "digest": digest(&layer)}],
    });
    let manifest = manifest.to_string().into_bytes();
    let blob = "application/octet-stream";
    HashMap::from([
        ("/v2/".to_owned(), (blob, b"{}".to_vec())),
        (format!("/v2/a/b/manifests/{}", digest(&manifest)), (MANIFEST, manifest.clone())),
        ("/v2/a/b/manifests/1".to_owned(), (MANIFEST, manifest)),
        (format!("/v2/a/b/blobs/{}", digest(&config)), (blob, config)),
        (format!("/v2/a/b/blobs/{}", digest(&layer)), ("layer", layer)),
    ])
}

async fn answer(mut client: TcpStream, shared: Arc<Shared>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = client.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let wanted = format!("basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let allowed = head.lines().any(|line| {
        let (name, value) = line.split_once(": ").unwrap_or_default();
        name.eq_ignore_ascii_case("authorization")
            && value[..6].eq_ignore_ascii_case(&wanted[..6])
            && value[6..] == wanted[6..]
    });
    let (status, kind, body) = match shared.paths.get(path) {
        _ if !allowed => {
            ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"r\"", "text/plain", &[][..])
        }
        None => ("404 Not Found", "application/json", UNKNOWN),
        Some((kind, body)) => ("200 OK", *kind, &**body),
    };
    if kind == "layer" && method == "GET" {
        shared.layers.fetch_add(1, Ordering::SeqCst);
        drop(shared.gate.acquire().await);
    }
    let length = body.len();
    let digest: String = Sha256::digest(body).iter().map(|it| format!("{it:02x}")).collect();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nDocker-Content-Digest: sha256:{digest}\r\nConnection: close\r\n\r\n"
    );
    drop(client.write_all(head.as_bytes()).await);
    if method != "HEAD" {
        drop(client.write_all(body).await);
    }
}
