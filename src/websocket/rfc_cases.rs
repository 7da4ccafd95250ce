//! RFC 6455 framing, case by case, each fed whole and split at every byte.

use super::{CodecError, DecodedItem, DecoderRules, FrameDecoder};
use crate::websocket::frame::CloseCode;

pub(super) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const RULES: DecoderRules = DecoderRules { masked: true, max_message: 1 << 17 };

/// An item that owns its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OwnedItem {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    Error(CodecError),
}

impl From<Result<DecodedItem<'_>, CodecError>> for OwnedItem {
    fn from(item: Result<DecodedItem<'_>, CodecError>) -> Self {
        match item {
            Ok(DecodedItem::Text(text)) => Self::Text(text.into()),
            Ok(DecodedItem::Binary(bytes)) => Self::Binary(bytes.into()),
            Ok(DecodedItem::Ping(bytes)) => Self::Ping(bytes.into()),
            Ok(DecodedItem::Pong(bytes)) => Self::Pong(bytes.into()),
            Ok(DecodedItem::Close(close)) => {
                Self::Close(close.map(|c| (c.code.0, c.reason.into())))
            }
            Err(error) => Self::Error(error),
        }
    }
}

/// Feeds the chunks to a fresh decoder.
pub(super) fn decode<'a>(
    rules: DecoderRules,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<OwnedItem> {
    let (mut decoder, mut found) = (FrameDecoder::default(), Vec::new());
    for chunk in chunks {
        let mut chunk = chunk.to_vec();
        let mut items = decoder.feed(rules, &mut chunk);
        while let Some(item) = items.next() {
            found.push(item.into());
        }
    }
    found
}

/// A frame as a client sends it.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    crate::websocket::frame::put_header(&mut bytes, first, 0x80, payload.len());
    bytes.extend_from_slice(&KEY);
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    super::mask::apply(KEY, 0, &mut bytes[start..]);
    bytes
}

/// The same items result however the bytes are split.
#[track_caller]
fn assert_items(bytes: &[u8], expected: &[OwnedItem]) {
    assert_eq!(decode(RULES, [bytes]), expected, "whole");
    assert_eq!(decode(RULES, bytes.chunks(1)), expected, "byte by byte");
    for cut in 0..bytes.len().min(300) {
        let (left, right) = bytes.split_at(cut);
        assert_eq!(decode(RULES, [left, right]), expected, "cut at {cut}");
    }
}

fn text(text: &str) -> OwnedItem {
    OwnedItem::Text(text.into())
}

#[test]
fn section_5_1_frames_from_a_client_are_masked() {
    assert_items(b"\x81\x05Hello", &[OwnedItem::Error(CodecError::Masking)]);
    let from_server = DecoderRules { masked: false, ..RULES };
    assert_eq!(decode(from_server, [&b"\x81\x05Hello"[..]]), [text("Hello")]);
    assert_eq!(
        decode(from_server, [&frame(0x81, b"Hello")[..]]),
        [OwnedItem::Error(CodecError::Masking)]
    );
}

#[test]
fn section_5_2_reserved_bits_and_opcodes_are_refused() {
    for bits in [0x10, 0x20, 0x40, 0x70] {
        assert_items(&frame(0x81 | bits, b"x"), &[OwnedItem::Error(CodecError::ReservedBits)]);
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let expected = [OwnedItem::Error(CodecError::ReservedOpcode(opcode))];
        assert_items(&frame(0x80 | opcode, b"x"), &expected);
    }
}

#[test]
fn section_5_2_every_length_encoding_is_read() {
    for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536] {
        let message = "x".repeat(length);
        assert_items(&frame(0x81, message.as_bytes()), &[text(&message)]);
        let binary = OwnedItem::Binary(message.clone().into());
        assert_items(&frame(0x82, message.as_bytes()), &[binary]);
    }
}

#[test]
fn section_5_2_a_length_not_in_its_shortest_form_is_refused() {
    for head in
        [&b"\x81\xfe\x00\x7d"[..], b"\x81\xff\0\0\0\0\0\0\xff\xff", b"\x81\xff\x80\0\0\0\0\0\0\0"]
    {
        assert_items(head, &[OwnedItem::Error(CodecError::Length)]);
    }
}

#[test]
fn section_5_4_fragments_make_one_message() {
    let bytes = [frame(0x01, b"Hel"), frame(0x00, b""), frame(0x80, b"lo")].concat();
    assert_items(&bytes, &[text("Hello")]);
    let bytes = [frame(0x02, b"a"), frame(0x80, b"b"), frame(0x81, b"c")].concat();
    assert_items(&bytes, &[OwnedItem::Binary(b"ab".into()), text("c")]);
}

#[test]
fn section_5_4_control_frames_may_come_between_fragments() {
    let bytes = [
        frame(0x01, b"Hel"),
        frame(0x89, b"1"),
        frame(0x00, b"l"),
        frame(0x8a, b"2"),
        frame(0x80, b"o"),
    ]
    .concat();
    assert_items(
        &bytes,
        &[OwnedItem::Ping(b"1".into()), OwnedItem::Pong(b"2".into()), text("Hello")],
    );
}

#[test]
fn section_5_4_messages_do_not_interleave() {
    let bytes = [frame(0x01, b"a"), frame(0x81, b"b")].concat();
    assert_items(&bytes, &[OwnedItem::Error(CodecError::InterleavedMessage)]);
    assert_items(&frame(0x80, b"a"), &[OwnedItem::Error(CodecError::UnexpectedContinuation)]);
    let bytes = [frame(0x81, b"a"), frame(0x00, b"b")].concat();
    assert_items(&bytes, &[text("a"), OwnedItem::Error(CodecError::UnexpectedContinuation)]);
}

