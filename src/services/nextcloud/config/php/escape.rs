//! The escapes of double-quoted strings and heredocs
//! (<https://www.php.net/manual/en/language.types.string.php>).

use super::{source, value::Value};

/// Resolves the escapes of `text`, which stands between quotes of kind `quote` (none: a heredoc).
pub(super) fn unescape(text: &str, quote: Option<char>) -> Result<Value, &'static str> {
    source::require_utf8(text)?;
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.extend_from_slice(before.as_bytes());
        rest = escape(after, quote, &mut out)?;
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).map(Value::String).map_err(|_| "this string is not valid UTF-8")
}

/// Writes what the escape behind a backslash stands for and returns what follows it.
fn escape<'a>(
    text: &'a str,
    quote: Option<char>,
    out: &mut Vec<u8>,
) -> Result<&'a str, &'static str> {
    let mut chars = text.chars();
    let plain = match chars.next() {
        Some('n') => b'\n',
        Some('r') => b'\r',
        Some('t') => b'\t',
        Some('v') => 0x0b,
        Some('f') => 0x0c,
        Some('e') => 0x1b,
        Some('\\') => b'\\',
        Some('$') => b'$',
        Some('"') if quote == Some('"') => b'"',
        Some('0'..='7') => return Ok(digits(text, 8, 3, out)),
        Some('x') if chars.as_str().starts_with(|c: char| c.is_ascii_hexdigit()) => {
            return Ok(digits(chars.as_str(), 16, 2, out));
        }
        Some('u') if chars.as_str().starts_with('{') => return code_point(chars.as_str(), out),
        _ => {
            out.push(b'\\');
            return Ok(text);
        }
    };
    out.push(plain);
    Ok(chars.as_str())
}

/// One byte given by up to `most` digits; PHP takes `\777` modulo 256.
fn digits<'a>(text: &'a str, radix: u32, most: usize, out: &mut Vec<u8>) -> &'a str {
    let length = text.chars().take(most).take_while(|c| c.is_digit(radix)).count();
    let (number, rest) = text.split_at(length);
    let [byte, ..] = u32::from_str_radix(number, radix).unwrap_or_default().to_le_bytes();
    out.push(byte);
    rest
}

/// `{1F600}`
fn code_point<'a>(text: &'a str, out: &mut Vec<u8>) -> Result<&'a str, &'static str> {
    const INVALID: &str = "this string holds an invalid \\u{} escape";
    let (number, rest) = text.trim_start_matches('{').split_once('}').ok_or(INVALID)?;
    let c = u32::from_str_radix(number, 16).ok().and_then(char::from_u32).ok_or(INVALID)?;
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_bytes() {
        for (php, text) in [
            (r"a\x41\101\u{42}\$x\\\n", "aAAB$x\\\n"),
            (r"\xC3\xA9 \303\251", "é é"),
            (r"\'\q\xg\u", r"\'\q\xg\u"),
            (r"\1012", "A2"),
            (r"\e\v\f\r\t\0", "\x1b\x0b\x0c\r\t\0"),
        ] {
            assert_eq!(unescape(php, Some('"')), Ok(Value::from(text)), "{php}");
        }
        assert_eq!(unescape(r#"\""#, Some('"')), Ok(Value::from("\"")));
        assert_eq!(unescape(r#"\""#, None), Ok(Value::from("\\\"")));
        assert!(unescape(r"\xff", None).is_err());
        assert!(unescape(r"\u{110000}", None).is_err());
    }
}
