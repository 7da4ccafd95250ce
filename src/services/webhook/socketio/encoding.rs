//! Non-ASCII characters for clients of the older generation. Version 1.x encodes to UTF-8 twice
//! when polling and expects the same back, 2.x doesn't, and no field distinguishes them
//! (`specs/webhook-push.md` section 3).

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::fmt::Write;

/// Serializes to ASCII JSON, which is correct for every client.
pub fn ascii(value: &(impl Serialize + ?Sized)) -> serde_json::Result<Box<RawValue>> {
    let raw = to_raw_value(value)?;
    if raw.get().is_ascii() { Ok(raw) } else { RawValue::from_string(escape(raw.get())) }
}

/// Non-ASCII characters occur in strings only, where an escape is equivalent: RFC 8259 section 7.
fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len() * 2);
    for letter in json.chars() {
        if letter.is_ascii() {
            escaped.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // Writing to a `String` can't fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

/// Decodes the packets of a payload (`<length>:<packet>` each, lengths in UTF-16 units) that were
/// encoded twice. An invalid payload is left unchanged for the library to refuse.
pub fn decoded_once(payload: &str) -> Option<String> {
    if payload.is_ascii() {
        return None;
    }
    let (mut rest, mut decoded) = (payload, String::with_capacity(payload.len()));
    while !rest.is_empty() {
        let (length, after) = rest.split_once(':')?;
        let (packet, next) = split_units(after, length.parse().ok()?)?;
        let once = once(packet).unwrap_or_else(|| packet.to_owned());
        let _ = write!(decoded, "{}:{once}", once.encode_utf16().count());
        rest = next;
    }
    Some(decoded)
}

/// Splits after so many UTF-16 units.
fn split_units(text: &str, units: usize) -> Option<(&str, &str)> {
    let mut counted = 0;
    for (at, letter) in text.char_indices() {
        if counted >= units {
            return (counted == units).then(|| text.split_at(at));
        }
        counted += letter.len_utf16();
    }
    (counted == units).then_some((text, ""))
}

/// Decodes a text whose characters are UTF-8 bytes. A 2.x client may mean such characters
/// literally, but names hardly look like that.
fn once(packet: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = packet.chars().map(|letter| u8::try_from(letter).ok()).collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::{ascii, decoded_once, escape};
    use proptest::prelude::*;

    fn twice(text: &str) -> String {
        text.bytes().map(char::from).collect()
    }

    fn payload(packets: &[&str]) -> String {
        let framed = |p: &&str| format!("{}:{p}", p.encode_utf16().count());
        packets.iter().map(framed).collect()
    }

    #[test]
    fn payloads_of_1_x_are_decoded_like_those_of_2_x() {
        let packet = r#"42["register","é☃😀","c"]"#;
        let expected = payload(&[packet, "2"]);
        assert_eq!(decoded_once(&payload(&[&twice(packet), "2"])), Some(expected.clone()));
        assert_eq!(decoded_once(&expected), Some(expected));
        assert_eq!(decoded_once("1:2"), None);
    }

    #[test]
    fn an_invalid_payload_is_left_unchanged() {
        for bad in ["é", "9:é", ":é", "1:éé", "-1:é", "1:😀"] {
            assert_eq!(decoded_once(bad), None, "{bad}");
        }
    }

    #[test]
    fn escapes_are_pairs_beyond_the_first_plane() {
        assert_eq!(ascii("é☃😀\u{2028}").unwrap().get(), r#""\u00e9\u2603\ud83d\ude00\u2028""#);
    }

    proptest! {
        #[test]
        fn escaped_json_says_the_same(text: String) {
            let json = serde_json::to_string(&text).unwrap();
            let escaped = escape(&json);
            prop_assert!(escaped.is_ascii());
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }

        #[test]
        fn packets_that_were_encoded_twice_come_out(packets in prop::collection::vec(any::<String>(), 1..4)) {
            let mangled: Vec<String> = packets.iter().map(|packet| twice(packet)).collect();
            let mangled: Vec<&str> = mangled.iter().map(String::as_str).collect();
            let plain: Vec<&str> = packets.iter().map(String::as_str).collect();
            let read = decoded_once(&payload(&mangled));
            prop_assert_eq!(read.unwrap_or_else(|| payload(&mangled)), payload(&plain));
        }

        #[test]
        fn any_text_is_accepted_without_panic(text: String) {
            let _ = decoded_once(&text);
        }
    }
}
