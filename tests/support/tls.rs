//! Authorities and certificates that tests make for themselves, and a client that speaks TLS.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType, date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};

use super::{PATIENCE, http::Answer};

/// Who vouches for certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
pub(crate) struct Certificate {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// For a server on this machine.
    pub(crate) fn server(&self) -> Certificate {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        self.sign(CertificateParams::new(names).unwrap())
    }

    /// For a client of this common name, with alternative ones as URIs.
    pub(crate) fn client(&self, common: &str, uris: &[&str]) -> Certificate {
        self.sign(client(common, uris))
    }

    pub(crate) fn expired_client(&self, common: &str) -> Certificate {
        let mut params = client(common, &[]);
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Certificate { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

fn client(common: &str, uris: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, common);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let uris = uris.iter().map(|it| SanType::URI((*it).try_into().unwrap()));
    params.subject_alt_names.extend(uris);
    params
}

impl Certificate {
    /// Puts both where a server reads them, the key for its owner alone.
    pub(crate) fn write(&self, certificate: &Path, key: &Path) {
        fs::write(certificate, &self.certificate).unwrap();
        fs::write(key, &self.key).unwrap();
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// What a client believes and has.
pub(crate) fn client_config(authority: &Authority, own: Option<&Certificate>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match own {
        Some(own) => {
            let chain = CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![chain], key).unwrap()
        }
        None => builder.with_no_client_auth(),
    })
}

/// Sends a request over TLS and reads the answer to its end. None: no connection came to be.
pub(crate) fn send(address: &str, config: &Arc<ClientConfig>, request: &str) -> Option<Answer> {
    let (mut stream, _) = connect(address, config)?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // A server need not take its leave of TLS.
    let _ = stream.read_to_end(&mut answer);
    (!answer.is_empty()).then(|| Answer::parse(&String::from_utf8_lossy(&answer)))
}

/// The certificate that the server shows, once keys are agreed on.
pub(crate) fn shown(address: &str, config: &Arc<ClientConfig>) -> Option<Vec<u8>> {
    connect(address, config).map(|(_, shown)| shown)
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn connect(address: &str, config: &Arc<ClientConfig>) -> Option<(Stream, Vec<u8>)> {
    let tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).ok()?;
    }
    let shown = stream.conn.peer_certificates()?.first()?.to_vec();
    Some((stream, shown))
}
