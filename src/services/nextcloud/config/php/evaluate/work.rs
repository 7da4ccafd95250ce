//! How much work a file may cause: a bound on time and on memory.

use crate::services::nextcloud::config::php::value::{Place, Value};

/// Units of work for everything that is read at once. One unit is one expression or one byte
/// copied, so this also bounds memory; a real installation's files take some ten thousand.
const LIMIT: u64 = 4 << 20;

/// What one element of an array costs.
pub(super) const ELEMENT: u64 = 64;

/// What asking the file system costs.
pub(super) const FILE: u64 = 256;

/// Beyond this depth a value is not copied (nor compared, nor printed).
const MAX_DEPTH: u32 = 64;

/// The work done so far.
#[derive(Debug, Default)]
pub(super) struct Work {
    spent: u64,
    exhausted: Option<Place>,
}

impl Work {
    /// Charges for work; `place` says where it ran out.
    pub(super) fn spend(
        &mut self,
        amount: u64,
        place: impl FnOnce() -> Place,
    ) -> Result<(), &'static str> {
        self.spent = self.spent.saturating_add(amount);
        if self.spent > LIMIT && self.exhausted.is_none() {
            self.exhausted = Some(place());
        }
        if self.exhausted.is_some() { Err("the file takes too much work") } else { Ok(()) }
    }

    /// A copy of a value, paid for.
    pub(super) fn copy(
        &mut self,
        value: &Value,
        place: impl FnOnce() -> Place,
    ) -> Result<Value, &'static str> {
        let weight = weight(value).ok_or("this array is nested too deeply")?;
        self.spend(weight, place)?;
        Ok(value.clone())
    }

    /// Where the work became too much.
    pub(super) fn exhausted(&self) -> Option<&Place> {
        self.exhausted.as_ref()
    }
}

/// What copying a value costs; none when it is nested too deeply.
pub(super) fn weight(value: &Value) -> Option<u64> {
    weigh(value, 0)
}

fn weigh(value: &Value, depth: u32) -> Option<u64> {
    match value {
        Value::String(text) => Some(bytes(text.len())),
        Value::Array(_) if depth >= MAX_DEPTH => None,
        Value::Array(array) => array.entries.values().try_fold(ELEMENT, |sum, entry| {
            let weight = entry.held.as_ref().map_or(Some(0), |value| weigh(value, depth + 1))?;
            Some(sum.saturating_add(ELEMENT).saturating_add(weight))
        }),
        _ => Some(1),
    }
}

/// What text of this length costs.
pub(super) fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
