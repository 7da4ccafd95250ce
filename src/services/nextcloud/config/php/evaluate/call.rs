//! Calls of functions, and constants.

use super::{Evaluator, work};
use crate::services::nextcloud::config::php::{
    array::{Array, Key},
    ast::Argument,
    functions,
    functions::constants,
    source,
    value::{Evaluated, Unknown, Value},
};
use std::{
    io::{self, ErrorKind},
    path::Path,
};

impl Evaluator<'_> {
    /// The value of `name(arguments)`.
    pub(super) fn call(&mut self, name: &str, arguments: &[Argument], line: u32) -> Evaluated {
        match name {
            "define" => return self.define_call(arguments, line),
            "array_map" => return self.array_map(arguments, line),
            _ => {}
        }
        let arguments = self.arguments(arguments)?;
        if name.starts_with("file_") || name.starts_with("is_") || name == "realpath" {
            self.spend(work::FILE, line)?;
        }
        if let Some(value) = self.contextual(name, &arguments, line) {
            return value;
        }
        self.pure(name, &arguments, line)
    }

    /// A function that depends on nothing but its arguments.
    fn pure(&mut self, name: &str, arguments: &[Value], line: u32) -> Evaluated {
        let place = self.source.place(line);
        match functions::call(name, arguments, &place) {
            Some(Ok(value)) => {
                let weight = work::weight(&value).unwrap_or(1);
                self.spend(weight, line).map(|()| value)
            }
            Some(Err(why)) => Err(self.unknown(why, line)),
            None => Err(self.unknown("it calls a function that this reader does not know", line)),
        }
    }

    fn arguments(&mut self, arguments: &[Argument]) -> Result<Vec<Value>, Unknown> {
        let mut values = Vec::new();
        for argument in arguments {
            match self.evaluate(&argument.value)? {
                Value::Array(array) if argument.spread => {
                    for (_, entry) in array.entries {
                        values.push(entry.held?);
                    }
                }
                value => values.push(value),
            }
        }
        Ok(values)
    }

    /// Functions that look at the environment, the files, the constants.
    fn contextual(&mut self, name: &str, arguments: &[Value], line: u32) -> Option<Evaluated> {
        let first = match arguments.first() {
            None => String::new(),
            Some(Value::Array(_)) => return None,
            Some(value) => self.text(value, line).ok()?,
        };
        Some(match name {
            "getenv" if arguments.is_empty() => Ok(self.whole_environment(line)),
            "getenv" => Ok(match self.environment.get(&first) {
                Some(text) => Value::from(text.as_str()),
                None => Value::Bool(false),
            }),
            "constant" => self.constant(&first, line),
            "defined" => match self.constant(&first, line) {
                Ok(_) => Ok(Value::Bool(true)),
                Err(unknown) => Err(unknown),
            },
            "file_get_contents" => self.file_get_contents(&first, line),
            "file_exists" => {
                let path = self.locate(&first);
                Ok(Value::Bool(self.files.is_file(&path) || self.files.is_directory(&path)))
            }
            "is_file" => Ok(Value::Bool(self.files.is_file(&self.locate(&first)))),
            "is_dir" => Ok(Value::Bool(self.files.is_directory(&self.locate(&first)))),
            "is_readable" => Ok(Value::Bool(self.is_readable(&self.locate(&first)))),
            "realpath" => Ok(match self.files.real(&self.locate(&first)) {
                Ok(path) => Value::from(&*path.to_string_lossy()),
                Err(_) => Value::Bool(false),
            }),
            _ => return None,
        })
    }

    fn is_readable(&self, path: &Path) -> bool {
        let too_large = |error: io::Error| error.kind() == ErrorKind::FileTooLarge;
        self.files.is_directory(path) || self.files.read(path, 0).map_or_else(too_large, |_| true)
    }

    fn whole_environment(&self, line: u32) -> Value {
        let mut array = Array::default();
        for (name, text) in self.environment {
            let key = Key::from(name.as_str());
            array.set(Some(key), Ok(Value::from(text.as_str())), self.source.place(line));
        }
        Value::Array(array)
    }

    fn file_get_contents(&mut self, path: &str, line: u32) -> Evaluated {
        if path.contains("://") {
            return Err(self.unknown("only local files are read", line));
        }
        let text = self.read_file(&self.locate(path), line)?;
        source::require_utf8(&text).map_err(|why| self.unknown(why, line))?;
        Ok(Value::String(text))
    }

    /// `define('X', value)`: an unknown value is kept as unknown.
    fn define_call(&mut self, arguments: &[Argument], line: u32) -> Evaluated {
        let [name, value, ..] = arguments else {
            return Err(self.unknown("define() needs a name and a value", line));
        };
        let name = self.evaluate(&name.value)?;
        let name = self.text(&name, line)?;
        let value = self.evaluate(&value.value);
        self.define(&name, value);
        Ok(Value::Bool(true))
    }

    /// Sets a constant, unless it is set already.
    pub(super) fn define(&mut self, name: &str, value: Evaluated) {
        let value = self.doubt.clone().map_or(value, Err);
        self.constants.entry(name.to_owned()).or_insert(value);
    }

    /// The value of a constant, magic ones included.
    pub(super) fn constant(&mut self, name: &str, line: u32) -> Evaluated {
        match name.to_ascii_uppercase().as_str() {
            "__DIR__" => return Ok(Value::from(&*self.source.directory().to_string_lossy())),
            "__FILE__" => return Ok(Value::from(&*self.source.real.to_string_lossy())),
            "__LINE__" => return Ok(Value::Int(i64::from(line))),
            _ => {}
        }
        if let Some(held) = self.constants.get(name) {
            let value = held.clone()?;
            return self.copy(&value, line);
        }
        constants::global(name).ok_or_else(|| {
            self.unknown("the value of this word is not known (should it be in quotes?)", line)
        })
    }

    /// `\PDO::MYSQL_ATTR_SSL_CA`, `\OC::$SERVERROOT`.
    pub(super) fn class_member(&mut self, class: &str, name: &str, line: u32) -> Evaluated {
        let found = match (class.trim_start_matches('\\'), name) {
            ("OC", "$SERVERROOT") => self.server_root(),
            _ => constants::of_class(class, name),
        };
        found.ok_or_else(|| self.unknown("the value of this class member is not known", line))
    }

    /// The directory above this one, where Nextcloud is unless it is told otherwise.
    fn server_root(&self) -> Option<Value> {
        let root = self.source.directory().parent()?;
        self.files
            .is_file(&root.join("lib/base.php"))
            .then(|| Value::from(&*root.to_string_lossy()))
    }

    /// `array_map('trim', $list)`: a known function on every element.
    fn array_map(&mut self, arguments: &[Argument], line: u32) -> Evaluated {
        let [function, list] = arguments else {
            return Err(self.unknown("array_map() over several arrays is not evaluated", line));
        };
        let Value::String(function) = self.evaluate(&function.value)? else {
            return Err(self.unknown("array_map() needs the name of a function here", line));
        };
        let Value::Array(list) = self.evaluate(&list.value)? else {
            return Err(self.unknown("array_map() needs an array", line));
        };
        let mut mapped = Array::default();
        for (key, entry) in list.entries {
            let held = match entry.held {
                Ok(value) => self.pure(&function.to_ascii_lowercase(), &[value], line),
                unknown => unknown,
            };
            mapped.set(Some(key), held, entry.at);
        }
        Ok(Value::Array(mapped))
    }
}
