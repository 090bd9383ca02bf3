//! The file format (draft-ietf-opsawg-pcapng): the four blocks that are written here, in little-endian order.
//!
//! By hand, because it is little: of the crates that write it, the one in use (`pcap-file`) has had no release since 2023
//! and brings a second generation of the macros this program is built with.

/// What a frame of an interface begins with (tcpdump.org/linktypes.html).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum LinkType {
    /// LINKTYPE_ETHERNET.
    Ethernet = 1,
    /// LINKTYPE_RAW: the IP header.
    Raw = 101,
}

/// A frame to write.
pub(super) struct Frame<'a> {
    /// Its interface, by the number of its description among all.
    pub(super) interface: u32,
    /// When, in ns since 1970.
    pub(super) at: u64,
    /// As much of it as there is.
    pub(super) bytes: &'a [u8],
    /// How long it was.
    pub(super) len: u32,
    /// This host sent it.
    pub(super) outgoing: bool,
    /// What is said of it.
    pub(super) comments: &'a [String],
}

const COMMENT: u16 = 1;

/// A section begins: what follows is to be read by its rules. Its length is not known, it is a stream.
pub(super) fn section(out: &mut Vec<u8>, comments: &[&str]) {
    block(out, 0x0A0D_0D0A, |out| {
        out.extend_from_slice(&0x1A2B_3C4D_u32.to_le_bytes());
        out.extend_from_slice(&1_u16.to_le_bytes());
        out.extend_from_slice(&0_u16.to_le_bytes());
        out.extend_from_slice(&u64::MAX.to_le_bytes());
        comments.iter().for_each(|comment| option(out, COMMENT, comment.as_bytes()));
        option(out, 3, std::env::consts::OS.as_bytes());
        option(out, 4, concat!("sockscope ", env!("CARGO_PKG_VERSION")).as_bytes());
        end_of_options(out);
    });
}

/// An interface, with times in ns and frames of any length.
pub(super) fn interface(out: &mut Vec<u8>, link: LinkType, name: &str, description: Option<&str>) {
    block(out, 1, |out| {
        out.extend_from_slice(&(link as u16).to_le_bytes());
        out.extend_from_slice(&[0; 6]);
        option(out, 2, name.as_bytes());
        if let Some(description) = description {
            option(out, 3, description.as_bytes());
        }
        option(out, 9, &[9]);
        end_of_options(out);
    });
}

/// A frame.
pub(super) fn packet(out: &mut Vec<u8>, frame: &Frame<'_>) {
    let Frame { interface, at, bytes, len, outgoing, comments } = *frame;
    let kept = u32::try_from(bytes.len()).expect("a frame is less than 4 GiB");
    block(out, 6, |out| {
        let (high, low) = ((at >> 32) as u32, at as u32);
        for word in [interface, high, low, kept, len.max(kept)] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(bytes);
        pad(out, bytes.len());
        comments.iter().for_each(|comment| option(out, COMMENT, comment.as_bytes()));
        // Bits 0 and 1: inbound or outbound.
        option(out, 2, &(if outgoing { 2_u32 } else { 1 }).to_le_bytes());
        end_of_options(out);
    });
}

/// A block stands between its two lengths.
fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    body(out);
    let len = u32::try_from(out.len() - begin + 4).expect("a block is a frame and its comments");
    out[begin + 4..begin + 8].copy_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    // A longer one cannot be said; comments are cut well before, by character.
    let value = &value[..value.len().min(u16::MAX.into())];
    let len = u16::try_from(value.len()).expect("cut");
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(value);
    pad(out, value.len());
}

fn end_of_options(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; 4]);
}

fn pad(out: &mut Vec<u8>, len: usize) {
    out.resize(out.len() + (len.next_multiple_of(4) - len), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_whole_words_between_their_lengths() {
        for len in 0..9 {
            let mut out = Vec::new();
            section(&mut out, &["a comment", "another"]);
            interface(&mut out, LinkType::Raw, &"x".repeat(len), None);
            let bytes = vec![7; len];
            let comments = ["s1 sent".to_owned()];
            let frame = Frame {
                interface: 0,
                at: 5 << 32 | 1,
                bytes: &bytes,
                len: 99,
                outgoing: true,
                comments: &comments,
            };
            packet(&mut out, &frame);
            let (mut rest, mut kinds) = (&out[..], Vec::new());
            while let Some((kind, _)) = rest.split_first_chunk::<4>() {
                let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().expect("four bytes"));
                let total = word(4) as usize;
                assert_eq!(total % 4, 0);
                assert_eq!(word(total - 4) as usize, total);
                kinds.push(u32::from_le_bytes(*kind));
                if word(0) == 6 {
                    assert_eq!([word(8), word(12), word(16), word(20), word(24)], [0, 5, 1, len as u32, 99]);
                }
                rest = &rest[total..];
            }
            assert_eq!(kinds, [0x0A0D_0D0A, 1, 6]);
        }
    }
}
