//! Functions on arrays.

use super::{ARGUMENTS, Arguments, Outcome, known};
use crate::services::nextcloud::config::php::{
    array::{Array, Key},
    convert,
    value::Value,
};

pub(super) fn call(name: &str, arguments: Arguments<'_>) -> Option<Outcome> {
    Some(match name {
        "array_merge" => merge(arguments),
        "array_replace" => replace(arguments),
        "array_replace_recursive" => replace_recursive(arguments),
        "array_filter" => filter(arguments),
        "array_values" => arguments.array(0).map(values),
        "array_keys" => arguments
            .array(0)
            .map(|array| arguments.list(array.entries.keys().cloned().map(Value::from))),
        "array_key_exists" | "key_exists" => key_exists(arguments),
        "in_array" => in_array(arguments),
        "count" | "sizeof" => arguments
            .array(0)
            .and_then(|array| i64::try_from(array.entries.len()).map_err(|_| ARGUMENTS))
            .map(Value::Int),
        _ => return None,
    })
}

fn merge(arguments: Arguments<'_>) -> Outcome {
    let mut merged = Array::default();
    for index in 0..arguments.values.len() {
        merged.merge(arguments.array(index)?.clone());
    }
    Ok(Value::Array(merged))
}

fn replace(arguments: Arguments<'_>) -> Outcome {
    let mut replaced = arguments.array(0)?.clone();
    for index in 1..arguments.values.len() {
        for (key, entry) in &arguments.array(index)?.entries {
            replaced.set(Some(key.clone()), entry.held.clone(), entry.at.clone());
        }
    }
    Ok(Value::Array(replaced))
}

fn replace_recursive(arguments: Arguments<'_>) -> Outcome {
    let mut replaced = arguments.array(0)?.clone();
    for index in 1..arguments.values.len() {
        overlay(&mut replaced, arguments.array(index)?);
    }
    Ok(Value::Array(replaced))
}

/// Arguments are no deeper than a value may be when it is copied.
fn overlay(below: &mut Array, above: &Array) {
    for (key, entry) in &above.entries {
        let old = below.entries.get_mut(key).map(|old| &mut old.held);
        match (old, &entry.held) {
            (Some(Ok(Value::Array(old))), Ok(Value::Array(new))) => overlay(old, new),
            _ => below.set(Some(key.clone()), entry.held.clone(), entry.at.clone()),
        }
    }
}

/// Without a callback: what counts as true stays. What is unknown stays unknown.
fn filter(arguments: Arguments<'_>) -> Outcome {
    let mut kept = arguments.array(0)?.clone();
    if arguments.has(1) {
        return Err("array_filter() with a callback is not evaluated");
    }
    kept.entries.retain(|_, entry| entry.held.as_ref().map_or(true, Value::as_bool));
    Ok(Value::Array(kept))
}

fn values(array: &Array) -> Value {
    let mut list = Array::default();
    for entry in array.entries.values() {
        list.set(None, entry.held.clone(), entry.at.clone());
    }
    Value::Array(list)
}

fn key_exists(arguments: Arguments<'_>) -> Outcome {
    let key = Key::from(arguments.text(0)?.as_str());
    Ok(Value::Bool(arguments.array(1)?.entries.contains_key(&key)))
}

fn in_array(arguments: Arguments<'_>) -> Outcome {
    let needle = arguments.get(0)?;
    let strict = arguments.values.get(2).is_some_and(Value::as_bool);
    let same = if strict { convert::identical } else { convert::equal };
    let values = known(arguments.array(1)?)?;
    Ok(Value::Bool(values.into_iter().any(|value| same(needle, value) == Some(true))))
}
