//! A digest of a JSON value: equal for texts that differ only in how they are written, as when Node
//! parses a message and serialises it again.
//!
//! Numbers count as doubles, the order of an object's members and all escapes don't count, and of
//! duplicate members the last counts: exactly what survives `JSON.parse` and `JSON.stringify`.

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt};

/// The digest of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ValueDigest(pub [u8; 32]);

impl ValueDigest {
    /// The digest of a JSON text. A text that has no value (half a surrogate pair, a number beyond all
    /// doubles, more than 128 levels) has the digest of its characters.
    pub fn of_text(text: &str) -> Self {
        Self(Sha256::digest(canonical(text)).into())
    }

    /// The digest of an object with these members, each with the text of its value.
    pub fn of_members<'a>(members: impl Iterator<Item = (String, &'a str)>) -> Self {
        let members: BTreeMap<_, _> =
            members.map(|(name, value)| (name, canonical(value))).collect();
        let mut bytes = Vec::new();
        write_members(&mut bytes, &members);
        Self(Sha256::digest(bytes).into())
    }
}

/// Bytes that are equal for equal values only: each value begins with a tag that tells its length.
fn canonical(text: &str) -> Vec<u8> {
    let (mut bytes, mut reader) = (Vec::new(), serde_json::Deserializer::from_str(text));
    let read = CanonicalWriter(&mut bytes).deserialize(&mut reader).and_then(|()| reader.end());
    if read.is_err() {
        bytes.clear();
        write_text(&mut bytes, b't', text);
    }
    bytes
}

fn write_text(bytes: &mut Vec<u8>, tag: u8, text: &str) {
    bytes.push(tag);
    bytes.extend_from_slice(&text.len().to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// The map's order replaces that of the members.
fn write_members(bytes: &mut Vec<u8>, members: &BTreeMap<String, Vec<u8>>) {
    bytes.push(b'{');
    for (name, value) in members {
        write_text(bytes, b's', name);
        bytes.extend_from_slice(value);
    }
    bytes.push(b'}');
}

/// Appends the canonical bytes of what it reads.
struct CanonicalWriter<'a>(&'a mut Vec<u8>);

impl CanonicalWriter<'_> {
    /// Adding zero drops the sign of zero, as `JSON.stringify` does.
    fn number(self, number: f64) {
        self.0.push(b'n');
        self.0.extend_from_slice(&(number + 0.0).to_bits().to_be_bytes());
    }
}

impl<'de> DeserializeSeed<'de> for CanonicalWriter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CanonicalWriter<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.push(b'0');
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.push(if value { b'+' } else { b'-' });
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "JavaScript has only doubles")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.number(value as f64);
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "JavaScript has only doubles")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.number(value as f64);
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.number(value);
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        write_text(self.0, b's', value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        self.0.push(b'[');
        while sequence.next_element_seed(CanonicalWriter(self.0))?.is_some() {}
        self.0.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut members = BTreeMap::new();
        while let Some(name) = map.next_key()? {
            let mut value = Vec::new();
            map.next_value_seed(CanonicalWriter(&mut value))?;
            members.insert(name, value);
        }
        write_members(self.0, &members);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ValueDigest;

    #[test]
    fn what_node_serialises_again_has_the_same_digest() {
        for (written, again) in [
            (r#"{"a":1,"2":[true,null],"a":"x\u00e9\/"}"#, r#"{"2":[true,null],"a":"xé/"}"#),
            ("[1.50e+3, -0, 7391827364518273645]", "[1500,0,7391827364518274000]"),
            (r#""\ud83d\ude00""#, r#""😀""#),
            (r#"{"b":{"c":[]},"a":0.1}"#, r#"{"a":1e-1,"b":{"c":[]}}"#),
        ] {
            assert_eq!(ValueDigest::of_text(written), ValueDigest::of_text(again), "{written}");
        }
    }

    #[test]
    fn other_values_have_other_digests() {
        let texts = [
            "[]",
            "{}",
            "0",
            "1",
            "\"1\"",
            "null",
            "true",
            "false",
            "\"\"",
            "[[]]",
            "[1,2]",
            "[2,1]",
            r#"["1,2"]"#,
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"b":1}"#,
            r#"["a",1]"#,
            r#""\ud800""#,
            r#""\ud801""#,
            "1e999",
        ];
        let digests: std::collections::HashSet<_> =
            texts.iter().map(|text| ValueDigest::of_text(text)).collect();
        assert_eq!(digests.len(), texts.len());
    }

    #[test]
    fn a_deep_text_is_compared_by_its_characters() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(ValueDigest::of_text(&deep), ValueDigest::of_text(&deep));
        assert_ne!(ValueDigest::of_text(&deep), ValueDigest::of_text(&format!(" {deep}")));
    }
}
