//! How a connection begins: the server's INFO, the client's, and CONTINUE or CLOSE of stream 0.

use std::num::NonZeroU32;

use super::{
    auth::{CHALLENGE, Keys, Passwords},
    extension::{self, Extension},
    packet::{Packet, PacketType, close_packet, continue_packet, info_packet},
    reason,
};

/// Of the version that is spoken.
pub const MAJOR: u8 = 2;
/// Of the version that is spoken.
pub const MINOR: u8 = 0;

/// Which version a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 1.2: the request to upgrade had no `Sec-WebSocket-Protocol`, or the client knows no INFO.
    V1,
    /// 2.0: the request had one, whatever it said.
    V2,
}

/// What a server says of itself, and asks for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many packets may be sent for a new stream: [`credits_for`](super::credits_for).
    pub credits: NonZeroU32,
    /// Who may connect by password; `None`: nobody is asked for one.
    pub passwords: Option<Passwords>,
    /// Who may connect by key; `None`: nobody is asked for one.
    pub keys: Option<Keys>,
    /// What clients may show to people.
    pub motd: Option<String>,
}

/// A connection that streams may be opened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// What it speaks.
    pub version: Version,
    /// It may have UDP streams.
    pub udp: bool,
    /// The client may wait for CONTINUE after CONNECT, and takes it as the word that a TCP stream is open.
    pub confirm_open: bool,
    /// The message that was received is no part of the handshake: it is to be treated as any that follows.
    pub pending: bool,
}

/// How it began. What was written is the payload of one binary message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// CONTINUE of stream 0 was written.
    Accepted(Accepted),
    /// CLOSE of stream 0 was written, with this reason; the WebSocket is to be closed behind it, for clients wait for
    /// that.
    Refused(u8),
    /// The client refused, with this reason, and nothing was written.
    Left(u8),
}

/// What there is to do after the first packet.
#[derive(Debug)]
#[must_use]
pub enum Begun<'a> {
    /// INFO was written; the client's first message decides.
    Waiting(Handshake<'a>),
    /// All is said.
    Over(Outcome),
}

/// INFO was sent, and nothing received.
#[derive(Debug)]
pub struct Handshake<'a> {
    settings: &'a Settings,
    challenge: [u8; CHALLENGE],
}

impl<'a> Handshake<'a> {
    /// Begins as soon as the WebSocket is open, and appends what is to be sent first. The challenge is random, and of
    /// this connection alone.
    pub fn begin(
        version: Version,
        settings: &'a Settings,
        challenge: [u8; CHALLENGE],
        out: &mut Vec<u8>,
    ) -> Begun<'a> {
        let handshake = Self { settings, challenge };
        match version {
            Version::V1 => Begun::Over(handshake.version_1(false, out)),
            Version::V2 => {
                handshake.info(out);
                Begun::Waiting(handshake)
            }
        }
    }

    /// Takes the client's first message, whole, and appends the answer.
    pub fn receive(self, message: &[u8], out: &mut Vec<u8>) -> Outcome {
        match Packet::parse(message) {
            Ok(Packet::Info { major, minor: _, extensions }) => self.answer(major, extensions, out),
            Ok(Packet::Close { stream: 0, reason }) => Outcome::Left(reason),
            Err(_) if message.first() == Some(&(PacketType::Info as u8)) => refuse(reason::INCOMPATIBLE, out),
            // A client of before v2 that names a subprotocol, as the first drafts had it.
            Ok(_) | Err(_) => self.version_1(true, out),
        }
    }

    /// The client has said nothing for longer than is waited for, and the answer is appended: a client of before v2
    /// that names a subprotocol is silent until CONTINUE. An INFO that comes later is to be dropped.
    pub fn silent(self, out: &mut Vec<u8>) -> Outcome {
        self.version_1(false, out)
    }

    fn info(&self, out: &mut Vec<u8>) {
        let Settings { credits: _, passwords, keys, motd } = self.settings;
        let passwords = passwords.as_ref().map(Passwords::offer);
        let keys = keys.as_ref().map(|keys| keys.offer(&self.challenge));
        let offered = [
            (extension::UDP, Some(&[][..])),
            (extension::PASSWORD, passwords.as_ref().map(<[u8; _]>::as_slice)),
            (extension::KEY, keys.as_ref().map(<[u8; _]>::as_slice)),
            (extension::MOTD, motd.as_ref().map(String::as_bytes)),
            (extension::CONFIRM_OPEN, Some(&[][..])),
        ];
        let offered =
            offered.into_iter().filter_map(|(id, payload)| Some(Extension { id, payload: payload? }));
        info_packet(out, MAJOR, MINOR, &offered.collect::<Vec<_>>());
    }

    /// Goes on as v1, which has no credentials.
    fn version_1(self, pending: bool, out: &mut Vec<u8>) -> Outcome {
        if !self.suffice(false, false) {
            return refuse(reason::CREDENTIALS, out);
        }
        self.accept(Accepted { version: Version::V1, udp: true, confirm_open: false, pending }, out)
    }

    /// Answers the client's INFO. Credentials that are wrong are refused, whether any are required or not, and
    /// whatever others there are beside them.
    fn answer(self, major: u8, extensions: &[u8], out: &mut Vec<u8>) -> Outcome {
        // Both are to name the latest version that both speak.
        if major != MAJOR {
            return refuse(reason::INCOMPATIBLE, out);
        }
        let Settings { credits: _, passwords, keys, motd: _ } = self.settings;
        let (mut udp, mut confirm_open, mut password, mut key) = (false, false, false, false);
        for each in extension::extensions(extensions) {
            let Ok(Extension { id, payload }) = each else { return refuse(reason::INCOMPATIBLE, out) };
            match (id, passwords, keys) {
                (extension::UDP, ..) => udp = true,
                (extension::CONFIRM_OPEN, ..) => confirm_open = true,
                // A client without credentials may list what it knows.
                (extension::PASSWORD | extension::KEY, ..) if payload.is_empty() => {}
                (extension::PASSWORD, Some(passwords), _) => {
                    if !passwords.check(payload) {
                        return refuse(reason::PASSWORD, out);
                    }
                    password = true;
                }
                (extension::KEY, _, Some(keys)) => {
                    if !keys.check(&self.challenge, payload) {
                        return refuse(reason::SIGNATURE, out);
                    }
                    key = true;
                }
                // Unknown, or not offered.
                _ => {}
            }
        }
        if !self.suffice(password, key) {
            return refuse(reason::CREDENTIALS, out);
        }
        self.accept(Accepted { version: Version::V2, udp, confirm_open, pending: false }, out)
    }

    /// Whether a password, a key, both or neither are enough: where both are required, the client chooses.
    fn suffice(&self, password: bool, key: bool) -> bool {
        let passwords = self.settings.passwords.as_ref().is_some_and(Passwords::required);
        let keys = self.settings.keys.as_ref().is_some_and(Keys::required);
        (!passwords && !keys) || (passwords && password) || (keys && key)
    }

    fn accept(self, accepted: Accepted, out: &mut Vec<u8>) -> Outcome {
        out.extend_from_slice(&continue_packet(0, self.settings.credits.get()));
        Outcome::Accepted(accepted)
    }
}

fn refuse(reason: u8, out: &mut Vec<u8>) -> Outcome {
    out.extend_from_slice(&close_packet(0, reason));
    Outcome::Refused(reason)
}

#[cfg(test)]
mod tests;
