//! The functions of PHP that real configuration files use and that depend on nothing but their
//! arguments.

use super::{
    array::{Array, Key},
    convert,
    value::{Evaluated, Place, Unknown, Value},
};

/// What a call gives, or why it cannot be evaluated.
type FunctionOutcome = Result<Value, &'static str>;

const ARGUMENTS: &str = "it calls a function with arguments that this reader does not evaluate";
const FUNCTION: &str = "it calls a function that this reader does not evaluate";

/// Longest text that a function may make, in bytes.
const MAX_TEXT: usize = 1 << 20;
/// How many pieces `explode` may make.
const MAX_PIECES: usize = 10_000;
/// The characters that `trim` takes away by default.
const BLANK: &str = " \t\n\r\0\x0b";

/// Whether a function looks at the environment, constants or files.
pub(super) fn looks_outside(name: &str) -> bool {
    matches!(
        name,
        "getenv"
            | "constant"
            | "defined"
            | "file_exists"
            | "is_file"
            | "is_readable"
            | "file_get_contents"
    )
}

/// Calls a function by its name in lower case. What it makes stands at `at`.
pub(super) fn call(name: &str, values: &[Value], at: &Place) -> FunctionOutcome {
    match (name, values) {
        ("trim" | "ltrim" | "rtrim" | "chop", [text]) => trimmed(name, text, BLANK),
        ("trim" | "ltrim" | "rtrim" | "chop", [text, Value::String(blank)]) => {
            trimmed(name, text, blank)
        }
        ("strtolower", [value]) => Ok(Value::String(text(value)?.to_ascii_lowercase())),
        ("strtoupper", [value]) => Ok(Value::String(text(value)?.to_ascii_uppercase())),
        ("str_contains", [value, part]) => Ok(text(value)?.contains(&text(part)?).into()),
        ("str_starts_with", [value, part]) => Ok(text(value)?.starts_with(&text(part)?).into()),
        ("str_ends_with", [value, part]) => Ok(text(value)?.ends_with(&text(part)?).into()),
        ("str_replace", [search, replacement, subject]) => {
            replaced(&text(subject)?, &text(search)?, &text(replacement)?)
        }
        ("explode", [separator, value]) => explode(&text(separator)?, &text(value)?, at),
        ("implode" | "join", [Value::Array(parts)]) => implode("", parts),
        ("implode" | "join", [Value::String(glue), Value::Array(parts)]) => implode(glue, parts),
        ("dirname", [path]) => Ok(directory(&text(path)?).into()),
        ("intval", [value]) => convert::to_int(value).map(Value::Int).ok_or(ARGUMENTS),
        ("in_array", [needle, Value::Array(array)]) => contains(needle, array, convert::equal),
        ("in_array", [needle, Value::Array(array), Value::Bool(true)]) => {
            contains(needle, array, convert::identical)
        }
        ("array_filter", [Value::Array(array)]) => filtered(array),
        ("array_map", [Value::String(function), Value::Array(array)]) => {
            mapped(&function.to_ascii_lowercase(), array, at)
        }
        _ if values.is_empty() || !is_evaluated(name) => Err(FUNCTION),
        _ => Err(ARGUMENTS),
    }
}

fn is_evaluated(name: &str) -> bool {
    looks_outside(name) || matches!(name, "trim" | "explode" | "implode" | "in_array" | "dirname")
}

fn text(value: &Value) -> Result<String, &'static str> {
    convert::to_text(value).ok_or(ARGUMENTS)
}

fn trimmed(name: &str, value: &Value, blank: &str) -> FunctionOutcome {
    if blank.contains("..") || !blank.is_ascii() {
        return Err(ARGUMENTS);
    }
    let value = text(value)?;
    let is_blank = |c: char| blank.contains(c);
    Ok(Value::from(match name {
        "trim" => value.trim_matches(is_blank),
        "ltrim" => value.trim_start_matches(is_blank),
        _ => value.trim_end_matches(is_blank),
    }))
}

fn explode(separator: &str, value: &str, at: &Place) -> FunctionOutcome {
    if separator.is_empty() || value.matches(separator).count() > MAX_PIECES {
        return Err(ARGUMENTS);
    }
    Ok(Value::list(value.split(separator).map(Value::from), at))
}

