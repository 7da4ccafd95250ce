//! Properties of the decoder for any bytes, split in any way.

use super::{
    DecoderRules, FrameDecoder,
    rfc_cases::{OwnedItem, decode, frame},
};
use proptest::{collection::vec, prelude::*};

const RULES: DecoderRules = DecoderRules { masked: true, max_message: 300 };

/// A valid message in fragments, perhaps with pings between them, and the items expected.
fn message() -> impl Strategy<Value = (Vec<u8>, Vec<OwnedItem>)> {
    ("\\PC{0,40}", vec(0..160_usize, 0..4), any::<bool>()).prop_map(|(text, mut cuts, ping)| {
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(text.len()));
        cuts.sort_unstable();
        cuts.push(text.len());
        let (mut bytes, mut items, mut start) = (Vec::new(), Vec::new(), 0);
        for (index, end) in cuts.iter().copied().enumerate() {
            let first = u8::from(index == 0) | if index + 1 == cuts.len() { 0x80 } else { 0 };
            bytes.extend(frame(first, &text.as_bytes()[start..end]));
            if ping && index + 1 < cuts.len() {
                bytes.extend(frame(0x89, b"p"));
                items.push(OwnedItem::Ping(b"p".into()));
            }
            start = end;
        }
        items.push(OwnedItem::Text(text));
        (bytes, items)
    })
}

/// Splits `bytes` into pieces of these lengths, over and over.
fn pieces<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at((*length).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

proptest! {
    #[test]
    fn splitting_the_bytes_does_not_change_the_items(
        messages in vec(message(), 1..5),
        lengths in vec(1..40_usize, 1..8),
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let expected: Vec<OwnedItem> = messages.into_iter().flat_map(|(_, items)| items).collect();
        prop_assert_eq!(&decode(RULES, [&bytes[..]]), &expected);
        prop_assert_eq!(&decode(RULES, pieces(&bytes, &lengths)), &expected);
    }

    #[test]
    fn splitting_garbage_does_not_change_the_items(
        bytes in vec(any::<u8>(), 0..600),
        lengths in vec(1..40_usize, 1..8),
    ) {
        let whole = decode(RULES, [&bytes[..]]);
        prop_assert_eq!(&decode(RULES, pieces(&bytes, &lengths)), &whole);
        prop_assert_eq!(&decode(RULES, bytes.chunks(1)), &whole);
    }

    #[test]
    fn no_payload_above_the_limit_is_buffered(
        frames in vec((any::<bool>(), 0..4_u8, 0..400_usize), 1..8),
        lengths in vec(1..90_usize, 1..4),
    ) {
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|(fin, opcode, length)| {
                let opcode = [0x00, 0x01, 0x02, 0x09][usize::from(*opcode)];
                frame(opcode | if *fin { 0x80 } else { 0 }, &vec![b'x'; *length])
            })
            .collect();
        let mut decoder = FrameDecoder::default();
        for piece in pieces(&bytes, &lengths) {
            let mut piece = piece.to_vec();
            let mut items = decoder.feed(RULES, &mut piece);
            while items.next().is_some() {}
            prop_assert!(decoder.kept() <= RULES.max_message + 125);
        }
    }
}
