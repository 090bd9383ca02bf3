//! Bytes in the spellings that people type.

use super::{unescape, unhex};

/// What is read, spelled plainly, reads the same; what is wrong is wrong at a character that is there.
pub(crate) fn spelled_bytes(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for (read, plain) in [(unescape as fn(&str) -> Result<Vec<u8>, usize>, "\\x"), (unhex, "")] {
        match read(text) {
            Ok(bytes) => {
                let spelled: String = bytes.iter().map(|byte| format!("{plain}{byte:02x}")).collect();
                assert_eq!(read(&spelled), Ok(bytes), "{spelled}");
            }
            Err(at) => assert!(at < text.chars().count(), "{at}"),
        }
    }
    if !text.contains('\\') {
        assert_eq!(unescape(text).as_deref(), Ok(data));
    }
}
