//! What checks the signatures of tokens: the library that also does TLS.

use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
    signature::{Error, Verifier},
};
use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

static RING: CryptoProvider =
    CryptoProvider { signer_factory, verifier_factory, key_utils: KeyUtils::new_unimplemented() };

/// Lets tokens be checked. Nothing else in this process chooses otherwise.
pub(super) fn install() {
    // Whoever comes first sets it for the whole process; the rest find it there.
    let _ = RING.install_default();
}

/// A key, and how signatures of it are checked.
enum Check {
    Rsa { how: &'static RsaParameters, modulus: Vec<u8>, exponent: Vec<u8> },
    Other { how: &'static dyn VerificationAlgorithm, key: Vec<u8> },
}

struct Signed {
    algorithm: Algorithm,
    check: Check,
}

impl Verifier<Vec<u8>> for Signed {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let checked = match &self.check {
            Check::Rsa { how, modulus, exponent } => {
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(how, message, signature)
            }
            Check::Other { how, key } => {
                UnparsedPublicKey::new(*how, key).verify(message, signature)
            }
        };
        checked.map_err(|_| Error::new())
    }
}

impl JwtVerifier for Signed {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// This host signs nothing for others.
fn signer_factory(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    Err(ErrorKind::UnsupportedAlgorithm.into())
}

fn verifier_factory(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let check = match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            let how = rsa(*algorithm).ok_or(ErrorKind::InvalidAlgorithm)?;
            // Some issuers write a sign byte before the number.
            let start = n.iter().position(|&it| it != 0).unwrap_or(n.len());
            let modulus = n.get(start..).unwrap_or_default().to_vec();
            Check::Rsa { how, modulus, exponent: e.clone() }
        }
        DecodingKeyKind::SecretOrDer(key) => {
            let how = other(*algorithm).ok_or(ErrorKind::InvalidAlgorithm)?;
            Check::Other { how, key: key.clone() }
        }
    };
    Ok(Box::new(Signed { algorithm: *algorithm, check }))
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn other(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::ES256 => Some(&signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Some(&signature::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => Some(&signature::ED25519),
        _ => None,
    }
}
