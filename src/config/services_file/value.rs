//! Converts a TOML value into the texts that variables would hold.

use toml::{Spanned, de::DeValue};

/// The texts of a value: one, or those of a list. Fails with the expected format.
pub(crate) fn texts(value: &DeValue<'_>) -> Result<Vec<String>, &'static str> {
    match value {
        DeValue::Array(items) => items.iter().map(Spanned::get_ref).map(text).collect(),
        single => text(single).map(|text| vec![text]),
    }
}

fn text(value: &DeValue<'_>) -> Result<String, &'static str> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        // `0o660` keeps its digits: permissions are octal.
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Boolean(on) => Ok(on.to_string()),
        _ => Err("expected a text, a whole number, true or false, or a list of them"),
    }
}
