//! Secrets and unguessable names.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Random bytes from the system. A system that has none cannot keep a secret, so nothing may go on.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system's random source works");
    bytes
}

/// 128 random bits: an epoch, a workspace's id.
#[must_use]
pub fn random_id() -> String {
    URL_SAFE_NO_PAD.encode(random::<16>())
}

/// 256 random bits: a token, a code, a ticket.
#[must_use]
pub fn random_secret() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

#[cfg(test)]
mod tests {
    #[test]
    fn secrets_are_long_and_differ() {
        assert_eq!(super::random_secret().len(), 43);
        assert_eq!(super::random_id().len(), 22);
        assert_ne!(super::random_secret(), super::random_secret());
    }
}
