//! What a server sends: frames without a mask.

use super::read::Kind;

/// The longest header of a frame that is sent: opcode, length, and eight bytes of it.
pub const HEADER: usize = 10;

/// The longest payload of a control frame (RFC 6455 §5.5).
pub const CONTROL: usize = 125;

const FIN: u8 = 0x80;
const CLOSE: u8 = 8;
const PONG: u8 = 10;

/// Writes the header of a whole message behind which `len` bytes of payload follow, so that it ends where `room` ends. Returns
/// where it begins: payload that lies behind `room` is then one piece with it.
pub fn header(room: &mut [u8; HEADER], kind: Kind, len: usize) -> usize {
    let first = FIN | kind.opcode();
    let long = (len as u64).to_be_bytes();
    match u16::try_from(len) {
        Ok(short) if short <= 125 => {
            room[8..].copy_from_slice(&[first, long[7]]);
            8
        }
        Ok(_) => {
            room[6..].copy_from_slice(&[first, 126, long[6], long[7]]);
            6
        }
        Err(_) => {
            room[..2].copy_from_slice(&[first, 127]);
            room[2..].copy_from_slice(&long);
            0
        }
    }
}

/// A control frame: what it takes of `frame`. Payload beyond [`CONTROL`] is left out.
fn put<'a>(frame: &'a mut [u8; 2 + CONTROL], opcode: u8, payload: &[u8]) -> &'a [u8] {
    let payload = &payload[..payload.len().min(CONTROL)];
    frame[0] = FIN | opcode;
    // At most 125.
    frame[1] = payload.len() as u8;
    frame[2..2 + payload.len()].copy_from_slice(payload);
    &frame[..2 + payload.len()]
}

/// The answer to a ping.
#[must_use]
pub fn pong<'a>(frame: &'a mut [u8; 2 + CONTROL], payload: &[u8]) -> &'a [u8] {
    put(frame, PONG, payload)
}

/// A ping.
#[must_use]
pub fn ping<'a>(frame: &'a mut [u8; 2 + CONTROL], payload: &[u8]) -> &'a [u8] {
    put(frame, 9, payload)
}

/// A close frame: with a code and a reason, which is cut where it is too long, or with neither.
#[must_use]
pub fn close<'a>(frame: &'a mut [u8; 2 + CONTROL], code: Option<u16>, reason: &str) -> &'a [u8] {
    let Some(code) = code else { return put(frame, CLOSE, &[]) };
    let mut payload = [0; CONTROL];
    let cut = (0..=reason.len().min(CONTROL - 2)).rev().find(|at| reason.is_char_boundary(*at));
    let reason = &reason[..cut.unwrap_or(0)];
    payload[..2].copy_from_slice(&code.to_be_bytes());
    payload[2..2 + reason.len()].copy_from_slice(reason.as_bytes());
    put(frame, CLOSE, &payload[..2 + reason.len()])
}
