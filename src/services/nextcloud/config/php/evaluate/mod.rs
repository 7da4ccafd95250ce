//! Runs a parsed file over variables, as far as everything in it is known.
//!
//! What is not known stays a marked hole ([`Unknown`]) that travels with assignments, so that a
//! later assignment can still fill it, and only the holes left in `$CONFIG` are reported.

mod access;
mod assign;
mod call;
mod expression;
mod include;
mod operator;
mod statement;
mod work;

use super::{
    ast::Statement,
    files::Files,
    source::Source,
    value::{Evaluated, Place, Unknown, Value},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
};
use work::Work;

/// The variable that Nextcloud reads.
pub(super) const CONFIG: &str = "CONFIG";

/// A run over one file and what it includes; variables and constants outlive a file, as they do in
/// Nextcloud, which includes all of them in one function.
pub(super) struct Evaluator<'a> {
    files: &'a dyn Files,
    environment: &'a BTreeMap<String, String>,
    source: Source,
    variables: HashMap<String, Evaluated>,
    constants: HashMap<String, Evaluated>,
    /// Set while a branch runs of which nobody knows whether PHP would take it.
    doubt: Option<Unknown>,
    included: HashSet<PathBuf>,
    includes: usize,
    work: Work,
    depth: usize,
    exited: bool,
}

/// What a file leaves behind.
pub(super) struct Outcome {
    /// `$CONFIG`; none when the file does not set it.
    pub(super) config: Option<Evaluated>,
    /// Where the work became too much.
    pub(super) exhausted: Option<Place>,
}

impl<'a> Evaluator<'a> {
    /// An evaluator that has run nothing yet.
    pub(super) fn new(
        files: &'a dyn Files,
        environment: &'a BTreeMap<String, String>,
        source: Source,
    ) -> Self {
        Self {
            files,
            environment,
            source,
            variables: HashMap::new(),
            constants: HashMap::new(),
            doubt: None,
            included: HashSet::new(),
            includes: 0,
            work: Work::default(),
            depth: 0,
            exited: false,
        }
    }

    /// Runs a file that begins without `$CONFIG`.
    pub(super) fn run(&mut self, source: Source, statements: &[Statement]) -> Outcome {
        self.variables.remove(CONFIG);
        self.included.insert(source.real.clone());
        self.source = source;
        self.exited = false;
        self.statements(statements);
        Outcome { config: self.variables.remove(CONFIG), exhausted: self.work.exhausted().cloned() }
    }

    fn unknown(&self, why: &'static str, line: u32) -> Unknown {
        Unknown { why, at: self.source.place(line) }
    }

    /// Charges for work; once it is used up, everything is unknown and the run ends.
    fn spend(&mut self, amount: u64, line: u32) -> Result<(), Unknown> {
        let spent = self.work.spend(amount, || self.source.place(line));
        spent.map_err(|why| self.unknown(why, line))
    }

    /// A copy of a value, paid for.
    fn copy(&mut self, value: &Value, line: u32) -> Evaluated {
        let copied = self.work.copy(value, || self.source.place(line));
        copied.map_err(|why| self.unknown(why, line))
    }

    fn halted(&self) -> bool {
        self.exited || self.work.exhausted().is_some()
    }

    /// Runs what PHP may or may not run: everything it assigns is unknown afterwards.
    fn in_doubt<T>(&mut self, line: u32, run: impl FnOnce(&mut Self) -> T) -> T {
        let why = "it depends on a condition that cannot be evaluated";
        let doubt = self.doubt.clone().unwrap_or_else(|| self.unknown(why, line));
        let outer = self.doubt.replace(doubt);
        let done = run(self);
        self.doubt = outer;
        done
    }
}
