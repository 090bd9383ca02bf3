//! Keys for bridges: what lets a program that has no token reach the targets somebody named, and nothing else.
//!
//! They live in memory and end with the server. A connection that a key let in holds it as a `Visit`; each socket it opens
//! holds a `Lease`. Both count and give their places back.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod key;
mod pattern;
mod permit;
mod terms;
mod visit;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest as _, Sha256};
use sockscope_sockets::fact::Cause;
use sockscope_wire::{BridgeKey, Code, KeyList, KeyMade, KeyRequest};

use crate::{
    problem::{Refused, Saying as _, problem},
    secret::{random_id, random_secret},
};
use key::Key;
pub(crate) use key::{Grant, Lease, NoLease, Over, TARGETS};
use terms::Terms;
pub(crate) use visit::Visit;

/// The most keys there are; one more is refused.
const KEYS: usize = 256;

/// How much of a random id names a key: enough that no two of [`KEYS`] meet.
const ID: usize = 10;

/// SHA-256 of a secret.
type Hash = [u8; 32];

/// The keys there are.
#[derive(Default)]
pub struct Keys(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// By what their secrets hash to: how long looking one up takes tells of the hash of a guess, and of no secret.
    keys: HashMap<Hash, Grant>,
    /// How many were made, for their order.
    made: u64,
}

impl Keys {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Whatever was changed under it is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one. Its secret is told here and never again.
    ///
    /// # Errors
    /// When the request is not understood, or there are too many.
    pub fn make(&self, request: &KeyRequest, made_at: String) -> Result<KeyMade, Refused> {
        let terms = Terms::of(request)?;
        let secret = random_secret();
        // In front a letter, so that no id looks like a flag.
        let id = format!("k{}", &random_id()[..ID]);
        let mut kept = self.kept();
        if kept.keys.len() >= KEYS {
            return Err(problem(Code::TooManyKeys, "revoke one first").with("max", KEYS));
        }
        kept.made += 1;
        let key = Grant::new(Key::new(id, secret.as_str().into(), kept.made, made_at, terms));
        kept.keys.insert(hash(&secret), Grant::clone(&key));
        Ok(KeyMade { key: key.shown(), secret })
    }

    /// What there is, oldest first.
    #[must_use]
    pub fn list(&self) -> KeyList {
        let mut keys: Vec<_> = self.kept().keys.values().cloned().collect();
        keys.sort_unstable_by_key(|key| key.number());
        KeyList { keys: keys.iter().map(|key| key.shown()).collect::<Vec<BridgeKey>>() }
    }

    /// Takes one back: it opens nothing any more, and what it opened ends now, by that command.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn revoke(&self, id: &str, cause: Cause) -> Result<(), Refused> {
        let revoked = {
            let mut kept = self.kept();
            let hash = kept.keys.iter().find(|(_, key)| key.id() == id).map(|(hash, _)| *hash);
            hash.and_then(|hash| kept.keys.remove(&hash))
        };
        let key = revoked.ok_or_else(|| problem(Code::UnknownKey, "it was revoked, or never made"))?;
        key.end(Over::Revoked(cause));
        Ok(())
    }

    /// The key with this secret.
    #[must_use]
    pub(crate) fn find(&self, secret: &str) -> Option<Grant> {
        self.kept().keys.get(&hash(secret)).cloned()
    }

    /// The key of that name: names are no secrets.
    fn named(&self, id: &str) -> Option<Grant> {
        self.kept().keys.values().find(|key| key.id() == id).cloned()
    }
}

fn hash(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests;
