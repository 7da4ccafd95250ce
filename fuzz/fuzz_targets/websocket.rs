//! WebSocket codec: any bytes, cut in any way, mean the same, and nothing above the limit is kept
//! or handed out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notify_push::websocket::{Decoder, Item, Rules};

const RULES: Rules = Rules { masked: true, max_message: 300 };

/// What came out, in a form that can be compared and that outlives the buffer.
fn decode<'a>(rules: Rules, chunks: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    for chunk in chunks {
        let mut chunk = chunk.to_vec();
        let mut items = decoder.feed(rules, &mut chunk);
        while let Some(item) = items.next() {
            if let Ok(Item::Text(text)) = item {
                assert!(text.len() <= rules.max_message);
            }
            if let Ok(Item::Binary(bytes)) = item {
                assert!(bytes.len() <= rules.max_message);
            }
            found.push(format!("{item:?}"));
        }
    }
    found
}

fuzz_target!(|input: (bool, u8, &[u8])| {
    let (masked, length, bytes) = input;
    let rules = Rules { masked, ..RULES };
    let whole = decode(rules, std::iter::once(bytes));
    assert_eq!(decode(rules, bytes.chunks(usize::from(length).max(1))), whole);
    assert_eq!(decode(rules, bytes.chunks(1)), whole);
});
