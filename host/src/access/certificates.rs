//! Certificates of clients: who has one that the operator names.
//!
//! That somebody vouches for it, and that its owner has the key, TLS has made sure of.

use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

use super::{Caller, name};
use crate::config::AccessConfig;

const PREFIX: &str = "cert";

/// Somebody who is known by a certificate, as long as that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    pub(super) caller: Caller,
    /// Milliseconds since 1970. A connection can outlast its certificate.
    pub(super) until: u64,
}

/// Who has this certificate, if one of its names is in the configuration.
pub(super) fn caller(access: &AccessConfig, certificate: &[u8]) -> Option<Vouched> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = names(&certificate);
    let (known, roles) = names.iter().find_map(|it| access.certificates.get_key_value(it))?;
    let name = name(PREFIX, known)?;
    let caller = Caller::named(&name, roles.clone(), access.shared);
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
    Some(Vouched { caller, until: seconds.saturating_mul(1000) })
}

/// Its alternative names, and then its common one, which means something only by custom.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let alternative = alternative.iter().flat_map(|it| &it.value.general_names);
    let alternative = alternative.filter_map(|it| match it {
        GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        _ => None,
    });
    let common = certificate.subject().iter_common_name();
    let common = common.filter_map(|it| it.as_str().ok().map(str::to_owned));
    alternative.chain(common).collect()
}
