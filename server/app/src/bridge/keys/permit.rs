//! Permits: JWTs (RFC 7519) that say "may dial X until then", signed with a key's secret.
//!
//! The crate that reads and judges them is given the one algorithm there is here, so that no other can be asked for.

use std::sync::Once;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    decode, decode_header,
    errors::{ErrorKind, Result},
    signature::{self, Verifier},
};
use serde::Deserialize;
use sha2::Sha256;
use sockscope_sockets::target::Target;

use super::{Grant, Keys};
use crate::bridge::websockify;

/// By how many seconds the clock of whoever signs may differ from ours.
const LEEWAY: u64 = 5;

/// What is not told apart to whoever shows a permit: it is forged, too old or too young, of no key, or leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotGood;

/// What a permit says, beside when it is good.
#[derive(Deserialize)]
struct Claims {
    host: String,
    port: u16,
}

impl Keys {
    /// Reads a permit: whose it is, and where it leads. `None` of what is no JWT.
    pub(crate) fn permit(&self, token: &str) -> Option<std::result::Result<(Grant, Target), NotGood>> {
        let header = decode_header(token).ok()?;
        Some(header.kid.and_then(|kid| self.named(&kid)).ok_or(NotGood).and_then(|key| {
            let target = good(token, key.secret()).ok_or(NotGood)?;
            Ok((key, target))
        }))
    }
}

/// Where a permit leads that is signed with this secret and good now.
fn good(token: &str, secret: &str) -> Option<Target> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // Nobody else in this process installs one.
        PROVIDER.install_default().ok();
    });
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_nbf = true;
    validation.leeway = LEEWAY;
    let Claims { host, port } =
        decode::<Claims>(token, &DecodingKey::from_secret(secret.as_bytes()), &validation).ok()?.claims;
    websockify::target(&format!("{host}:{port}")).ok()
}

/// HS256, to verify.
struct Hs256(Hmac<Sha256>);

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], code: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        // In constant time.
        self.0.clone().chain_update(message).verify_slice(code).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_: &Algorithm, _: &EncodingKey| -> Result<Box<dyn JwtSigner>> {
        Err(ErrorKind::InvalidAlgorithm.into())
    },
    verifier_factory: |algorithm, key| -> Result<Box<dyn JwtVerifier>> {
        if *algorithm != Algorithm::HS256 {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        let hmac = Hmac::new_from_slice(key.try_get_as_bytes()?).map_err(|_| ErrorKind::InvalidKeyFormat)?;
        Ok(Box::new(Hs256(hmac)))
    },
    key_utils: KeyUtils::new_unimplemented(),
};
