//! The functions of PHP that configuration files use and that depend on nothing but their
//! arguments.

mod array;
pub(super) mod constants;
mod kind;
mod text;

use super::{
    array::Array,
    convert,
    value::{Place, Value},
};

/// What a call gives, or why it cannot be evaluated.
type Outcome = Result<Value, &'static str>;

const ARGUMENTS: &str = "it calls a function with arguments that this reader does not handle";

/// Longest text that a function may make, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// Calls a function by its name in lower case; none when it is not known. What it makes stands at
/// `place`.
pub(super) fn call(name: &str, arguments: &[Value], place: &Place) -> Option<Outcome> {
    let arguments = Arguments { values: arguments, place };
    text::call(name, arguments)
        .or_else(|| array::call(name, arguments))
        .or_else(|| kind::call(name, arguments))
}

/// The arguments of one call.
#[derive(Clone, Copy)]
struct Arguments<'a> {
    values: &'a [Value],
    place: &'a Place,
}

impl<'a> Arguments<'a> {
    fn get(&self, index: usize) -> Result<&'a Value, &'static str> {
        self.values.get(index).ok_or(ARGUMENTS)
    }

    fn text(&self, index: usize) -> Result<String, &'static str> {
        convert::to_text(self.get(index)?).ok_or(ARGUMENTS)
    }

    fn text_or(&self, index: usize, default: &str) -> Result<String, &'static str> {
        if self.has(index) { self.text(index) } else { Ok(default.to_owned()) }
    }

    fn int_or(&self, index: usize, default: i64) -> i64 {
        self.values.get(index).map_or(default, convert::to_int)
    }

    fn has(&self, index: usize) -> bool {
        self.values.len() > index
    }

    fn array(&self, index: usize) -> Result<&'a Array, &'static str> {
        self.get(index)?.as_array().ok_or(ARGUMENTS)
    }

    fn list(&self, values: impl IntoIterator<Item = Value>) -> Value {
        Value::list(values, self.place)
    }
}

/// The known values of an array; an unknown one makes the call unknown.
fn known(array: &Array) -> Result<Vec<&Value>, &'static str> {
    let held = |entry: &'_ super::array::Entry| entry.held.is_ok();
    if !array.entries.values().all(held) {
        return Err("it holds an element that could not be evaluated");
    }
    Ok(array.iter().map(|(_, value)| value).collect())
}
