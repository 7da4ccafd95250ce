//! PHP's conversions and comparisons (<https://www.php.net/manual/en/types.comparisons.php>).

use super::{array::Array, value::Value};
use std::cmp::Ordering;

/// What arithmetic works on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "PHP's own conversion")]
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Float(float) => float,
        }
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(int) => Self::Int(int),
            Number::Float(float) => Self::Float(float),
        }
    }
}

const BLANK: [char; 6] = [' ', '\t', '\n', '\r', '\x0b', '\x0c'];

/// The number that a whole string is: `' 12 '`, `'1e3'`, not `'12abc'`.
pub(super) fn numeric(text: &str) -> Option<Number> {
    let text = text.trim_matches(BLANK);
    (leading(text) == text.len()).then(|| parse(text)).flatten()
}

/// The number that a string begins with, as casts take it: `'12abc'` is 12, `'abc'` is 0.
pub(super) fn leading_number(text: &str) -> Number {
    let text = text.trim_start_matches(BLANK);
    text.get(..leading(text)).and_then(parse).unwrap_or(Number::Int(0))
}

fn parse(text: &str) -> Option<Number> {
    text.parse().map(Number::Int).or_else(|_| text.parse().map(Number::Float)).ok()
}

/// How many bytes at the beginning look like a number.
fn leading(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        bytes.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let sign = |at: usize| usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
    let start = sign(0);
    let whole = digits(start);
    let mut end = start + whole;
    if bytes.get(end) == Some(&b'.') && whole + digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if end == start {
        return 0;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let exponent = end + 1 + sign(end + 1);
        if digits(exponent) > 0 {
            end = exponent + digits(exponent);
        }
    }
    end
}

/// What arithmetic makes of a value; none where PHP throws or warns.
pub(super) fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Null => Some(Number::Int(0)),
        Value::Bool(bool) => Some(Number::Int(i64::from(*bool))),
        Value::Int(int) => Some(Number::Int(*int)),
        Value::Float(float) => Some(Number::Float(*float)),
        Value::String(text) => numeric(text),
        Value::Array(_) => None,
    }
}

/// `(int)`
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::String(text) => truncate(leading_number(text)),
        Value::Array(array) => i64::from(!array.is_empty()),
        other => truncate(number(other).unwrap_or(Number::Int(0))),
    }
}

/// `(float)`
pub(super) fn to_float(value: &Value) -> f64 {
    match value {
        Value::String(text) => leading_number(text).as_f64(),
        Value::Float(float) => *float,
        other => Number::Int(to_int(other)).as_f64(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and that is enough here")]
fn truncate(number: Number) -> i64 {
    match number {
        Number::Int(int) => int,
        Number::Float(float) => float as i64,
    }
}

/// `(string)`; none for arrays.
pub(super) fn to_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        other => Some(other.as_str()?.into_owned()),
    }
}

/// The largest magnitude up to which every integer is also a double.
const WHOLE_LIMIT: f64 = 9_007_199_254_740_992.0;

#[expect(clippy::cast_possible_truncation, reason = "guarded: whole and within 2^53")]
pub(super) fn whole(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && float.abs() <= WHOLE_LIMIT).then_some(float as i64)
}

/// A float as PHP 8 prints it: the shortest digits that read back, `1.0E+25` beyond 15 digits.
pub(super) fn float_text(float: f64) -> String {
    if float.is_nan() {
        return "NAN".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { "INF".into() } else { "-INF".into() };
    }
    let size = float.abs();
    if size == 0.0 || (1e-4..1e15).contains(&size) {
        return float.to_string();
    }
    let text = format!("{float:E}");
    let (digits, exponent) = text.split_once('E').unwrap_or((&text, "0"));
    let dot = if digits.contains('.') { "" } else { ".0" };
    let plus = if exponent.starts_with('-') { "" } else { "+" };
    format!("{digits}{dot}E{plus}{exponent}")
}

/// `==`; none where an array holds something unknown.
pub(super) fn equal(left: &Value, right: &Value) -> Option<bool> {
    use Value::{Array, Bool, Null, String};
    match (left, right) {
        (Bool(_), _) | (_, Bool(_)) => Some(left.as_bool() == right.as_bool()),
        (Array(left), Array(right)) => {
            all_match(left, right.entries.len(), |key| right.entries.get(key), equal)
        }
        (Null, String(text)) | (String(text), Null) => Some(text.is_empty()),
        (Null, _) | (_, Null) => Some(left.as_bool() == right.as_bool()),
        (Array(_), _) | (_, Array(_)) => Some(false),
        _ => Some(compare(left, right) == Some(Ordering::Equal)),
    }
}

/// `===`; none where an array holds something unknown.
pub(super) fn identical(left: &Value, right: &Value) -> Option<bool> {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            if !left.entries.keys().eq(right.entries.keys()) {
                return Some(false);
            }
            all_match(left, right.entries.len(), |key| right.entries.get(key), identical)
        }
        _ => Some(left == right),
    }
}

fn all_match<'a>(
    left: &Array,
    size: usize,
    find: impl Fn(&super::array::Key) -> Option<&'a super::array::Entry>,
    same: fn(&Value, &Value) -> Option<bool>,
) -> Option<bool> {
    if left.entries.len() != size {
        return Some(false);
    }
    for (key, entry) in &left.entries {
        let Some(other) = find(key) else { return Some(false) };
        if !same(entry.held.as_ref().ok()?, other.held.as_ref().ok()?)? {
            return Some(false);
        }
    }
    Some(true)
}

/// `<=>`; none for arrays and for numbers that do not compare.
pub(super) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    use Value::{Array, Bool, Null, String};
    match (left, right) {
        (Array(_), _) | (_, Array(_)) => None,
        (Null, String(text)) => Some("".cmp(text)),
        (String(text), Null) => Some(text.as_str().cmp("")),
        (Null | Bool(_), _) | (_, Null | Bool(_)) => Some(left.as_bool().cmp(&right.as_bool())),
        _ => match (number(left), number(right)) {
            (Some(Number::Int(left)), Some(Number::Int(right))) => Some(left.cmp(&right)),
            (Some(left), Some(right)) => left.as_f64().partial_cmp(&right.as_f64()),
            _ => Some(to_text(left)?.cmp(&to_text(right)?)),
        },
    }
}
