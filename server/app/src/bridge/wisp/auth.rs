//! Who may connect: passwords (extension 0x02) and keys (extension 0x03).

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use tokio::time::Instant;

/// How many bytes a client signs.
pub const CHALLENGE: usize = 64;

/// The only algorithm there is, a bit of a mask.
const ED25519: u8 = 1;

/// So many wrong credentials of a minute are told, of everybody together: whoever guesses leaves a trace, and fills no disk.
const TOLD: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// A user's name is longer than the 255 bytes that a client can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user's name takes more than 255 bytes")]
pub struct LongName;

/// A key that nothing can be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no public key of Ed25519")]
pub struct NoKey;

/// Users and their passwords.
///
/// Kept is a hash of what each of them would send, so that comparing takes as long for any name and any password, of
/// any length.
#[derive(Clone)]
pub struct Passwords {
    required: bool,
    hashes: Vec<[u8; 32]>,
    wrong: Arc<Wrong>,
}

impl Passwords {
    /// These users with their passwords, and whether a client must be one of them.
    ///
    /// # Errors
    /// A name that no client can say.
    pub fn new<'a>(
        required: bool,
        users: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, LongName> {
        let mut hashes = Vec::new();
        for (user, password) in users {
            let name = u8::try_from(user.len()).map_err(|_| LongName)?;
            let hash = |counted: &[u8]| {
                let said = [counted, user.as_bytes(), password.as_bytes()];
                said.iter().fold(Sha256::new(), Sha256::chain_update).finalize().into()
            };
            hashes.push(hash(&[name]));
            // Drafts before 6 counted the password too, and so does wisp-js 0.4.
            if let Ok(len) = u16::try_from(password.len()) {
                let [low, high] = len.to_le_bytes();
                hashes.push(hash(&[name, low, high]));
            }
        }
        Ok(Self { required, hashes, wrong: Arc::default() })
    }

    /// Whether a client must send a password.
    pub(super) const fn required(&self) -> bool {
        self.required
    }

    /// What INFO says of it.
    pub(super) fn offer(&self) -> [u8; 1] {
        [self.required.into()]
    }

    /// Whether a client that sends this is one of the users. All are compared, whichever it is.
    pub(super) fn check(&self, payload: &[u8]) -> bool {
        let sent = Sha256::digest(payload);
        let found =
            self.hashes.iter().fold(Choice::from(0), |found, hash| found | hash.ct_eq(sent.as_slice()));
        self.wrong.unless(found.into(), "a Wisp client has sent a wrong password")
    }
}

impl fmt::Debug for Passwords {
    /// Leaves the hashes out: a short password can be found from its hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("required", &self.required).finish_non_exhaustive()
    }
}

/// The public keys of those who may connect.
#[derive(Debug, Clone)]
pub struct Keys {
    required: bool,
    /// Each with its SHA-256, by which a client names it.
    keys: Vec<([u8; 32], VerifyingKey)>,
    wrong: Arc<Wrong>,
}

impl Keys {
    /// These public keys of Ed25519, and whether a client must have one of them.
    ///
    /// # Errors
    /// One that is no key, or for which anybody can sign.
    pub fn new(required: bool, keys: impl IntoIterator<Item = [u8; 32]>) -> Result<Self, NoKey> {
        let keys = keys.into_iter().map(|key| {
            let parsed = VerifyingKey::from_bytes(&key).ok().filter(|parsed| !parsed.is_weak());
            Ok((Sha256::digest(key).into(), parsed.ok_or(NoKey)?))
        });
        Ok(Self { required, keys: keys.collect::<Result<_, _>>()?, wrong: Arc::default() })
    }

    /// Whether a client must sign.
    pub(super) const fn required(&self) -> bool {
        self.required
    }

    /// What INFO says of it.
    pub(super) fn offer(&self, challenge: &[u8; CHALLENGE]) -> [u8; 2 + CHALLENGE] {
        let mut offer = [0; 2 + CHALLENGE];
        offer[0] = self.required.into();
        offer[1] = ED25519;
        offer[2..].copy_from_slice(challenge);
        offer
    }

    /// Whether a client that sends this has one of the keys: `algorithm: u8 | SHA-256 of the public key | signature`.
    pub(super) fn check(&self, challenge: &[u8; CHALLENGE], payload: &[u8]) -> bool {
        self.wrong.unless(self.is_signed(challenge, payload), "a Wisp client has sent a wrong signature")
    }

    fn is_signed(&self, challenge: &[u8; CHALLENGE], payload: &[u8]) -> bool {
        let Some((&ED25519, rest)) = payload.split_first() else { return false };
        let Some((hash, signature)) = rest.split_first_chunk::<32>() else { return false };
        let Ok(signature) = Signature::from_slice(signature) else { return false };
        let mut named = self.keys.iter().filter(|(known, _)| known == hash);
        named.any(|(_, key)| key.verify_strict(challenge, &signature).is_ok())
    }
}

/// The wrong credentials of this minute: since when, and how many.
#[derive(Debug, Default)]
struct Wrong(Mutex<Option<(Instant, u32)>>);

impl Wrong {
    /// Says in the server's own log what happened unless all is right, which is returned.
    fn unless(&self, right: bool, what: &str) -> bool {
        if right {
            return true;
        }
        // It is replaced whole.
        let mut wrong = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) =
            wrong.filter(|(since, _)| since.elapsed() < MINUTE).unwrap_or((Instant::now(), 0));
        *wrong = Some((since, count.saturating_add(1)));
        match count {
            ..TOLD => tracing::warn!("{what}"),
            TOLD => tracing::warn!("{what}; more of this minute are not told"),
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_cannot_be_said_is_refused_when_it_is_configured() {
        let longest = "x".repeat(255);
        assert!(Passwords::new(true, [(longest.as_str(), "")]).is_ok());
        let longer = "x".repeat(256);
        assert_eq!(Passwords::new(true, [(longer.as_str(), "")]).err(), Some(LongName));
    }

    #[test]
    fn what_prints_users_prints_neither_passwords_nor_hashes() {
        let passwords = Passwords::new(true, [("ann", "a secret")]).expect("a short name");
        assert_eq!(format!("{passwords:?}"), "Passwords { required: true, .. }");
    }

    /// The neutral point.
    #[test]
    fn a_key_for_which_anybody_can_sign_is_refused_when_it_is_configured() {
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(Keys::new(true, [neutral]).err(), Some(NoKey));
    }

    #[test]
    fn bytes_that_are_no_key_are_refused_when_they_are_configured() {
        let mut outside = [0; 32];
        outside[0] = 2;
        assert_eq!(Keys::new(true, [outside]).err(), Some(NoKey));
    }
}
