//! Reading what is asked for: bytes, options, names. Everything refused here leaves no trace.

mod bytes;
mod options;

use std::str::FromStr;

use sockscope_sockets::target::TargetError;
use sockscope_wire::{Code, Phase};

pub use bytes::data;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use bytes::fuzz::spelled_bytes;
pub use options::{live_options, options};

use crate::problem::{Refused, Saying as _, problem};

/// A name has at most so many characters.
const NAME: usize = 200;

/// A socket's name; `None` when it is empty.
///
/// # Errors
/// When it is too long.
pub fn name(name: &str) -> Result<Option<Box<str>>, Refused> {
    let name = name.trim();
    if name.chars().count() > NAME {
        return Err(problem(Code::InvalidName, format!("at most {NAME} characters")).with("max", NAME));
    }
    Ok((!name.is_empty()).then(|| name.into()))
}

/// A number in decimal digits and nothing else: `parse` takes a plus sign, too.
pub(crate) fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Why a target was not understood.
#[must_use]
pub fn target_problem(error: &TargetError) -> Refused {
    let code = match error {
        TargetError::InvalidTarget { .. } => Code::InvalidTarget,
        TargetError::UnsupportedScheme { .. } => Code::UnsupportedScheme,
        TargetError::InvalidHost { .. } => Code::InvalidHost,
        TargetError::InvalidPort { .. } => Code::InvalidPort,
    };
    let refused = problem(code, error.to_string()).in_phase(Phase::Parse).with("reason", error.reason());
    match error.position() {
        Some(at) => refused.with("at", at),
        None => refused,
    }
}
