//! Scalar literals: numbers and single-quoted strings.

use super::{source, value::Value};

/// A single-quoted string, with its quotes.
pub(super) fn single_quoted(text: &str) -> Result<Value, &'static str> {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped =
            (c == '\\').then(|| chars.next_if(|next| matches!(next, '\\' | '\''))).flatten();
        out.push(escaped.unwrap_or(c));
    }
    checked(out)
}

/// Text without escapes.
pub(super) fn checked(text: String) -> Result<Value, &'static str> {
    source::require_utf8(&text).map(|()| Value::String(text))
}

const INVALID: &str = "this number is not valid";

/// An integer or float as written; decimal integers beyond 64 bits become floats, as in PHP.
pub(super) fn number(text: &str) -> Result<Value, &'static str> {
    let text = text.to_ascii_lowercase();
    let lone = |(at, _): (usize, &str)| {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
        let bytes = text.as_bytes();
        !digit(at.checked_sub(1).and_then(|at| bytes.get(at))) || !digit(bytes.get(at + 1))
    };
    if text.match_indices('_').any(lone) {
        return Err(INVALID);
    }
    let text = text.replace('_', "");
    let decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x', ..] => (text.get(2..), 16),
        [b'0', b'b', ..] => (text.get(2..), 2),
        [b'0', b'o', ..] => (text.get(2..), 8),
        [b'0', _, ..] if decimal => (text.get(1..), 8),
        _ if decimal => match text.parse() {
            Ok(int) => return Ok(Value::Int(int)),
            Err(_) => (None, 10),
        },
        _ => (None, 10),
    };
    match digits {
        Some(digits) => i64::from_str_radix(digits, radix).map(Value::Int).map_err(|_| INVALID),
        None => text.parse().map(Value::Float).map_err(|_| INVALID),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_notation_of_php() {
        for (text, int) in [("0", 0), ("1_000", 1000), ("0x1F", 31), ("0X1f", 31), ("0b101", 5)] {
            assert_eq!(number(text), Ok(Value::Int(int)), "{text}");
        }
        assert_eq!(number("0770"), Ok(Value::Int(504)));
        assert_eq!(number("0o770"), Ok(Value::Int(504)));
        assert_eq!(number("1.5e3"), Ok(Value::Float(1500.0)));
        assert_eq!(number(".5"), Ok(Value::Float(0.5)));
        assert_eq!(number("6."), Ok(Value::Float(6.0)));
        assert_eq!(number("9223372036854775808"), Ok(Value::Float(9_223_372_036_854_775_808.0)));
        assert!(number("089").is_err() && number("1__0").is_err() && number("1_").is_err());
    }

    #[test]
    fn single_quotes_know_two_escapes() {
        assert_eq!(single_quoted(r"'a\'b\\c\n$x'"), Ok(Value::from(r"a'b\c\n$x")));
        assert_eq!(single_quoted("'a\\\nb\\''"), Ok(Value::from("a\\\nb'")));
    }
}