fn implode(glue: &str, parts: &Array) -> FunctionOutcome {
    let parts = parts.known().map_err(|unknown| unknown.why)?;
    let parts: Vec<_> = parts.into_iter().map(|(_, part)| text(part)).collect::<Result<_, _>>()?;
    bounded(glue.len().saturating_mul(parts.len()))?;
    Ok(Value::String(parts.join(glue)))
}

fn bounded(length: usize) -> Result<(), &'static str> {
    if length > MAX_TEXT { Err("it makes too long a text") } else { Ok(()) }
}

fn replaced(text: &str, search: &str, replacement: &str) -> FunctionOutcome {
    if search.is_empty() {
        return Ok(Value::from(text));
    }
    bounded(text.matches(search).count().saturating_mul(replacement.len()))?;
    Ok(Value::String(text.replace(search, replacement)))
}

fn directory(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit_once('/') {
        None if path.is_empty() => "",
        None if trimmed.is_empty() => "/",
        None => ".",
        Some((parent, _)) => match parent.trim_end_matches('/') {
            "" => "/",
            parent => parent,
        },
    }
}

fn contains(
    needle: &Value,
    array: &Array,
    same: fn(&Value, &Value) -> Option<bool>,
) -> FunctionOutcome {
    for (_, value) in array.known().map_err(|unknown| unknown.why)? {
        if same(needle, value).ok_or(ARGUMENTS)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn filtered(array: &Array) -> FunctionOutcome {
    for (_, value) in array.known().map_err(|unknown| unknown.why)? {
        value.truth().ok_or(ARGUMENTS)?;
    }
    let mut kept = array.clone();
    let stays = |value: &Value| value.truth().unwrap_or_default();
    kept.entries.retain(|_, entry| entry.held.as_ref().is_ok_and(stays));
    Ok(Value::Array(kept))
}

/// A function on every element.
fn mapped(function: &str, array: &Array, at: &Place) -> FunctionOutcome {
    if let Some(unknown) = &array.open {
        return Err(unknown.why);
    }
    let mut mapped = Array::default();
    for (key, entry) in &array.entries {
        let held = match &entry.held {
            Ok(value) => call(function, std::slice::from_ref(value), at)
                .map_err(|why| Unknown { why, at: entry.at.clone() }),
            Err(unknown) => Err(unknown.clone()),
        };
        mapped.set(Some(key.clone()), held, entry.at.clone());
    }
    Ok(Value::Array(mapped))
}

/// `array_merge` and its kin, of which one argument may be unknown; none for other functions.
pub(super) fn merging(name: &str, values: &[Evaluated]) -> Option<Result<Array, &'static str>> {
    let lay: fn(&mut Array, &Array) = match name {
        "array_merge" => |below, above| below.merge(above.clone()),
        "array_replace" => |below, above| overlay(below, above, false),
        "array_replace_recursive" => |below, above| overlay(below, above, true),
        _ => return None,
    };
    let mut merged = Array::default();
    for (index, value) in values.iter().enumerate() {
        match value {
            Ok(Value::Array(array)) if index == 0 && name != "array_merge" => {
                merged = array.clone();
            }
            Ok(Value::Array(array)) => lay(&mut merged, array),
            Ok(_) => return Some(Err(ARGUMENTS)),
            Err(unknown) => merged.forget(unknown),
        }
    }
    Some(Ok(merged))
}

/// Arguments are no deeper than a value may be when it is copied.
fn overlay(below: &mut Array, above: &Array, recursive: bool) {
    if let Some(unknown) = &above.open {
        below.forget(unknown);
    }
    below.unordered = below.unordered.take().or_else(|| above.unordered.clone());
    for (key, entry) in &above.entries {
        let new = match &entry.held {
            Ok(Value::Array(new)) if recursive => {
                let old = below.entries.get(key).map(|old| old.held.clone());
                match old.or_else(|| below.open.clone().map(Err)) {
                    Some(Ok(Value::Array(mut old))) => {
                        overlay(&mut old, new, true);
                        Ok(Value::Array(old))
                    }
                    Some(Err(unknown)) => {
                        let mut old = Array::unknown(unknown);
                        overlay(&mut old, new, true);
                        Ok(Value::Array(old))
                    }
                    _ => entry.held.clone(),
                }
            }
            _ => entry.held.clone(),
        };
        let key: Option<Key> = Some(key.clone());
        below.set(key, new, entry.at.clone());
    }
}
