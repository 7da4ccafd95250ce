//! WebSocket codec: any bytes, cut in any way, mean the same, and nothing above the limit is kept
//! or handed out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use {notify_push::websocket::FrameDecoder, notify_push::websocket::DecodedItem, notify_push::websocket::DecoderRules};

const RULES: DecoderRules = DecoderRules { masked: true, max_message: 300 };

/// What came out, in a form that can be compared and that outlives the buffer.
fn decode<'a>(rules: DecoderRules, chunks: impl Iterator<DecodedItem = &'a [u8]>) -> Vec<String> {
    let (mut decoder, mut found) = (FrameDecoder::default(), Vec::new());
    for chunk in chunks {
        let mut chunk = chunk.to_vec();
        let mut items = decoder.feed(rules, &mut chunk);
        while let Some(item) = items.next() {
            if let Ok(DecodedItem::Text(text)) = item {
                assert!(text.len() <= rules.max_message);
            }
            if let Ok(DecodedItem::Binary(bytes)) = item {
                assert!(bytes.len() <= rules.max_message);
            }
            found.push(format!("{item:?}"));
        }
    }
    found
}

fuzz_target!(|input: (bool, u8, &[u8])| {
    let (masked, length, bytes) = input;
    let rules = DecoderRules { masked, ..RULES };
    let whole = decode(rules, std::iter::once(bytes));
    assert_eq!(decode(rules, bytes.chunks(usize::from(length).max(1))), whole);
    assert_eq!(decode(rules, bytes.chunks(1)), whole);
});
