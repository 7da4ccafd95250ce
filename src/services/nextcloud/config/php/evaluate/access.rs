//! Looking at variables and elements of arrays, where not being there is an answer too.

use super::Evaluator;
use crate::services::nextcloud::config::php::{
    array::Key,
    ast::{Access, Expr, Node},
    source::Source,
    value::{Evaluated, Unknown, Value},
};
use std::borrow::Cow;

/// The keys of an element, outermost first; none stands for `[]`.
pub(super) type Path = [Option<Key>];

/// Why an element cannot be looked at.
enum Hole<'v> {
    /// Something on the way is unknown.
    Stored(&'v Unknown),
    /// This look itself is more than is evaluated.
    Here(&'static str),
}

impl Hole<'_> {
    fn unknown(self, source: &Source, line: u32) -> Unknown {
        match self {
            Self::Stored(unknown) => unknown.clone(),
            Self::Here(why) => Unknown { why, at: source.place(line) },
        }
    }
}

impl Evaluator<'_> {
    /// Whether there is such a variable.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.variables.contains_key(name) || matches!(name, "_ENV" | "_SERVER")
    }

    /// The value of an expression; none where it is a variable or element that is not there.
    pub(super) fn quiet(&mut self, expr: &Expr) -> Result<Option<Value>, Unknown> {
        let line = expr.line;
        match &expr.node {
            Node::Variable(name) => self.look(name, &[], line),
            Node::Access(base, accesses) => {
                if let Node::Variable(name) = &base.node {
                    let path = self.path(accesses, line)?;
                    return self.look(name, &path, line);
                }
                let value = self.evaluate(base)?;
                let path = self.path(accesses, line)?;
                let found = walk(&value, &path).map_err(|hole| hole.unknown(&self.source, line))?;
                found.map(|found| self.copy(&found, line)).transpose()
            }
            _ => self.evaluate(expr).map(Some),
        }
    }

    /// As [`Self::quiet`], with PHP's null for what is not there.
    pub(super) fn quiet_or_null(&mut self, expr: &Expr) -> Evaluated {
        self.quiet(expr).map(|value| value.unwrap_or(Value::Null))
    }

    /// `isset(…)`
    pub(super) fn isset(&mut self, targets: &[Expr]) -> Evaluated {
        for target in targets {
            if matches!(self.quiet(target)?, None | Some(Value::Null)) {
                return Ok(Value::Bool(false));
            }
        }
        Ok(Value::Bool(true))
    }

    fn path(&mut self, accesses: &[Access], line: u32) -> Result<Vec<Option<Key>>, Unknown> {
        let key = |access: &Access| match access {
            Access::Index(key) => self.key(key).map(Some),
            Access::Append => Ok(None),
            Access::Object => Err(self.unknown("objects are not evaluated", line)),
        };
        accesses.iter().map(key).collect()
    }

    fn look(&mut self, name: &str, path: &Path, line: u32) -> Result<Option<Value>, Unknown> {
        let Some(held) = self.variables.get(name) else {
            return self.look_environment(name, path, line);
        };
        let found = held.as_ref().map_err(Hole::Stored).and_then(|value| walk(value, path));
        let copied = match found {
            Ok(None) => return Ok(None),
            Ok(Some(found)) => {
                self.work.copy(&found, || self.source.place(line)).map_err(Hole::Here)
            }
            Err(hole) => Err(hole),
        };
        copied.map(Some).map_err(|hole| hole.unknown(&self.source, line))
    }

    /// `$_ENV['X']`; what `$_SERVER` holds besides the environment depends on the web request.
    fn look_environment(
        &self,
        name: &str,
        path: &Path,
        line: u32,
    ) -> Result<Option<Value>, Unknown> {
        if !self.is_set(name) {
            return Ok(None);
        }
        match path {
            [Some(Key::String(key))] => match self.environment.get(key) {
                Some(text) => Ok(Some(Value::from(text.as_str()))),
                None if name == "_ENV" => Ok(None),
                None => Err(self.unknown("it depends on the web request", line)),
            },
            _ => Err(self.unknown("the environment as a whole is not evaluated", line)),
        }
    }
}

/// The element at `path` below `value`, or the character of a string.
fn walk<'v>(value: &'v Value, path: &Path) -> Result<Option<Cow<'v, Value>>, Hole<'v>> {
    let mut value = value;
    let mut keys = path.iter();
    for key in keys.by_ref() {
        let key = key.as_ref().ok_or(Hole::Here("`[]` has no value"))?;
        value = match (value, key) {
            (Value::Array(array), _) => match array.entries.get(key) {
                None => return Ok(None),
                Some(entry) => entry.held.as_ref().map_err(Hole::Stored)?,
            },
            (Value::String(text), Key::Int(at)) if keys.as_slice().is_empty() => {
                return Ok(character(text, *at).map(Cow::Owned));
            }
            (Value::String(_), _) => return Err(Hole::Here("text stands for an array here")),
            _ => return Ok(None),
        };
    }
    Ok(Some(Cow::Borrowed(value)))
}

/// `$text[0]`, `$text[-1]`; none beyond the text and for a part of a character.
fn character(text: &str, at: i64) -> Option<Value> {
    let at = if at < 0 { at.checked_add_unsigned(u64::try_from(text.len()).ok()?)? } else { at };
    let at = usize::try_from(at).ok()?;
    text.get(at..at.checked_add(1)?).map(Value::from)
}
