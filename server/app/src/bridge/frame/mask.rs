//! Masking (RFC 6455 §5.3).

/// Applies a masking key to payload of which `offset` bytes were before.
pub(super) fn apply(payload: &mut [u8], key: [u8; 4], offset: usize) {
    let mut key = key;
    key.rotate_left(offset % 4);
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let bytes: [u8; 8] = (&*chunk).try_into().unwrap_or_default();
        chunk.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_an_xor_with_the_key_in_turn(payload: Vec<u8>, key: [u8; 4], offset in 0_usize..9, cut in 0_usize..40) {
            let expected: Vec<u8> =
                payload.iter().enumerate().map(|(i, byte)| byte ^ key[(offset + i) % 4]).collect();
            let mut whole = payload.clone();
            apply(&mut whole, key, offset);
            prop_assert_eq!(&whole, &expected);
            let mut parts = payload;
            let cut = cut.min(parts.len());
            let (front, back) = parts.split_at_mut(cut);
            apply(front, key, offset);
            apply(back, key, offset + cut);
            prop_assert_eq!(parts, expected);
        }
    }
}
