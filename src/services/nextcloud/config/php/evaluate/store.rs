//! Writing variables and elements of arrays.

use super::{CONFIG, Evaluator};
use crate::services::nextcloud::config::php::{
    array::{Array, Key},
    ast::{Binary, Expr, Node},
    value::{Evaluated, Place, Unknown, Value},
};

pub(super) const ASSIGNS: &str = "one expression assigns and reads variables";

/// One bracket behind a variable.
#[derive(Clone)]
pub(super) enum StoreStep {
    Key(Key),
    /// `[]`
    Append,
    /// A key that is not known.
    Any(Unknown),
}

/// The brackets behind a variable, outermost first.
pub(super) type StorePath = Vec<StoreStep>;

/// A variable, or an element of one, that is bound by reference.
pub(super) struct Pin {
    pub(super) name: String,
    pub(super) path: StorePath,
    pub(super) unknown: Unknown,
}

impl Evaluator<'_> {
    /// `target = value`, `target .= value`, `target ??= value` …
    pub(super) fn assign(&mut self, target: &Expr, operator: Option<Binary>, value: &Expr) {
        let line = target.line;
        if operator.is_some() && keys_assign(target) {
            let unknown = self.unknown(ASSIGNS, line);
            return self.lose_everything(&unknown);
        }
        let Some((name, mut path)) = self.place_of(target) else { return };
        let held = match operator {
            None => self.evaluate(value),
            Some(Binary::Coalesce) => match self.quiet(target) {
                Ok(None | Some(Value::Null)) => self.evaluate(value),
                Ok(Some(_)) => return,
                Err(unknown) => {
                    drop(self.in_doubt(&unknown, |evaluator| evaluator.evaluate(value)));
                    Err(unknown)
                }
            },
            Some(operator) => {
                let left = self.evaluate(target);
                let right = self.evaluate(value);
                self.combine(operator, left, right, value.line)
            }
        };
        // PHP reads a variable that is a key, or the left side of an operator, after the value.
        let late = super::expression::assigns(value);
        if late && has_computed_key(target) {
            path = vec![StoreStep::Any(self.unknown(ASSIGNS, line))];
        }
        let held = if late && operator.is_some() { Err(self.unknown(ASSIGNS, line)) } else { held };
        self.write(name, &path, held, line);
    }

    /// The variable and the keys that something is written to.
    fn place_of<'e>(&mut self, target: &'e Expr) -> Option<(&'e str, StorePath)> {
        match &target.node {
            Node::Variable(name) => Some((name, StorePath::new())),
            Node::Index(base, accesses) => match &base.node {
                Node::Variable(name) => Some((name, self.path(accesses))),
                _ => None,
            },
            _ => None,
        }
    }

    /// Writes what is known, or the hole, to a variable or an element.
    fn write(&mut self, name: &str, path: &[StoreStep], held: Evaluated, line: u32) {
        let at = self.source.place(line);
        if name.starts_with('_') || name == "GLOBALS" || name == "this" {
            let unknown = self.unknown("variables of PHP itself are not evaluated", line);
            return self.lose_everything(&unknown);
        }
        let initial = self.initial(name, line);
        let slot = self.variables.entry(name.to_owned()).or_insert(initial);
        match &self.doubt {
            Some(doubt) => taint_variable(name, slot, path, doubt, &at),
            None => put(slot, path, held, &at),
        }
        self.repin(name);
    }

    /// What a variable is that was not written.
    fn initial(&self, name: &str, line: u32) -> Evaluated {
        match self.store_error(name, line) {
            Some(unknown) => Err(unknown),
            None => Ok(Value::Null),
        }
    }

    pub(super) fn path(&mut self, accesses: &[Option<Expr>]) -> StorePath {
        let mut step = |access: &Option<Expr>| match access {
            None => StoreStep::Append,
            Some(key) => self.key(key).map_or_else(StoreStep::Any, StoreStep::Key),
        };
        let path: StorePath = accesses.iter().map(&mut step).collect();
        let Some(key) = accesses.iter().flatten().find(|key| super::expression::assigns(key))
        else {
            return path;
        };
        // PHP reads a variable that is a key later than its place.
        let unknown = path.iter().find_map(|step| match step {
            StoreStep::Any(unknown) => Some(unknown.clone()),
            _ => None,
        });
        let unknown = unknown.unwrap_or_else(|| self.unknown(ASSIGNS, key.line));
        vec![StoreStep::Any(unknown); accesses.len()]
    }

    /// `unset(…)`
    pub(super) fn unset(&mut self, target: &Expr) {
        let (base, path) = match &target.node {
            Node::Index(base, accesses) => (base.as_ref(), self.path(accesses)),
            _ => (target, StorePath::new()),
        };
        let Node::Variable(name) = &base.node else { return drop(self.evaluate(target)) };
        match (&self.doubt, self.variables.get_mut(name)) {
            (Some(doubt), Some(slot)) => taint_variable(name, slot, &path, doubt, &doubt.at),
            (None, Some(_)) if path.is_empty() => drop(self.variables.remove(name)),
            (None, Some(slot)) => remove(slot, &path),
            (_, None) => {}
        }
        self.repin(name);
    }
}

