//! Who may come in: the token, launch codes and tickets.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use crate::secret::random_secret;

/// How long a launch code works.
const CODE_LIFE: Duration = Duration::from_secs(60);

/// How long a ticket works.
const TICKET_LIFE: Duration = Duration::from_secs(10);

/// The most codes or tickets outstanding; the one that ends soonest leaves.
const OUTSTANDING: usize = 256;

/// Wrong launch codes taken in a minute, from everybody together: there is one user.
const WRONG_CODES: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// Who a credential stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// What commands' facts say in `by`.
    pub name: Arc<str>,
}

impl Principal {
    /// The one user of local mode.
    #[must_use]
    pub fn local() -> Self {
        Self { name: "local".into() }
    }
}

/// Why a launch code was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeRefused {
    /// Unknown, used, or too old.
    Wrong,
    /// Too many wrong ones.
    TooMany,
}

/// The credentials of local mode.
pub struct Auth {
    /// `None` with `--no-token`.
    token: Option<String>,
    codes: Mutex<OneTime>,
    tickets: Mutex<OneTime>,
    wrong: Mutex<Option<(Instant, u32)>>,
}

#[derive(Default)]
struct OneTime(HashMap<String, Instant>);

impl OneTime {
    fn issue(&mut self, life: Duration) -> String {
        let now = Instant::now();
        self.0.retain(|_, ends| *ends > now);
        if self.0.len() >= OUTSTANDING
            && let Some(soonest) =
                self.0.iter().min_by_key(|(_, ends)| **ends).map(|(secret, _)| secret.clone())
        {
            self.0.remove(&soonest);
        }
        let secret = random_secret();
        self.0.insert(secret.clone(), now + life);
        secret
    }

    /// A lookup by hash leaks nothing useful: the secret has 256 bits and is gone once found.
    fn redeem(&mut self, secret: &str) -> bool {
        self.0.remove(secret).is_some_and(|ends| ends > Instant::now())
    }
}

impl Auth {
    /// The token, for clients this server starts itself.
    pub(in crate::http) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// With this token, or with none.
    #[must_use]
    pub fn new(token: Option<String>) -> Self {
        Self { token, codes: Mutex::default(), tickets: Mutex::default(), wrong: Mutex::default() }
    }

    /// Whether a token is needed.
    #[must_use]
    pub fn needs_token(&self) -> bool {
        self.token.is_some()
    }

    /// Who this bearer token stands for. Compared in constant time.
    #[must_use]
    pub fn bearer(&self, token: &str) -> Option<Principal> {
        let ours = self.token.as_deref()?;
        bool::from(ours.as_bytes().ct_eq(token.as_bytes())).then(Principal::local)
    }

    /// Who somebody without a credential is.
    #[must_use]
    pub fn nobody(&self) -> Option<Principal> {
        self.token.is_none().then(Principal::local)
    }

    /// A launch code: works once, for 60 s.
    #[must_use]
    pub fn launch_code(&self) -> String {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner).issue(CODE_LIFE)
    }

    /// Exchanges a launch code for the token.
    ///
    /// # Errors
    /// When the code is not good, or too many were not.
    pub fn redeem_code(&self, code: &str) -> Result<String, CodeRefused> {
        // A good code is good however many wrong ones came: nobody can lock the owner out by guessing.
        let good = self.codes.lock().unwrap_or_else(PoisonError::into_inner).redeem(code);
        if let (true, Some(token)) = (good, &self.token) {
            return Ok(token.clone());
        }
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) =
            wrong.filter(|(since, _)| since.elapsed() < MINUTE).unwrap_or((Instant::now(), 0));
        if count >= WRONG_CODES {
            return Err(CodeRefused::TooMany);
        }
        *wrong = Some((since, count + 1));
        Err(CodeRefused::Wrong)
    }

    /// A ticket for one WebSocket: works once, for 10 s.
    #[must_use]
    pub fn ticket(&self) -> String {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner).issue(TICKET_LIFE)
    }

    /// Who this ticket stands for; it is used up.
    #[must_use]
    pub fn redeem_ticket(&self, ticket: &str) -> Option<Principal> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner).redeem(ticket).then(Principal::local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_ticket_works_once_and_for_ten_seconds() {
        let auth = Auth::new(Some("t".into()));
        let ticket = auth.ticket();
        assert!(auth.redeem_ticket(&ticket).is_some());
        assert!(auth.redeem_ticket(&ticket).is_none());
        let ticket = auth.ticket();
        tokio::time::advance(TICKET_LIFE).await;
        assert!(auth.redeem_ticket(&ticket).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_launch_code_works_once_for_a_minute_and_guessing_is_slowed() {
        let auth = Auth::new(Some("t".into()));
        let code = auth.launch_code();
        assert_eq!(auth.redeem_code(&code).as_deref(), Ok("t"));
        assert_eq!(auth.redeem_code(&code), Err(CodeRefused::Wrong));
        for _ in 1..WRONG_CODES {
            assert_eq!(auth.redeem_code("guess"), Err(CodeRefused::Wrong));
        }
        assert_eq!(auth.redeem_code("guess"), Err(CodeRefused::TooMany));
        assert_eq!(auth.redeem_code(&auth.launch_code()).as_deref(), Ok("t"), "the owner is not locked out");
        tokio::time::advance(MINUTE).await;
        assert_eq!(auth.redeem_code("guess"), Err(CodeRefused::Wrong));
    }

    #[test]
    fn only_the_whole_token_opens() {
        let auth = Auth::new(Some("secret".into()));
        assert!(auth.bearer("secret").is_some());
        for wrong in ["", "secre", "secrets", "SECRET"] {
            assert!(auth.bearer(wrong).is_none(), "{wrong:?}");
        }
        assert!(auth.nobody().is_none());
        assert!(Auth::new(None).nobody().is_some());
    }
}
