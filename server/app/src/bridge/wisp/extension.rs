//! Extensions, as INFO lists them: `id: u8 | length: u32 | payload`.

use super::packet::Wrong;

/// UDP streams. No payload.
pub(super) const UDP: u8 = 0x01;
/// Authentication by password.
pub(super) const PASSWORD: u8 = 0x02;
/// Authentication by key.
pub(super) const KEY: u8 = 0x03;
/// A message of the server for people.
pub(super) const MOTD: u8 = 0x04;
/// CONTINUE tells that a stream is open. No payload.
pub(super) const CONFIRM_OPEN: u8 = 0x05;

/// One extension in an INFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// Which.
    pub id: u8,
    /// What the sender says of it.
    pub payload: &'a [u8],
}

/// Reads the extensions of an INFO. Where one ends too early, the last item says so.
pub fn extensions(bytes: &[u8]) -> impl Iterator<Item = Result<Extension<'_>, Wrong>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let next = split(rest);
        rest = next.map_or(&[], |(_, rest)| rest);
        Some(next.map(|(extension, _)| extension).ok_or(Wrong::Truncated))
    })
}

/// The first extension, and what is behind it.
fn split(bytes: &[u8]) -> Option<(Extension<'_>, &[u8])> {
    let (&[id, a, b, c, d], rest) = bytes.split_first_chunk()?;
    let len = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
    let (payload, rest) = rest.split_at_checked(len)?;
    Some((Extension { id, payload }, rest))
}

/// Appends one. Payload beyond what 32 bits can count is left out.
pub(super) fn put(out: &mut Vec<u8>, Extension { id, payload }: Extension<'_>) {
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.push(id);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&payload[..len as usize]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
        proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..300)), 0..6)
    }

    fn written(listed: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (id, payload) in listed {
            put(&mut bytes, Extension { id: *id, payload });
        }
        bytes
    }

    #[test]
    fn a_length_that_reaches_beyond_the_packet_is_found_out() {
        let found = extensions(&[1, 0, 0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]).collect::<Vec<_>>();
        assert_eq!(found, [Ok(Extension { id: 1, payload: &[] }), Err(Wrong::Truncated)]);
    }

    proptest! {
        #[test]
        fn what_is_listed_is_read_known_or_not(listed in listed()) {
            let bytes = written(&listed);
            let read = extensions(&bytes).map(|each| each.map(|each| (each.id, each.payload.to_vec())));
            prop_assert_eq!(read.collect::<Result<Vec<_>, _>>(), Ok(listed));
        }

        #[test]
        fn whatever_is_cut_within_an_extension_is_truncated(listed in listed(), cut in any::<prop::sample::Index>()) {
            let bytes = written(&listed);
            let cut = cut.index(bytes.len() + 1);
            let whole = listed.iter().scan(0, |end, (_, payload)| { *end += 5 + payload.len(); Some(*end) });
            let whole = whole.take_while(|end| *end <= cut).collect::<Vec<_>>();
            let read = extensions(&bytes[..cut]).collect::<Vec<_>>();
            prop_assert_eq!(read.iter().filter(|each| each.is_ok()).count(), whole.len());
            let between = cut == whole.last().copied().unwrap_or(0);
            prop_assert_eq!(read.last() == Some(&Err(Wrong::Truncated)), !between);
        }

        #[test]
        fn arbitrary_bytes_are_read_or_truncated(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let read = extensions(&bytes).collect::<Vec<_>>();
            prop_assert!(read.iter().rev().skip(1).all(Result::is_ok), "it ends with the first error");
        }
    }
}
