//! Files of tokens, and where these lead.

use super::{find, parse_endpoint, target};

/// How long a token is (one byte), that, and a file. What is found is found in a file of that line alone; a target that is
/// understood is, written as targets are, understood the same.
pub(crate) fn token_file(data: &[u8]) {
    let Some((len, rest)) = data.split_first() else { return };
    let (token, text) = rest.split_at(usize::from(*len).min(rest.len()));
    let (Ok(token), Ok(text)) = (std::str::from_utf8(token), std::str::from_utf8(text)) else { return };
    let Some(found) = find(text, token) else { return };
    assert!(!token.is_empty() && found == found.trim());
    assert_eq!(find(&format!("{token}: {found}\n"), token).as_ref(), Some(&found));
    let Ok(target) = target(&found) else { return };
    let written = format!("{}:{}", target.host, target.port);
    assert_eq!(parse_endpoint(&written), Ok((target.host, target.port)));
}
