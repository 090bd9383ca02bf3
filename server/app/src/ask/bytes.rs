//! Bytes to send, in four spellings.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sockscope_wire::{Code, Phase, SendRequest};

use crate::problem::{Refused, Saying as _, problem};

/// The bytes of a send request.
///
/// # Errors
/// When not exactly one spelling is given, or it is wrong; `at` is the position, counted in characters from 0.
pub fn data(request: &SendRequest) -> Result<Vec<u8>, Refused> {
    let SendRequest { text, escaped, hex, base64, to: _, timeout_ms: _ } = request;
    match (text, escaped, hex, base64) {
        (Some(text), None, None, None) => Ok(text.clone().into_bytes()),
        (None, Some(escaped), None, None) => {
            unescape(escaped).map_err(|at| wrong(Code::InvalidEscape, "escaped", at))
        }
        (None, None, Some(hex), None) => unhex(hex).map_err(|at| wrong(Code::InvalidHex, "hex", at)),
        (None, None, None, Some(base64)) => STANDARD.decode(base64).map_err(|error| {
            let refused = problem(Code::InvalidBase64, error.to_string()).in_phase(Phase::Parse);
            match error {
                base64::DecodeError::InvalidByte(at, _)
                | base64::DecodeError::InvalidLastSymbol { offset: at, .. } => refused.with("at", at),
                _ => refused,
            }
        }),
        _ => Err(problem(Code::InvalidData, "give exactly one of text, escaped, hex, base64")
            .in_phase(Phase::Parse)),
    }
}

fn wrong(code: Code, field: &str, at: usize) -> Refused {
    problem(code, format!("{field} is wrong at character {at}")).in_phase(Phase::Parse).with("at", at)
}

/// Text with escapes as bytes; the error is the position of the wrong escape, in characters.
fn unescape(text: &str) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut chars = text.chars().enumerate().peekable();
    while let Some((at, char)) = chars.next() {
        if char != '\\' {
            bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let (_, escape) = chars.next().ok_or(at)?;
        match escape {
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            '0' => bytes.push(0),
            'a' => bytes.push(0x07),
            'b' => bytes.push(0x08),
            'f' => bytes.push(0x0c),
            'v' => bytes.push(0x0b),
            'e' => bytes.push(0x1b),
            '\\' | '"' | '\'' => bytes.push(escape as u8),
            'x' => {
                let mut byte = 0;
                for _ in 0..2 {
                    let (_, digit) = chars.next().ok_or(at)?;
                    byte = byte << 4 | digit.to_digit(16).ok_or(at)?;
                }
                bytes.push(u8::try_from(byte).map_err(|_| at)?);
            }
            'u' => {
                if chars.next().is_none_or(|(_, open)| open != '{') {
                    return Err(at);
                }
                let mut code = 0_u32;
                let mut digits = 0;
                loop {
                    match chars.next() {
                        Some((_, '}')) if digits > 0 => break,
                        Some((_, digit)) if digits < 6 => {
                            code = code << 4 | digit.to_digit(16).ok_or(at)?;
                            digits += 1;
                        }
                        _ => return Err(at),
                    }
                }
                let char = char::from_u32(code).ok_or(at)?;
                bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return Err(at),
        }
    }
    Ok(bytes)
}

/// Hexadecimal pairs as bytes; white space, `:`, `,`, `-` and `0x` between pairs are passed over. The error is the
/// position of what is wrong, in characters; of a lone digit, that digit.
fn unhex(text: &str) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut chars = text.chars().enumerate().peekable();
    while let Some((at, char)) = chars.next() {
        if separates(char) {
            continue;
        }
        if char == '0' && chars.next_if(|(_, next)| matches!(next, 'x' | 'X')).is_some() {
            continue;
        }
        let high = char.to_digit(16).ok_or(at)?;
        let low = match chars.next() {
            None => return Err(at),
            // Before a separator the digit is alone; anything else is wrong itself.
            Some((next, char)) => char.to_digit(16).ok_or(if separates(char) { at } else { next })?,
        };
        bytes.push(u8::try_from(high << 4 | low).map_err(|_| at)?);
    }
    Ok(bytes)
}

fn separates(char: char) -> bool {
    char.is_whitespace() || matches!(char, ':' | ',' | '-')
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(hex: &str) -> SendRequest {
        SendRequest { hex: Some(hex.to_owned()), ..SendRequest::default() }
    }

    #[test]
    fn hex_is_tolerant_between_pairs_and_strict_within() {
        for text in ["68656c6c6f", "68 65 6C 6c 6f", "0x68,0x65,0x6c,0x6c,0x6f", "68:65:6c-6c\n6f"] {
            assert_eq!(data(&request(text)).expect(text), b"hello");
        }
        for (text, at) in [("6", 0), ("68 6", 3), ("6g", 1), ("zz", 0), ("6é", 1), ("6 8", 0), ("6-8", 0)] {
            assert_eq!(unhex(text), Err(at), "{text:?}");
        }
    }

    #[test]
    fn bad_hex_is_refused_with_its_position() {
        let refused = data(&request("68 6g")).expect_err("bad hex");
        assert_eq!(refused.code, Code::InvalidHex);
        assert_eq!(refused.params["at"], "4");
    }

    #[test]
    fn escapes_cover_every_byte() {
        assert_eq!(
            unescape(r#"a\n\r\t\0\\\"\'\a\b\f\v\e\xff\u{4e2d}"#).expect("good"),
            b"a\n\r\t\0\\\"'\x07\x08\x0c\x0b\x1b\xff\xe4\xb8\xad"
        );
        for (text, at) in [
            ("\\", 0),
            ("ab\\q", 2),
            ("\\x1", 0),
            ("\\xzz", 0),
            ("\\u{}", 0),
            ("\\u{d800}", 0),
            ("\\u{1234567}", 0),
            ("\\u12", 0),
        ] {
            assert_eq!(unescape(text), Err(at), "{text:?}");
        }
    }

    #[test]
    fn exactly_one_spelling_is_taken() {
        let both = SendRequest { text: Some("a".into()), hex: Some("61".into()), ..SendRequest::default() };
        assert_eq!(data(&both).expect_err("two").code, Code::InvalidData);
        assert_eq!(data(&SendRequest::default()).expect_err("none").code, Code::InvalidData);
    }

    proptest! {
        #[test]
        fn any_bytes_survive_hex_and_escapes(bytes: Vec<u8>) {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(unhex(&hex), Ok(bytes.clone()));
            let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
            prop_assert_eq!(unescape(&escaped), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text: String) {
            unhex(&text).ok();
            unescape(&text).ok();
        }
    }
}
