//! Functions on text.

use super::{ARGUMENTS, Arguments, MAX_TEXT, Outcome, known};
use crate::services::nextcloud::config::php::{convert, value::Value};

/// How many pieces `explode` may make.
const MAX_PIECES: usize = 10_000;

pub(super) fn call(name: &str, arguments: Arguments<'_>) -> Option<Outcome> {
    Some(match name {
        "trim" => trimmed(arguments, true, true),
        "ltrim" => trimmed(arguments, true, false),
        "rtrim" | "chop" => trimmed(arguments, false, true),
        "strtolower" | "mb_strtolower" => {
            arguments.text(0).map(|text| Value::String(text.to_ascii_lowercase()))
        }
        "strtoupper" | "mb_strtoupper" => {
            arguments.text(0).map(|text| Value::String(text.to_ascii_uppercase()))
        }
        "strlen" => arguments.text(0).and_then(|text| size(text.len())),
        "str_contains" => compared(arguments, |text, part| text.contains(part)),
        "str_starts_with" => compared(arguments, |text, part| text.starts_with(part)),
        "str_ends_with" => compared(arguments, |text, part| text.ends_with(part)),
        "strpos" => position(arguments),
        "substr" => substring(arguments),
        "explode" => explode(arguments),
        "implode" | "join" => implode(arguments),
        "str_replace" => replace(arguments),
        "sprintf" => format(arguments),
        "dirname" => directory(arguments),
        "basename" => base_name(arguments),
        _ => return None,
    })
}

/// The characters that `trim` takes away unless told otherwise.
const BLANK: &str = " \t\n\r\0\x0b";

fn trimmed(arguments: Arguments<'_>, start: bool, end: bool) -> Outcome {
    let text = arguments.text(0)?;
    let characters = arguments.text_or(1, BLANK)?;
    if characters.contains("..") {
        return Err("trim() with a range of characters is not evaluated");
    }
    let blank = |c: char| characters.contains(c);
    let text = if start { text.trim_start_matches(blank) } else { &text };
    let text = if end { text.trim_end_matches(blank) } else { text };
    Ok(Value::from(text))
}

fn size(length: usize) -> Outcome {
    i64::try_from(length).map(Value::Int).map_err(|_| ARGUMENTS)
}

fn compared(arguments: Arguments<'_>, is: fn(&str, &str) -> bool) -> Outcome {
    Ok(Value::Bool(is(&arguments.text(0)?, &arguments.text(1)?)))
}

fn position(arguments: Arguments<'_>) -> Outcome {
    if arguments.has(2) {
        return Err(ARGUMENTS);
    }
    match arguments.text(0)?.find(&arguments.text(1)?) {
        Some(at) => size(at),
        None => Ok(Value::Bool(false)),
    }
}

fn substring(arguments: Arguments<'_>) -> Outcome {
    let text = arguments.text(0)?;
    let length = i64::try_from(text.len()).map_err(|_| ARGUMENTS)?;
    let from_end = |at: i64| if at < 0 { length.saturating_add(at) } else { at };
    let start = from_end(arguments.int_or(1, 0)).clamp(0, length);
    let end = match arguments.values.get(2) {
        None | Some(Value::Null) => length,
        Some(count) => match convert::to_int(count) {
            count @ ..0 => length.saturating_add(count),
            count => start.saturating_add(count),
        },
    };
    let end = end.clamp(start, length);
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let part = range.and_then(|(start, end)| text.get(start..end));
    part.map(Value::from).ok_or("substr() would cut a character in two")
}

fn explode(arguments: Arguments<'_>) -> Outcome {
    let (separator, text) = (arguments.text(0)?, arguments.text(1)?);
    let limit = usize::try_from(arguments.int_or(2, i64::MAX)).map_err(|_| ARGUMENTS)?;
    if separator.is_empty() || text.matches(&separator).take(limit).count() > MAX_PIECES {
        return Err(ARGUMENTS);
    }
    Ok(arguments.list(text.splitn(limit.max(1), &separator).map(Value::from)))
}

fn implode(arguments: Arguments<'_>) -> Outcome {
    let glued = arguments.has(1);
    let array = arguments.array(usize::from(glued))?;
    let glue = if glued { arguments.text(0)? } else { String::new() };
    let parts: Option<Vec<_>> = known(array)?.into_iter().map(convert::to_text).collect();
    let parts = parts.ok_or(ARGUMENTS)?;
    bounded(glue.len().saturating_mul(parts.len()))?;
    Ok(Value::String(parts.join(&glue)))
}

fn bounded(length: usize) -> Result<(), &'static str> {
    if length > MAX_TEXT { Err("it makes too long a text") } else { Ok(()) }
}

/// Also with lists: each of them in turn, with its own or the one replacement.
fn replace(arguments: Arguments<'_>) -> Outcome {
    let mut text = arguments.text(2)?;
    let Value::Array(searched) = arguments.get(0)? else {
        return replaced(&text, &arguments.text(0)?, &arguments.text(1)?).map(Value::String);
    };
    let replacements = match arguments.get(1)? {
        Value::Array(array) => Some(known(array)?),
        _ => None,
    };
    for (index, search) in known(searched)?.into_iter().enumerate() {
        let replacement = match &replacements {
            Some(list) => {
                list.get(index).map_or(Some(String::new()), |value| convert::to_text(value))
            }
            None => Some(arguments.text(1)?),
        };
        let search = convert::to_text(search).ok_or(ARGUMENTS)?;
        text = replaced(&text, &search, &replacement.ok_or(ARGUMENTS)?)?;
    }
    Ok(Value::String(text))
}

fn replaced(text: &str, search: &str, replacement: &str) -> Result<String, &'static str> {
    if search.is_empty() {
        return Ok(text.to_owned());
    }
    bounded(text.matches(search).count().saturating_mul(replacement.len()))?;
    Ok(text.replace(search, replacement))
}

/// `%s` and `%d` alone.
fn format(arguments: Arguments<'_>) -> Outcome {
    let template = arguments.text(0)?;
    let mut out = String::new();
    let mut rest = template.as_str();
    let mut next = 1;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let mut chars = after.chars();
        match chars.next() {
            Some('%') => out.push('%'),
            Some('s') => out.push_str(&arguments.text(next)?),
            Some('d') => out.push_str(&convert::to_int(arguments.get(next)?).to_string()),
            _ => return Err("sprintf() is evaluated with %s and %d only"),
        }
        next += usize::from(!after.starts_with('%'));
        bounded(out.len())?;
        rest = chars.as_str();
    }
    Ok(Value::String(out + rest))
}

fn directory(arguments: Arguments<'_>) -> Outcome {
    let mut path = arguments.text(0)?;
    for _ in 0..arguments.int_or(1, 1).clamp(1, 64) {
        let trimmed = path.trim_end_matches('/');
        path = match trimmed.rsplit_once('/') {
            None if trimmed.is_empty() && !path.is_empty() => "/".to_owned(),
            None => ".".to_owned(),
            Some((parent, _)) => match parent.trim_end_matches('/') {
                "" => "/".to_owned(),
                parent => parent.to_owned(),
            },
        };
    }
    Ok(Value::String(path))
}

fn base_name(arguments: Arguments<'_>) -> Outcome {
    let path = arguments.text(0)?;
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let suffix = arguments.text_or(1, "")?;
    let stem = name.strip_suffix(&suffix).filter(|stem| !stem.is_empty());
    Ok(Value::from(stem.unwrap_or(name)))
}
