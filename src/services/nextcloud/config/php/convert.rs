//! PHP's conversions and comparisons (<https://www.php.net/manual/en/types.comparisons.php>), as far
//! as no setting of PHP has a say in them.

use super::{array::Array, value::Value};

/// What a numeric string is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Int(i64),
    Float(f64),
}

const BLANK: [char; 6] = [' ', '\t', '\n', '\r', '\x0b', '\x0c'];

/// The number that a whole string is: `' 12 '`, `'1e3'`, not `'12abc'`.
pub(super) fn numeric(text: &str) -> Option<Number> {
    let text = text.trim_matches(BLANK);
    (leading(text) == text.len()).then(|| parse(text)).flatten()
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

/// `(int)`; none where the number is too large for it.
pub(super) fn to_int(value: &Value) -> Option<i64> {
    match value {
        Value::Null => Some(0),
        Value::Bool(bool) => Some(i64::from(*bool)),
        Value::Int(int) => Some(*int),
        Value::Float(float) => whole(float.trunc()),
        Value::String(text) => {
            let text = text.trim_start_matches(BLANK);
            match text.get(..leading(text)).filter(|text| !text.is_empty()).map(parse) {
                None => Some(0),
                Some(Some(Number::Int(int))) => Some(int),
                Some(Some(Number::Float(float))) => whole(float.trunc()),
                Some(None) => None,
            }
        }
        Value::Array(_) => None,
    }
}

/// `(string)`; none for arrays, and for floats whose digits depend on PHP's settings.
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

/// A float as PHP prints it; none where it has more digits than PHP's `precision` may show.
pub(super) fn float_text(float: f64) -> Option<String> {
    const DIGITS: usize = 14;
    let size = float.abs();
    if size != 0.0 && !(1e-4..1e14).contains(&size) {
        return None;
    }
    let text = float.to_string();
    let digits = text.trim_start_matches(['-', '0', '.']).bytes();
    (digits.filter(u8::is_ascii_digit).count() <= DIGITS).then_some(text)
}

/// `==`; none where it is not known.
pub(super) fn equal(left: &Value, right: &Value) -> Option<bool> {
    use Value::{Array, Bool, Float, Int, Null, String};
    match (left, right) {
        (Null, String(text)) | (String(text), Null) => Some(text.is_empty()),
        (Bool(_) | Null, _) | (_, Bool(_) | Null) => Some(left.truth()? == right.truth()?),
        (Array(left), Array(right)) => same_elements(left, right, equal),
        (Array(array), _) | (_, Array(array)) => is_certain(array).then_some(false),
        (Int(left), Int(right)) => Some(left == right),
        (String(left), String(right)) => match (numeric(left), numeric(right)) {
            (Some(Number::Int(left)), Some(Number::Int(right))) => Some(left == right),
            (Some(_), Some(_)) => (left == right).then_some(true),
            _ => Some(left == right),
        },
        (Int(int), String(text)) | (String(text), Int(int)) => match numeric(text) {
            Some(Number::Int(number)) => Some(*int == number),
            Some(Number::Float(_)) => None,
            None => Some(int.to_string() == *text),
        },
        (Float(_), _) | (_, Float(_)) => None,
    }
}

/// `===`; none where it is not known.
pub(super) fn identical(left: &Value, right: &Value) -> Option<bool> {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            if left.known().is_err() || right.known().is_err() {
                return None;
            }
            if !left.entries.keys().eq(right.entries.keys()) {
                return Some(false);
            }
            same_elements(left, right, identical)
        }
        (Value::Array(array), _) | (_, Value::Array(array)) => is_certain(array).then_some(false),
        _ => Some(left == right),
    }
}

/// Whether this is an array for certain: of one that was only in doubt, nothing is known.
fn is_certain(array: &Array) -> bool {
    array.is_empty() || array.iter().next().is_some()
}

fn same_elements(
    left: &Array,
    right: &Array,
    same: fn(&Value, &Value) -> Option<bool>,
) -> Option<bool> {
    let (known, other) = (left.known().ok()?, right.known().ok()?);
    if known.len() != other.len() {
        return Some(false);
    }
    for (key, value) in known {
        let Some(entry) = right.entries.get(key) else { return Some(false) };
        if !same(value, entry.held.as_ref().ok()?)? {
            return Some(false);
        }
    }
    Some(true)
}
