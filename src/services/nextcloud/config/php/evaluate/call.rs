//! Calls of functions, constants, and looking at variables.

use super::{Evaluator, store::StoreStep, work};
use crate::services::nextcloud::config::php::{
    array::Key,
    ast::{Expr, Node},
    constants, effects, functions, source,
    value::{Evaluated, Unknown, Value},
};
use std::{
    borrow::Cow,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Variables that Nextcloud has where it includes config.php.
const OF_NEXTCLOUD: &[&str] = &["this", "configFiles", "extra", "file", "filePointer"];

const CHANGED: &str = "code that is not evaluated may have changed the environment or files";

impl Evaluator<'_> {
    /// The value of `name(arguments)`.
    pub(super) fn call(&mut self, name: &str, arguments: &[Expr], line: u32) -> Evaluated {
        let mut values: Vec<Evaluated> =
            arguments.iter().map(|argument| self.evaluate(argument)).collect();
        if name == "define" {
            let [Ok(Value::String(constant)), _] = values.as_slice() else {
                self.outside.get_or_insert(Unknown { why: CHANGED, at: self.source.place(line) });
                return Err(self.unknown("this define() is not evaluated", line));
            };
            let constant = constant.clone();
            self.define(&constant, values.pop().unwrap_or(Ok(Value::Null)));
            return Ok(Value::Bool(true));
        }
        let callback = match name {
            "array_map" => values.first(),
            "array_filter" => values.get(1),
            _ => None,
        };
        if !effects_free(name) || !callback.is_none_or(is_pure_callback) {
            let unknown =
                self.unknown("it calls a function that this reader does not evaluate", line);
            arguments.iter().for_each(|argument| self.lose_argument(argument, &unknown));
            self.lose_by_call(name, &unknown);
            return Err(unknown);
        }
        self.known_call(name, values, line)
    }

    /// A function that changes nothing.
    fn known_call(&mut self, name: &str, values: Vec<Evaluated>, line: u32) -> Evaluated {
        if let Some(merged) = functions::merging(name, &values) {
            let merged = merged.map_err(|why| self.unknown(why, line))?;
            return self.paid(Value::Array(merged), line);
        }
        if functions::looks_outside(name) {
            self.unchanged(line)?;
            self.spend(work::FILE, line)?;
        }
        let values = values.into_iter().collect::<Result<Vec<_>, _>>()?;
        if let Some(value) = self.contextual(name, &values, line) {
            return value;
        }
        let at = self.source.place(line);
        let value = functions::call(name, &values, &at).map_err(|why| self.unknown(why, line))?;
        self.paid(value, line)
    }

    fn paid(&mut self, value: Value, line: u32) -> Evaluated {
        self.spend(work::weight(&value).unwrap_or(1), line).map(|()| value)
    }

    /// Fails where the environment, constants and files may have changed.
    fn unchanged(&self, line: u32) -> Result<(), Unknown> {
        match self.outside {
            Some(_) => Err(self.unknown(CHANGED, line)),
            None => Ok(()),
        }
    }

    /// Functions that look at the environment, the files, the constants.
    fn contextual(&mut self, name: &str, values: &[Value], line: u32) -> Option<Evaluated> {
        let [Value::String(first)] = values else { return None };
        let path = Path::new(first);
        Some(match name {
            "getenv" => Ok(match self.environment.get(first) {
                Some(text) => Value::from(text.as_str()),
                None => Value::Bool(false),
            }),
            "constant" => self.constant(first, line),
            "defined" => self.constant(first, line).map(|_| Value::Bool(true)),
            "file_exists" | "is_file" | "is_readable" | "file_get_contents"
                if !path.is_absolute() =>
            {
                Err(self.unknown("only files with a full path are read", line))
            }
            "file_get_contents" => self.file_get_contents(path, line),
            "file_exists" => {
                Ok(Value::Bool(self.files.is_file(path) || self.files.is_directory(path)))
            }
            "is_file" => Ok(Value::Bool(self.files.is_file(path))),
            "is_readable" => Ok(Value::Bool(
                self.files.is_directory(path)
                    || match self.files.read(path, 0) {
                        Ok(_) => true,
                        Err(error) => error.kind() == ErrorKind::FileTooLarge,
                    },
            )),
            _ => return None,
        })
    }

    fn file_get_contents(&mut self, path: &Path, line: u32) -> Evaluated {
        if !self.files.is_file(path) && !self.files.is_directory(path) {
            let missing = self.files.real(path).is_err_and(|e| e.kind() == ErrorKind::NotFound);
            if missing {
                return Ok(Value::Bool(false));
            }
        }
        let text = self.read_file(path, line)?;
        source::require_utf8(&text).map_err(|why| self.unknown(why, line))?;
        Ok(Value::String(text))
    }

    /// Sets a constant, unless it is set already.
    pub(super) fn define(&mut self, name: &str, value: Evaluated) {
        let value = self.doubt.clone().map_or(value, Err);
        self.constants.entry(name.to_owned()).or_insert(value);
    }

    /// The value of a constant, magic ones included.
    pub(super) fn named_constant(&mut self, name: &str, line: u32) -> Evaluated {
        match name.to_ascii_uppercase().as_str() {
            "__DIR__" => Ok(Value::from(&*self.source.directory().to_string_lossy())),
            "__FILE__" => Ok(Value::from(&*self.source.real.to_string_lossy())),
            "__LINE__" => Ok(Value::Int(i64::from(line))),
            _ => self.constant(name, line),
        }
    }

    fn constant(&mut self, name: &str, line: u32) -> Evaluated {
        if let Some(value) = constants::global(name) {
            return Ok(value);
        }
        if let Some(held) = self.constants.get(name) {
            let value = held.clone()?;
            self.unchanged(line)?;
            return self.copy(&value, line);
        }
        Err(self.unknown("the value of this word is not known (should it be in quotes?)", line))
    }

    /// `\PDO::MYSQL_ATTR_SSL_CA`, `\OC::$SERVERROOT`.
    pub(super) fn class_member(&mut self, class: &str, name: &str, line: u32) -> Evaluated {
        let found = match (class.trim_start_matches('\\'), name) {
            ("OC", "$SERVERROOT") => self.server_root(),
            _ => constants::of_class(class, name),
        };
        found.ok_or_else(|| self.unknown("the value of this class member is not known", line))
    }

    /// The parent directory, where Nextcloud is by default.
    fn server_root(&self) -> Option<Value> {
        let root = self.source.directory().parent()?;
        let there = self.files.is_file(&root.join("lib/base.php"));
        there.then(|| Value::from(&*root.to_string_lossy()))
    }

    /// Why a variable that was not written may have a value; none where it has none.
    pub(super) fn store_error(&self, name: &str, line: u32) -> Option<Unknown> {
        if name.starts_with('_') || name == "GLOBALS" || OF_NEXTCLOUD.contains(&name) {
            let why = "it depends on Nextcloud or on PHP's settings";
            return Some(self.unknown(why, line));
        }
        self.all_variables.clone()
    }

    /// The value of an expression; none where it is a variable or element that is not there.
    pub(super) fn quiet(&mut self, expr: &Expr) -> Result<Option<Value>, Unknown> {
        let line = expr.line;
        let (base, accesses) = match &expr.node {
            Node::Variable(_) => (expr, [].as_slice()),
            Node::Index(base, accesses) => (base.as_ref(), accesses.as_slice()),
            _ => return self.evaluate(expr).map(Some),
        };
        let Node::Variable(name) = &base.node else {
            let value = self.evaluate(base);
            let path = self.path(accesses);
            let value = value?;
            let found = walk(&value, &path).map_err(|hole| self.hole(hole, line))?;
            return found.map(|found| self.copy(&found, line)).transpose();
        };
        let path = self.path(accesses);
        let copied = match self.variables.get(name) {
            None => return self.store_error(name, line).map_or(Ok(None), Err),
            Some(held) => match held.as_ref().map_err(|u| Hole::Stored(u.clone())) {
                Ok(value) => match walk(value, &path) {
                    Ok(None) => return Ok(None),
                    Ok(Some(found)) => {
                        if let Some(unknown) = in_doubt(&found) {
                            return Err(unknown);
                        }
                        self.work.copy(&found, || self.source.place(line)).map_err(Hole::Here)
                    }
                    Err(hole) => Err(hole),
                },
                Err(hole) => Err(hole),
            },
        };
        copied.map(Some).map_err(|hole| self.hole(hole, line))
    }

    fn hole(&self, hole: Hole, line: u32) -> Unknown {
        match hole {
            Hole::Stored(unknown) => unknown,
            Hole::Here(why) => self.unknown(why, line),
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

    /// A path as an `include` takes it; none where PHP's `include_path` decides.
    pub(super) fn locate(&self, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        let beside = self.source.directory().join(path);
        if path.is_absolute() {
            return Some(beside);
        }
        let dotted = path.starts_with(".") || path.starts_with("..");
        let above = self.source.directory().parent()?.join(path);
        let lone = self.files.is_file(&beside) && !self.files.is_file(&above);
        (!dotted && lone).then_some(beside)
    }
}

/// Whether a call of this function changes nothing besides what its callback does.
pub(super) fn effects_free(name: &str) -> bool {
    effects::is_pure(name) || matches!(name, "array_map" | "array_filter")
}

fn is_pure_callback(callback: &Evaluated) -> bool {
    let name = callback.as_ref().ok().and_then(Value::as_str);
    name.is_some_and(|name| effects::is_pure(&name.to_ascii_lowercase()))
}

/// Why an element cannot be looked at.
enum Hole {
    /// Something on the way is unknown.
    Stored(Unknown),
    /// This look itself is more than is evaluated.
    Here(&'static str),
}

/// Why a value may be no array at all, or not there: nothing in it is known.
fn in_doubt(value: &Value) -> Option<Unknown> {
    let array = value.as_array().filter(|array| array.iter().next().is_none())?;
    let first = array.entries.values().find_map(|entry| entry.held.as_ref().err());
    array.open.as_ref().or(first).cloned()
}

/// The element at `path` below `value`, or the character of a string.
fn walk<'v>(value: &'v Value, path: &[StoreStep]) -> Result<Option<Cow<'v, Value>>, Hole> {
    let mut value = value;
    let mut steps = path.iter();
    while let Some(step) = steps.next() {
        let key = match step {
            StoreStep::Key(key) => key,
            StoreStep::Append => return Err(Hole::Here("`[]` has no value")),
            StoreStep::Any(unknown) => return Err(Hole::Stored(unknown.clone())),
        };
        value = match (value, key) {
            (Value::Array(array), key) => match array.look(key).map_err(Hole::Stored)? {
                None => return Ok(None),
                Some(value) => value,
            },
            (Value::String(text), Key::Int(at))
                if steps.as_slice().is_empty() && text.is_ascii() =>
            {
                return Ok(character(text, *at).map(Cow::Owned));
            }
            (Value::String(_), _) => return Err(Hole::Here("text stands for an array here")),
            _ => return Ok(None),
        };
    }
    Ok(Some(Cow::Borrowed(value)))
}

/// `$text[0]`, `$text[-1]`; none beyond the text.
fn character(text: &str, at: i64) -> Option<Value> {
    let at = if at < 0 { at.checked_add_unsigned(u64::try_from(text.len()).ok()?)? } else { at };
    let at = usize::try_from(at).ok()?;
    text.get(at..at.checked_add(1)?).map(Value::from)
}