/// Whether a key in the brackets changes a variable.
pub(super) fn keys_assign(target: &Expr) -> bool {
    let Node::Index(_, keys) = &target.node else { return false };
    keys.iter().flatten().any(super::expression::assigns)
}

/// Whether a key in the brackets is more than a literal.
fn has_computed_key(target: &Expr) -> bool {
    let Node::Index(_, keys) = &target.node else { return false };
    keys.iter().flatten().any(|key| !matches!(key.node, Node::Literal(_)))
}

fn array_mut(held: &mut Evaluated) -> Option<&mut Array> {
    match held {
        Ok(Value::Array(array)) => Some(array),
        _ => None,
    }
}

const NO_ARRAY: &str = "an element of something that is no array is set";

/// Writes below `slot`, making arrays on the way as PHP does. What was unknown on the way stays
/// unknown, apart from what is written.
fn put(slot: &mut Evaluated, path: &[StoreStep], held: Evaluated, at: &Place) {
    let Some((step, rest)) = path.split_first() else {
        *slot = held;
        return;
    };
    match slot {
        Err(unknown) if matches!(step, StoreStep::Key(Key::String(_))) => {
            *slot = Ok(Value::Array(Array::unknown(unknown.clone())));
        }
        Err(_) => return,
        Ok(value @ (Value::Null | Value::Bool(false))) => *value = Value::Array(Array::default()),
        Ok(_) => {}
    }
    let Some(array) = array_mut(slot) else {
        *slot = Err(Unknown { why: NO_ARRAY, at: at.clone() });
        return;
    };
    let key = match step {
        StoreStep::Key(key) => Some(key.clone()),
        StoreStep::Append if array.open.is_some() => return,
        StoreStep::Append if array.appends_by_version() => {
            let why = "the key that `[]` takes here depends on PHP's version";
            *slot = Err(Unknown { why, at: at.clone() });
            return;
        }
        StoreStep::Append => None,
        StoreStep::Any(unknown) => return array.forget(unknown),
    };
    let entry = array.slot(key, at);
    if rest.is_empty() {
        entry.at = at.clone();
    }
    put(&mut entry.held, rest, held, at);
}

/// Leaves a hole in a variable or below: something may have been written there. The keys of
/// `$CONFIG` stay, to be named.
pub(super) fn taint_variable(
    name: &str,
    slot: &mut Evaluated,
    path: &[StoreStep],
    why: &Unknown,
    at: &Place,
) {
    if name == CONFIG && matches!(slot, Ok(Value::Null)) {
        *slot = Ok(Value::Array(Array::default()));
    }
    match slot {
        Ok(Value::Array(array)) if name == CONFIG && path.is_empty() => array.forget(why),
        _ => taint(slot, path, why, at),
    }
}

fn taint(slot: &mut Evaluated, path: &[StoreStep], why: &Unknown, at: &Place) {
    let (Some((step, rest)), Some(array)) = (path.split_first(), array_mut(slot)) else {
        *slot = Err(why.clone());
        return;
    };
    match step {
        StoreStep::Key(key) if array.entries.contains_key(key) => {
            taint(&mut array.slot(Some(key.clone()), at).held, rest, why, at);
        }
        StoreStep::Key(key @ Key::String(_)) => {
            array.may_hold(key.clone(), why, at);
        }
        StoreStep::Any(_) => array.forget(why),
        // It may have been added, and the numbers of what follows depend on that.
        StoreStep::Key(Key::Int(_)) | StoreStep::Append => *slot = Err(why.clone()),
    }
}

fn remove(slot: &mut Evaluated, path: &[StoreStep]) {
    let (Some((step, rest)), Some(array)) = (path.split_first(), array_mut(slot)) else { return };
    match step {
        StoreStep::Key(key) if rest.is_empty() => drop(array.entries.shift_remove(key)),
        StoreStep::Key(key) => {
            if let Some(entry) = array.entries.get_mut(key) {
                remove(&mut entry.held, rest);
            }
        }
        StoreStep::Any(unknown) => array.forget(&unknown.clone()),
        StoreStep::Append => {}
    }
}
