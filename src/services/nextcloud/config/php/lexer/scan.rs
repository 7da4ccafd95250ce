//! How far names, numbers and casts reach.

use std::ops::Range;

const CASTS: &[&str] = &[
    "int", "integer", "bool", "boolean", "float", "double", "real", "string", "binary", "array",
    "object", "unset",
];

/// The length of the identifier that `text` begins with; every byte beyond ASCII is a letter.
pub(in super::super) fn name_length(text: &str) -> usize {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

/// As [`name_length`], with namespaces.
pub(super) fn qualified_length(text: &str) -> usize {
    let mut length = 0;
    loop {
        let rest = text.get(length..).unwrap_or_default();
        let slash = usize::from(rest.starts_with('\\'));
        let part = name_length(rest.get(slash..).unwrap_or_default());
        if part == 0 || (length > 0 && slash == 0) {
            return length;
        }
        length += slash + part;
    }
}

pub(super) fn number_length(bytes: &[u8]) -> usize {
    let run = |from: usize, digit: fn(&u8) -> bool| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| digit(byte) || **byte == b'_').count()
    };
    let decimal = |from: usize| run(from, u8::is_ascii_digit);
    if let [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', digit, ..] = bytes
        && digit.is_ascii_hexdigit()
    {
        return 2 + run(2, u8::is_ascii_hexdigit);
    }
    let mut length = decimal(0);
    if bytes.get(length) == Some(&b'.')
        && !bytes.get(length..).unwrap_or_default().starts_with(b"...")
    {
        length += 1 + decimal(length + 1);
    }
    if let Some(b'e' | b'E') = bytes.get(length) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        if bytes.get(length + 1 + sign).is_some_and(u8::is_ascii_digit) {
            length += 1 + sign + decimal(length + 1 + sign);
        }
    }
    length
}

/// `( int )`: its length and where the type stands.
pub(super) fn cast(text: &str) -> Option<(usize, Range<usize>)> {
    let close = text.bytes().take(32).position(|byte| byte == b')')?;
    let inner = text.get(1..close)?;
    let name = inner.trim_matches([' ', '\t']);
    let known = CASTS.iter().any(|cast| cast.eq_ignore_ascii_case(name));
    let start = 1 + inner.len() - inner.trim_start_matches([' ', '\t']).len();
    known.then(|| (close + 1, start..start + name.len()))
}
