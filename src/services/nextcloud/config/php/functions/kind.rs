//! Functions that look at the type of a value or change it.

use super::{ARGUMENTS, Arguments, Outcome, constants};
use crate::services::nextcloud::config::php::{
    array::{Array, Key},
    convert,
    convert::Number,
    value::{Place, Value},
};
use std::cmp::Ordering;

pub(super) fn call(name: &str, arguments: Arguments<'_>) -> Option<Outcome> {
    Some(match name {
        "intval" => integer(arguments),
        "floatval" | "doubleval" => {
            arguments.get(0).map(|value| Value::Float(convert::to_float(value)))
        }
        "boolval" => arguments.get(0).map(|value| Value::Bool(value.as_bool())),
        "strval" => arguments.text(0).map(Value::String),
        "is_string" => is(arguments, |value| matches!(value, Value::String(_))),
        "is_array" => is(arguments, |value| matches!(value, Value::Array(_))),
        "is_int" | "is_integer" => is(arguments, |value| matches!(value, Value::Int(_))),
        "is_bool" => is(arguments, |value| matches!(value, Value::Bool(_))),
        "is_null" => is(arguments, |value| matches!(value, Value::Null)),
        "is_numeric" => is(arguments, |value| match value {
            Value::String(text) => convert::numeric(text).is_some(),
            other => matches!(other, Value::Int(_) | Value::Float(_)),
        }),
        "filter_var" => filter(arguments),
        "json_decode" => json(arguments),
        "max" => extreme(arguments, Ordering::Greater),
        "min" => extreme(arguments, Ordering::Less),
        _ => return None,
    })
}

fn is(arguments: Arguments<'_>, test: fn(&Value) -> bool) -> Outcome {
    arguments.get(0).map(|value| Value::Bool(test(value)))
}

/// `intval($text, 8)` is how file modes are often given.
fn integer(arguments: Arguments<'_>) -> Outcome {
    match arguments.int_or(1, 10) {
        10 => arguments.get(0).map(|value| Value::Int(convert::to_int(value))),
        base @ (2 | 8 | 16) => {
            let radix = u32::try_from(base).map_err(|_| ARGUMENTS)?;
            i64::from_str_radix(arguments.text(0)?.trim(), radix)
                .map(Value::Int)
                .map_err(|_| ARGUMENTS)
        }
        _ => Err(ARGUMENTS),
    }
}

/// `filter_var($x, FILTER_VALIDATE_BOOLEAN)` and `…_INT`.
fn filter(arguments: Arguments<'_>) -> Outcome {
    let text = arguments.text(0)?;
    let flags = arguments.int_or(2, 0);
    match arguments.int_or(1, 0) {
        constants::FILTER_BOOL => Ok(match text.trim().to_ascii_lowercase().as_str() {
            "1" | "true" | "on" | "yes" => Value::Bool(true),
            "0" | "false" | "off" | "no" | "" => Value::Bool(false),
            _ if flags & constants::FILTER_NULL != 0 => Value::Null,
            _ => Value::Bool(false),
        }),
        constants::FILTER_INT if !arguments.has(2) => Ok(match convert::numeric(&text) {
            Some(Number::Int(int)) => Value::Int(int),
            _ => Value::Bool(false),
        }),
        _ => Err("filter_var() with this filter is not evaluated"),
    }
}

/// `json_decode($text, true)`; without `true` it makes objects.
fn json(arguments: Arguments<'_>) -> Outcome {
    if !arguments.values.get(1).is_some_and(Value::as_bool) {
        return Err("objects are not evaluated");
    }
    let decoded = serde_json::from_str(&arguments.text(0)?);
    Ok(decoded.map_or(Value::Null, |value| from_json(value, arguments.place)))
}

/// No deeper than `serde_json` goes.
fn from_json(value: serde_json::Value, at: &Place) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(bool) => Value::Bool(bool),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(int) => Value::Int(int),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        serde_json::Value::String(text) => Value::String(text),
        serde_json::Value::Array(values) => {
            Value::list(values.into_iter().map(|value| from_json(value, at)), at)
        }
        serde_json::Value::Object(members) => {
            let mut array = Array::default();
            for (key, value) in members {
                array.set(Some(Key::from(key.as_str())), Ok(from_json(value, at)), at.clone());
            }
            Value::Array(array)
        }
    }
}

fn extreme(arguments: Arguments<'_>, wanted: Ordering) -> Outcome {
    let values = match arguments.values {
        [Value::Array(array)] => super::known(array)?,
        values => values.iter().collect(),
    };
    let mut best = *values.first().ok_or(ARGUMENTS)?;
    for value in values {
        if convert::compare(value, best).ok_or(ARGUMENTS)? == wanted {
            best = value;
        }
    }
    Ok(best.clone())
}
