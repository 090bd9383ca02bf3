//! Reading what is asked for: data in four spellings, options, names. Everything refused here leaves no trace.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sockscope_sockets::{
    options::{MAX_READ, Options},
    target::TargetError,
};
use sockscope_wire::{Code, Phase, SendRequest, SocketOptions};

use crate::problem::{Refused, Saying as _, problem};

/// A name has at most so many characters.
const NAME: usize = 200;

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

/// Options to open a socket with.
///
/// # Errors
/// When one is out of range.
pub fn options(options: &SocketOptions) -> Result<Options, Refused> {
    let SocketOptions {
        connect_timeout_ms,
        reuse_addr,
        backlog,
        read_size,
        nodelay,
        keepalive,
        recv_buffer,
        send_buffer,
        broadcast,
        ipv6_only,
    } = options;
    let max_read = u32::try_from(MAX_READ).unwrap_or(u32::MAX);
    in_range("connect_timeout_ms", *connect_timeout_ms, 1, 600_000)?;
    in_range("backlog", *backlog, 0, 65_535)?;
    in_range("read_size", *read_size, 1, max_read)?;
    in_range("recv_buffer", *recv_buffer, 1, 1 << 30)?;
    in_range("send_buffer", *send_buffer, 1, 1 << 30)?;
    Ok(Options {
        connect_timeout: connect_timeout_ms.map(|ms| Duration::from_millis(u64::from(ms))),
        reuse_addr: *reuse_addr,
        backlog: *backlog,
        read_size: *read_size,
        nodelay: *nodelay,
        keepalive: *keepalive,
        recv_buffer: *recv_buffer,
        send_buffer: *send_buffer,
        broadcast: *broadcast,
        ipv6_only: *ipv6_only,
    })
}

/// Options to set on an open socket, and how many they are.
///
/// # Errors
/// When one is out of range, or only has a meaning before the socket opens.
pub fn live_options(asked: &SocketOptions) -> Result<(Options, usize), Refused> {
    for (name, given) in [
        ("connect_timeout_ms", asked.connect_timeout_ms.is_some()),
        ("backlog", asked.backlog.is_some()),
        ("reuse_addr", asked.reuse_addr.is_some()),
        ("ipv6_only", asked.ipv6_only.is_some()),
    ] {
        if given {
            return Err(problem(Code::InvalidOption, format!("{name} is given when the socket is opened"))
                .with("option", name));
        }
    }
    let options = options(asked)?;
    let given = [
        options.read_size.is_some(),
        options.nodelay.is_some(),
        options.keepalive.is_some(),
        options.recv_buffer.is_some(),
        options.send_buffer.is_some(),
        options.broadcast.is_some(),
    ];
    Ok((options, given.into_iter().filter(|given| *given).count()))
}

fn in_range(name: &str, value: Option<u32>, min: u32, max: u32) -> Result<(), Refused> {
    match value {
        Some(value) if value < min || value > max => {
            let refused = problem(Code::InvalidOption, format!("{name} is {min} to {max}"));
            Err(refused.with("option", name).with("min", min).with("max", max))
        }
        _ => Ok(()),
    }
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