#[test]
fn section_5_5_control_frames_are_short_and_whole() {
    for opcode in [0x88, 0x89, 0x8a] {
        let long = frame(opcode, &[b'x'; 126]);
        assert_items(&long, &[OwnedItem::Error(CodecError::ControlTooLong)]);
        let open = frame(opcode & 0x7f, b"");
        assert_items(&open, &[OwnedItem::Error(CodecError::ControlFragmented)]);
    }
}

#[test]
fn section_5_5_1_close_carries_a_code_and_a_reason() {
    assert_items(&frame(0x88, b""), &[OwnedItem::Close(None)]);
    assert_items(&frame(0x88, b"\x03\xe8bye"), &[OwnedItem::Close(Some((1000, "bye".into())))]);
    assert_items(&frame(0x88, b"\x03"), &[OwnedItem::Error(CodecError::CloseLength)]);
    assert_items(&frame(0x88, b"\x03\xe8\xff"), &[OwnedItem::Error(CodecError::Utf8)]);
}

#[test]
fn section_5_5_1_nothing_is_read_after_a_close() {
    let bytes = [frame(0x88, b""), frame(0x89, b"x"), vec![0xff; 9]].concat();
    assert_items(&bytes, &[OwnedItem::Close(None)]);
}

#[test]
fn section_5_5_2_pings_of_0_to_125_bytes_are_read() {
    for length in [0, 1, 125] {
        assert_items(&frame(0x89, &vec![7; length]), &[OwnedItem::Ping(vec![7; length])]);
    }
}

#[test]
fn section_5_5_3_a_pong_without_a_ping_is_legal() {
    assert_items(&frame(0x8a, b"hi"), &[OwnedItem::Pong(b"hi".into())]);
}

#[test]
fn section_5_6_messages_follow_each_other_in_one_read() {
    let bytes = [frame(0x81, b"alice"), frame(0x81, b"secret")].concat();
    assert_items(&bytes, &[text("alice"), text("secret")]);
}

#[test]
fn section_7_4_codes_that_may_not_be_sent_are_refused() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535_u16] {
        let expected = [OwnedItem::Error(CodecError::CloseCode(code))];
        assert_items(&frame(0x88, &code.to_be_bytes()), &expected);
    }
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1011, 1012, 1013, 3000, 4401, 4999_u16] {
        let expected = [OwnedItem::Close(Some((code, String::new())))];
        assert_items(&frame(0x88, &code.to_be_bytes()), &expected);
    }
}

#[test]
fn section_8_1_code_points_may_be_split_over_fragments() {
    let word = "κόσμε😀";
    for cut in 0..=word.len() {
        let (left, right) = word.as_bytes().split_at(cut);
        assert_items(&[frame(0x01, left), frame(0x80, right)].concat(), &[text(word)]);
    }
}

#[test]
fn section_8_1_text_that_is_not_utf8_is_refused() {
    for bad in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xce"] {
        assert_items(&frame(0x81, bad), &[OwnedItem::Error(CodecError::Utf8)]);
        let bytes = [frame(0x01, b"ok"), frame(0x80, bad)].concat();
        assert_items(&bytes, &[OwnedItem::Error(CodecError::Utf8)]);
    }
}

#[test]
fn section_8_1_bad_text_is_refused_before_its_end_arrives() {
    let bytes = frame(0x01, b"ok\xf4\x90");
    assert_items(&bytes, &[OwnedItem::Error(CodecError::Utf8)]);
    let whole = frame(0x81, b"ok\xf4\x90-------");
    assert_eq!(decode(RULES, [&whole[..10]]), [OwnedItem::Error(CodecError::Utf8)]);
}

#[test]
fn section_10_4_the_limit_counts_the_whole_message() {
    let rules = DecoderRules { max_message: 10, ..RULES };
    let fits = [frame(0x01, &[b'x'; 5]), frame(0x80, &[b'x'; 5])].concat();
    assert_eq!(decode(rules, [&fits[..]]), [text("xxxxxxxxxx")]);
    let above = [frame(0x01, &[b'x'; 5]), frame(0x80, &[b'x'; 6])].concat();
    assert_eq!(decode(rules, [&above[..]]), [OwnedItem::Error(CodecError::TooBig)]);
    let announced = &frame(0x81, &[b'x'; 11])[..6];
    assert_eq!(decode(rules, [announced]), [OwnedItem::Error(CodecError::TooBig)]);
}

#[test]
fn each_error_has_its_close_code() {
    assert_eq!(CodecError::Utf8.close_code(), CloseCode::INVALID);
    assert_eq!(CodecError::TooBig.close_code(), CloseCode::TOO_BIG);
    assert_eq!(CodecError::Masking.close_code(), CloseCode::PROTOCOL);
}

#[test]
fn an_idle_decoder_is_eight_bytes_and_owns_nothing() {
    assert_eq!(size_of::<FrameDecoder>(), 8);
    let mut decoder = FrameDecoder::default();
    for cut in 1..11 {
        let (mut left, mut right) = {
            let bytes = frame(0x81, b"Hello");
            (bytes[..cut].to_vec(), bytes[cut..].to_vec())
        };
        while decoder.feed(RULES, &mut left).next().is_some() {}
        assert_eq!(decoder.is_idle(), cut == 11);
        let mut items = decoder.feed(RULES, &mut right);
        assert!(matches!(items.next(), Some(Ok(DecodedItem::Text("Hello")))));
        assert!(items.next().is_none());
        assert!(decoder.is_idle());
    }
}
