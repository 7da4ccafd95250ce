//! Masking of payloads: RFC 6455 section 5.3.

/// Masks or unmasks `bytes`, the part of a payload that starts at `offset`.
pub(super) fn apply(key: [u8; 4], offset: u64, bytes: &mut [u8]) {
    let mut key = key;
    key.rotate_left((offset % 4) as usize);
    let word = u32::from_ne_bytes(key);
    let mut words = bytes.chunks_exact_mut(4);
    for chunk in &mut words {
        if let Ok(array) = <[u8; 4]>::try_from(&*chunk) {
            chunk.copy_from_slice(&(u32::from_ne_bytes(array) ^ word).to_ne_bytes());
        }
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(key) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::apply;

    #[test]
    fn the_masked_example_of_section_5_7_is_read() {
        let mut bytes = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        apply([0x37, 0xfa, 0x21, 0x3d], 0, &mut bytes);
        assert_eq!(&bytes, b"Hello");
    }

    #[test]
    fn pieces_are_unmasked_like_the_whole() {
        let key = [1, 2, 3, 4];
        let whole: Vec<u8> = (0..20).collect();
        let mut expected = whole.clone();
        apply(key, 0, &mut expected);
        for cut in 0..=whole.len() {
            let mut bytes = whole.clone();
            let (left, right) = bytes.split_at_mut(cut);
            apply(key, 0, left);
            apply(key, cut as u64, right);
            assert_eq!(bytes, expected);
        }
    }
}
