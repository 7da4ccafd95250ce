//! Writing variables and elements of arrays.

use super::{CONFIG, Evaluator, access::Path};
use crate::services::nextcloud::config::php::{
    array::{Array, Key},
    ast::{Access, Binary, Element, Expr, Node},
    value::{Evaluated, Place, Unknown, Value},
};

impl Evaluator<'_> {
    /// `target = value`, `target .= value`, `target ??= value` …
    pub(super) fn assign(&mut self, target: &Expr, operator: Option<Binary>, value: &Expr) {
        let held = match operator {
            None => self.evaluate(value),
            Some(Binary::Coalesce) => match self.quiet(target) {
                Ok(None | Some(Value::Null)) => self.evaluate(value),
                Ok(Some(_)) => return,
                Err(unknown) => Err(unknown),
            },
            Some(operator) => self.compound(target, operator, value),
        };
        self.write(target, held);
    }

    fn compound(&mut self, target: &Expr, operator: Binary, value: &Expr) -> Evaluated {
        let left = self.evaluate(target)?;
        let right = self.evaluate(value)?;
        self.combine(operator, &left, &right, value.line)
    }

    /// Writes what is known, or the hole, to a variable, an element, or several of them.
    pub(super) fn write(&mut self, target: &Expr, held: Evaluated) {
        let held = match &self.doubt {
            Some(doubt) if !is_config(target) => Err(doubt.clone()),
            _ => held,
        };
        match &target.node {
            Node::Variable(name) if name == CONFIG => self.replace_config(held, target.line),
            Node::Variable(name) => drop(self.variables.insert(name.clone(), held)),
            Node::Access(base, accesses) => {
                if let Node::Variable(name) = &base.node {
                    self.write_element(name, accesses, held, target.line);
                }
            }
            Node::Array(targets) => self.unpack(targets, &held),
            _ => {}
        }
    }

    fn write_element(&mut self, name: &str, accesses: &[Access], mut held: Evaluated, line: u32) {
        let mut path = Vec::new();
        for access in accesses {
            path.push(match access {
                Access::Append => None,
                Access::Index(key) => Some(self.key(key).unwrap_or_else(|unknown| {
                    held = Err(unknown);
                    Key::unnamed()
                })),
                Access::Object => return,
            });
        }
        let at = self.source.place(line);
        put(self.slot(name), &path, held, &at);
    }

    fn slot(&mut self, name: &str) -> &mut Evaluated {
        self.variables.entry(name.to_owned()).or_insert(Ok(Value::Null))
    }

    /// Writes `$CONFIG` as a whole. What cannot be evaluated leaves the keys that are there and a
    /// note; what is in doubt leaves doubt on the keys it would change.
    fn replace_config(&mut self, held: Evaluated, line: u32) {
        let at = self.source.place(line);
        let doubt = self.doubt.clone();
        let slot = self.slot(CONFIG);
        match (held, doubt) {
            (Ok(value), None) => *slot = Ok(value),
            (Ok(Value::Array(new)), Some(doubt)) => cast_doubt(slot, new, &doubt),
            (Ok(_), Some(unknown)) | (Err(unknown), _) => {
                put(slot, &[Some(Key::unnamed())], Err(unknown), &at);
            }
        }
    }

    /// Notes that something unknown may have changed any key of `$CONFIG`.
    pub(super) fn lose(&mut self, unknown: Unknown) {
        let at = unknown.at.clone();
        put(self.slot(CONFIG), &[Some(Key::unnamed())], Err(unknown), &at);
    }

    /// `[$a, 'x' => $b] = …`
    fn unpack(&mut self, targets: &[Element], held: &Evaluated) {
        for (index, target) in (0..).zip(targets) {
            let key = match &target.key {
                Some(key) => self.key(key),
                None => Ok(Key::Int(index)),
            };
            let part = match (held, key) {
                (Err(unknown), _) => Err(unknown.clone()),
                (_, Err(unknown)) => Err(unknown),
                (Ok(Value::Array(array)), Ok(key)) => {
                    array.entries.get(&key).map_or(Ok(Value::Null), |entry| entry.held.clone())
                }
                (Ok(_), Ok(_)) => Ok(Value::Null),
            };
            self.write(&target.value, part);
        }
    }

    /// `unset(…)`
    pub(super) fn unset(&mut self, target: &Expr) {
        match &target.node {
            Node::Variable(name) => match &self.doubt {
                Some(doubt) => {
                    self.variables.insert(name.clone(), Err(doubt.clone()));
                }
                None => drop(self.variables.remove(name)),
            },
            Node::Access(base, accesses) => {
                if let Node::Variable(name) = &base.node {
                    self.unset_element(name, accesses);
                }
            }
            _ => {}
        }
    }

    fn unset_element(&mut self, name: &str, accesses: &[Access]) {
        let mut path = Vec::new();
        for access in accesses {
            let Access::Index(key) = access else { return };
            let Ok(key) = self.key(key) else { return };
            path.push(key);
        }
        let doubt = self.doubt.clone();
        let Some((last, parents)) = path.split_last() else { return };
        let mut array = self.variables.get_mut(name).and_then(array_mut);
        for key in parents {
            array = array
                .and_then(|array| array.entries.get_mut(key))
                .and_then(|entry| array_mut(&mut entry.held));
        }
        let Some(array) = array else { return };
        match (doubt, array.entries.get_mut(last)) {
            (Some(doubt), Some(entry)) => entry.held = Err(doubt),
            (Some(_), None) => {}
            (None, _) => drop(array.entries.shift_remove(last)),
        }
    }
}

fn is_config(target: &Expr) -> bool {
    matches!(&target.node, Node::Variable(name) if name == CONFIG)
}

fn array_mut(held: &mut Evaluated) -> Option<&mut Array> {
    match held {
        Ok(Value::Array(array)) => Some(array),
        _ => None,
    }
}

/// Marks the keys that `new` would change.
fn cast_doubt(slot: &mut Evaluated, new: Array, doubt: &Unknown) {
    for (key, entry) in new.entries {
        let old = array_mut(slot).and_then(|array| array.entries.get(&key));
        if old.is_none_or(|old| old.held != entry.held) {
            put(slot, &[Some(key)], Err(doubt.clone()), &entry.at);
        }
    }
}

/// Writes below `slot`, making arrays on the way as PHP does; an unknown on the way stays unknown.
fn put(slot: &mut Evaluated, path: &Path, held: Evaluated, at: &Place) {
    let Some((key, rest)) = path.split_first() else {
        *slot = held;
        return;
    };
    let Ok(value) = slot else { return };
    if matches!(value, Value::Null | Value::Bool(false)) {
        *value = Value::Array(Array::default());
    }
    let Value::Array(array) = value else {
        *slot =
            Err(Unknown { why: "an element of something that is no array is set", at: at.clone() });
        return;
    };
    let entry = array.slot(key.clone(), at);
    if rest.is_empty() {
        entry.at = at.clone();
    }
    put(&mut entry.held, rest, held, at);
}
