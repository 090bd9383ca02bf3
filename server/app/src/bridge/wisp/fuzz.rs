//! Whatever a Wisp client may say: any packet, and the one that decides whether it is let in.

use std::{num::NonZeroU32, sync::LazyLock};

use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};

use super::{
    Begun, CHALLENGE, Extension, Fault, Handshake, Head, Keys, Outcome, Packet, PacketType, Passwords,
    Settings, StreamType, Version, Wrong, close_packet, continue_packet, data_head,
    extension::{KEY, PASSWORD},
    extensions, info_packet,
};

/// A packet that is read is, written again, what it was read from, but for what is behind its last field; its head, which is
/// read before the rest has come, says whose fault anything else is.
pub(crate) fn wisp_packet(data: &[u8]) {
    let head = Head::parse(data);
    match (head, Packet::parse(data)) {
        (Ok(Some(head)), Ok(packet)) => {
            let written = write(packet);
            assert!(data.starts_with(&written), "{packet:?}");
            assert_eq!(Packet::parse(&written), Ok(packet));
            assert_eq!(Head::parse(&written), Ok(Some(head)));
        }
        (Ok(Some(head)), Err(Fault::Stream { stream, .. })) => assert!(stream == head.stream && stream != 0),
        (Ok(Some(head)), Err(Fault::Connection(_))) => {
            assert!(head.stream == 0 || head.packet_type == PacketType::Info);
        }
        (Ok(None), packet) => assert_eq!(packet, Err(Fault::Connection(Wrong::Truncated))),
        (Err(fault), packet) => assert_eq!(packet, Err(fault)),
    }
    for cut in 0..data.len().min(2 * Head::LEN) {
        let known = Head::parse(&data[..cut]);
        assert!(known == head || known == Ok(None) && cut < Head::LEN);
        // Cut, it is another packet or none.
        let _ = Packet::parse(&data[..cut]);
    }
}

fn write(packet: Packet<'_>) -> Vec<u8> {
    match packet {
        Packet::Connect { stream, kind, port, host } => {
            let kind = match kind {
                StreamType::Tcp => 1,
                StreamType::Udp => 2,
            };
            [&[1][..], &stream.to_le_bytes(), &[kind], &port.to_le_bytes(), host.as_bytes()].concat()
        }
        Packet::Data { stream, payload } => [&data_head(stream)[..], payload].concat(),
        Packet::Continue { stream, credits } => continue_packet(stream, credits).to_vec(),
        Packet::Close { stream, reason } => close_packet(stream, reason).to_vec(),
        Packet::Info { major, minor, extensions: listed } => {
            let (mut out, mut known) = (Vec::new(), Vec::new());
            let cut = extensions(listed).any(|each| each.map(|each| known.push(each)).is_err());
            info_packet(&mut out, major, minor, &known);
            // What is cut off within cannot be written.
            if cut {
                out.extend_from_slice(&listed[out.len() - Head::LEN - 2..]);
            }
            out
        }
    }
}

/// What is signed.
const SIGNED: [u8; CHALLENGE] = [9; CHALLENGE];

/// What a client sends that has the password: as the specification has it, and as drafts before had it.
const RIGHT_PASSWORD: [&[u8]; 2] = [b"\x03annone", b"\x03\x03\x00annone"];

/// Who may come in, and what somebody sends who has the key.
struct Known {
    passwords: [Option<Passwords>; 3],
    keys: [Option<Keys>; 3],
    signature: Vec<u8>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = key.verifying_key().to_bytes();
    let name: [u8; 32] = Sha256::digest(public).into();
    let passwords = |required| Passwords::new(required, [("ann", "one")]).expect("a short name");
    let keys = |required| Keys::new(required, [public]).expect("a key");
    Known {
        passwords: [None, Some(passwords(false)), Some(passwords(true))],
        keys: [None, Some(keys(false)), Some(keys(true))],
        signature: [&[1][..], &name, &key.sign(&SIGNED).to_bytes()].concat(),
    }
});

/// What the server asks for (one byte: passwords, keys), and the first message of a client. Nobody is let in who does not show
/// what is asked for, and the answer says what was decided.
pub(crate) fn wisp_handshake(data: &[u8]) {
    let Some((asks, message)) = data.split_first() else { return };
    let (asks_password, asks_key) = (usize::from(asks % 3), usize::from(asks / 3 % 3));
    let settings = Settings {
        credits: NonZeroU32::MIN,
        passwords: KNOWN.passwords[asks_password].clone(),
        keys: KNOWN.keys[asks_key].clone(),
        motd: None,
    };
    let mut out = Vec::new();
    let Begun::Waiting(handshake) = Handshake::begin(Version::V2, &settings, SIGNED, &mut out) else {
        panic!("it waits for INFO")
    };
    out.clear();
    let outcome = handshake.receive(message, &mut out);
    match outcome {
        Outcome::Accepted(accepted) => {
            assert_eq!(out, continue_packet(0, 1));
            assert_eq!(accepted.pending, accepted.version == Version::V1, "INFO is of the second version");
            let password = shows(message, PASSWORD, &RIGHT_PASSWORD);
            let key = shows(message, KEY, &[&KNOWN.signature]);
            let asked = asks_password == 2 || asks_key == 2;
            assert!(
                !asked || asks_password == 2 && password || asks_key == 2 && key,
                "nobody knows who that is"
            );
        }
        Outcome::Refused(reason) => assert_eq!(out, close_packet(0, reason)),
        Outcome::Left(_) => assert!(out.is_empty()),
    }
}

/// Whether a message is an INFO that shows one of these.
fn shows(message: &[u8], id: u8, right: &[&[u8]]) -> bool {
    let Ok(Packet::Info { extensions: listed, .. }) = Packet::parse(message) else { return false };
    extensions(listed).flatten().any(|Extension { id: of, payload }| of == id && right.contains(&payload))
}
