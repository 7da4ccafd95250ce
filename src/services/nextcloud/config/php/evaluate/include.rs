//! `include` and `require`: another file, in the same variables.

use super::{Evaluator, Source, statement::Flow, work};
use crate::services::nextcloud::config::php::{
    ast::Expr,
    files::MAX_FILE,
    parser, source,
    value::{Evaluated, Unknown, Value},
};
use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// How many files may include each other.
const MAX_INCLUDES: usize = 8;

impl Evaluator<'_> {
    /// Runs another file; its value is what it returns, else 1.
    pub(super) fn include(&mut self, path: &Expr, once: bool, must: bool) -> Evaluated {
        let line = path.line;
        let value = self.evaluate(path)?;
        self.spend(work::FILE, line)?;
        let shown = self.locate(&self.text(&value, line)?);
        let Ok(real) = self.files.real(&shown) else {
            return if must { Err(self.unknown(NOT_FOUND, line)) } else { Ok(Value::Bool(false)) };
        };
        if once && self.included.contains(&real) {
            return Ok(Value::Bool(true));
        }
        let text = self.read_file(&real, line)?;
        self.included.insert(real.clone());
        self.run_include(Source { shown: shown.into(), real }, &text, line)
    }

    fn run_include(&mut self, source: Source, text: &str, line: u32) -> Evaluated {
        if self.includes >= MAX_INCLUDES {
            return Err(self.unknown("too many files include each other", line));
        }
        let parsed = parser::file(text, self.depth).map_err(|fault| Unknown {
            why: "this included file has a syntax error: check it with `php -l`",
            at: source.place(fault.line),
        })?;
        let outer = std::mem::replace(&mut self.source, source);
        self.includes += 1;
        let flow = self.statements(&parsed);
        self.includes -= 1;
        self.source = outer;
        match flow {
            Flow::Return(value) => value,
            _ => Ok(Value::Int(1)),
        }
    }

    /// A path as PHP takes it; relative ones start at the directory of the running file.
    pub(super) fn locate(&self, path: &str) -> PathBuf {
        self.source.directory().join(Path::new(path))
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

const NOT_FOUND: &str = "the file that it reads does not exist";

fn describe(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => NOT_FOUND,
        ErrorKind::PermissionDenied => {
            "the user who runs notify_push may not read the file that it reads"
        }
        ErrorKind::FileTooLarge => "the file that it reads is larger than 1 MiB",
        ErrorKind::InvalidInput => "what it reads is not a regular file",
        _ => "the file that it reads cannot be read",
    }
}
