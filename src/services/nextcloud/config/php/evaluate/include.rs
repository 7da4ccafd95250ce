//! `include` and `require`: another file, in the same variables.

use super::{Evaluator, Flow, Source, work};
use crate::services::nextcloud::config::php::{
    ast::Expr,
    files::MAX_FILE,
    parser, source,
    value::{Evaluated, Unknown, Value},
};
use std::{
    io::{self, ErrorKind},
    path::Path,
};

/// How many files may include each other.
const MAX_INCLUDES: usize = 8;

impl Evaluator<'_> {
    /// Runs another file; its value is what it returns, else 1. A file that cannot be run may
    /// change anything.
    pub(super) fn include(&mut self, path: &Expr, once: bool, must: bool) -> Evaluated {
        let value = self.evaluate(path);
        let included = value.and_then(|value| self.include_file(&value, path.line, once, must));
        if let Err(unknown) = &included {
            self.lose_everything(unknown);
            self.doubt.get_or_insert_with(|| unknown.clone());
        }
        included?
    }

    fn include_file(
        &mut self,
        path: &Value,
        line: u32,
        once: bool,
        must: bool,
    ) -> Result<Evaluated, Unknown> {
        self.spend(work::FILE, line)?;
        if self.outside.is_some() || self.doubt.is_some() {
            return Err(self.unknown("whether this file is included is not known", line));
        }
        let text = self.text(path, line)?;
        let why = "only PHP knows where this file is: write __DIR__ before its name";
        let shown = match self.locate(&text) {
            Some(shown) => shown,
            None => return Err(self.unknown(why, line)),
        };
        let real = match self.files.real(&shown) {
            Ok(real) => real,
            Err(error) if !must && error.kind() == ErrorKind::NotFound => {
                return Ok(Ok(Value::Bool(false)));
            }
            Err(error) => return Err(self.unknown(describe(&error), line)),
        };
        if once && self.included.contains(&real) {
            return Ok(Ok(Value::Bool(true)));
        }
        let text = self.read_file(&real, line)?;
        self.included.insert(real.clone());
        self.run_include(Source { shown: shown.into(), real }, &text, line)
    }

    fn run_include(&mut self, source: Source, text: &str, line: u32) -> Result<Evaluated, Unknown> {
        if self.includes >= MAX_INCLUDES {
            return Err(self.unknown("too many files include each other", line));
        }
        let parsed = parser::file(text, self.depth).map_err(|fault| Unknown {
            why: "this included file has a syntax error: check it with `php -l`",
            at: source.place(fault.line),
        })?;
        let outer = std::mem::replace(&mut self.source, source);
        self.includes += 1;
        let flow = self.program(parsed);
        self.includes -= 1;
        self.source = outer;
        Ok(match flow {
            Flow::Return(value) => value,
            Flow::Next => Ok(Value::Int(1)),
        })
    }

    /// The text of a file, paid for by its size.
    pub(super) fn read_file(&mut self, path: &Path, line: u32) -> Result<String, Unknown> {
        let bytes = self
            .files
            .read(path, MAX_FILE)
            .map_err(|error| self.unknown(describe(&error), line))?;
        self.spend(work::bytes(bytes.len()), line)?;
        Ok(source::decode(&bytes).into_owned())
    }
}

fn describe(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "the file that it reads does not exist",
        ErrorKind::PermissionDenied => {
            "the user who runs notify_push may not read the file that it reads"
        }
        ErrorKind::FileTooLarge => "the file that it reads is larger than 1 MiB",
        ErrorKind::InvalidInput => "what it reads is not a regular file",
        _ => "the file that it reads cannot be read",
    }
}
