//! Scalar literals: numbers and single-quoted strings, read by `php-literal-parser`.
//!
//! Only scalars go to that crate: its array parser recurses without a bound, panics on some keys
//! (`'-'`), and knows no expressions. Double-quoted strings are [`super::interpolation`]'s, because
//! the crate takes `\xC3\xA9` for two characters where PHP makes one.

use super::{source, value::Value};
use php_literal_parser::{Value as Literal, from_str};

/// A single-quoted string, with its quotes.
pub(super) fn single_quoted(text: &str) -> Result<Value, &'static str> {
    source::require_utf8(text)?;
    match from_str(text) {
        Ok(Literal::String(text)) => Ok(Value::String(text)),
        // A backslash before a line break, which the crate does not take.
        _ => Ok(Value::String(plain_quoted(text))),
    }
}

fn plain_quoted(text: &str) -> String {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped =
            (c == '\\').then(|| chars.next_if(|next| matches!(next, '\\' | '\''))).flatten();
        out.push(escaped.unwrap_or(c));
    }
    out
}

const INVALID: &str = "this number is not valid";

/// An integer or float as written; integers beyond 64 bits become floats, as in PHP.
pub(super) fn number(text: &str) -> Result<Value, &'static str> {
    let text = text.to_ascii_lowercase().replace("0o", "0");
    match from_str(&text) {
        Ok(Literal::Int(int)) => Ok(Value::Int(int)),
        Ok(Literal::Float(float)) => Ok(Value::Float(float)),
        // Beyond 64 bits; the crate refuses it, PHP makes it a float.
        _ if !text.starts_with('0') => {
            text.replace('_', "").parse().map(Value::Float).map_err(|_| INVALID)
        }
        _ => Err(INVALID),
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
        assert!(number("089").is_err());
    }

    #[test]
    fn single_quotes_know_two_escapes() {
        assert_eq!(single_quoted(r"'a\'b\\c\n$x'"), Ok(Value::from(r"a'b\c\n$x")));
        assert_eq!(single_quoted("'a\\\nb\\''"), Ok(Value::from("a\\\nb'")));
    }
}
