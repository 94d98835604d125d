//! TLS: the certificate of this host, and where it is asked for, that of the client.
//!
//! The files are read again while the host runs, so a certificate is replaced without a restart. One that is no good
//! changes nothing.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::config::TlsConfig;

/// How long a client may take to agree on keys.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the files are looked at.
const ROUND: Duration = Duration::from_secs(1);
/// The rights of everybody but the owner.
const OTHERS: u32 = 0o077;
/// The same where somebody else owns a file: a service manager gives the host one of root's by the rights of a group.
const OTHERS_OF_GIVEN: u32 = 0o037;

pub(super) struct Tls {
    config: TlsConfig,
    current: Mutex<Current>,
}

struct Current {
    files: Files,
    /// What could not be used, so that it is told once.
    refused: Option<String>,
    looked: Instant,
    server: Arc<ServerConfig>,
}

/// What the files hold.
#[derive(PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authority: Option<Vec<u8>>,
}

impl Tls {
    pub(super) fn new(config: TlsConfig) -> anyhow::Result<Self> {
        let (files, server) = read(&config).context("http.tls")?;
        let current = Current { files, refused: None, looked: Instant::now(), server };
        Ok(Self { config, current: Mutex::new(current) })
    }

    /// Agrees on keys with a client, within some time.
    pub(super) async fn accept(&self, stream: TcpStream) -> anyhow::Result<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(self.server());
        let accepted = timeout(PATIENCE, acceptor.accept(stream)).await;
        Ok(accepted.context("it took too long to agree on keys")??)
    }

    /// With the files as they are at this moment.
    fn server(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= ROUND {
            current.looked = Instant::now();
            current.follow(read(&self.config));
        }
        current.server.clone()
    }
}

impl Current {
    fn follow(&mut self, read: anyhow::Result<(Files, Arc<ServerConfig>)>) {
        match read {
            Ok((files, _)) if files == self.files => self.refused = None,
            Ok((files, server)) => {
                tracing::info!(
                    "http.tls: its files hold something else, which counts from here on"
                );
                (self.files, self.server, self.refused) = (files, server, None);
            }
            Err(error) => {
                let why = format!("{error:#}");
                if self.refused.as_ref() != Some(&why) {
                    tracing::warn!("http.tls: {why}; what was there before stays");
                }
                self.refused = Some(why);
            }
        }
    }
}

fn read(config: &TlsConfig) -> anyhow::Result<(Files, Arc<ServerConfig>)> {
    let files = Files {
        certificate: whole(&config.certificate)?,
        key: private(&config.key)?,
        authority: config.client_authority.as_deref().map(whole).transpose()?,
    };
    let server = server(&files, config)?;
    Ok((files, Arc::new(server)))
}

fn server(files: &Files, config: &TlsConfig) -> anyhow::Result<ServerConfig> {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let builder = match (&files.authority, &config.client_authority) {
        (Some(authority), Some(path)) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(authority, path)? {
                roots.add(certificate).with_context(|| format!("`{}`", path.display()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build()?)
        }
        _ => builder.with_no_client_auth(),
    };
    let chain = certificates(&files.certificate, &config.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&files.key)
        .map_err(|_| anyhow::anyhow!("`{}` holds no private key as PEM", config.key.display()))?;
    let mut server = builder.with_single_cert(chain, key).with_context(|| {
        format!("`{}` and `{}`", config.certificate.display(), config.key.display())
    })?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    if files.authority.is_some() {
        // Who comes back is looked at again.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
    }
    Ok(server)
}

fn certificates(pem: &[u8], path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = read.ok().filter(|it| !it.is_empty());
    found.with_context(|| format!("`{}` holds no certificate as PEM", path.display()))
}

fn whole(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

fn private(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let metadata = fs::metadata(path).with_context(|| format!("cannot read `{shown}`"))?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    ensure!(
        metadata.mode() & if ours { OTHERS } else { OTHERS_OF_GIVEN } == 0,
        "others can read the private key in `{shown}`; `chmod 600` it"
    );
    whole(path)
}
