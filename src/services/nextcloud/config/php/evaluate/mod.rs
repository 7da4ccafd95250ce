//! Runs a parsed file over variables, as far as everything in it is known.
//!
//! What is not known stays a marked hole ([`Unknown`]) that travels with assignments, so that a
//! later assignment can still fill it, and only the holes left in `$CONFIG` are reported. Code
//! that is not evaluated leaves such holes in all that it may change.

mod call;
mod expression;
mod include;
mod store;
mod uncertain;
mod work;

use super::{
    array::Array,
    ast::{Branch, Expr, Node, Program, Statement},
    effects::DeclaredCode,
    files::Files,
    source::Source,
    value::{Evaluated, Place, Unknown, Value},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
};
use store::Pin;
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
    /// What is bound by reference, and so may change at any time.
    pins: Vec<Pin>,
    declared: DeclaredCode,
    /// Set where any variable may be another than what is known.
    all_variables: Option<Unknown>,
    /// Set where the environment, constants and files may have changed.
    outside: Option<Unknown>,
    /// Set while code runs of which it is not known whether PHP runs it.
    doubt: Option<Unknown>,
    included: HashSet<PathBuf>,
    includes: usize,
    work: Work,
    depth: usize,
    /// PHP ended here.
    exited: bool,
}

/// What a file leaves behind.
pub(super) struct EvaluationOutcome {
    /// `$CONFIG`; none when the file does not set it.
    pub(super) config: Option<Evaluated>,
    /// Where the work became too much.
    pub(super) exhausted: Option<Place>,
}

/// How a statement ends.
enum Flow {
    Next,
    Return(Evaluated),
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
            pins: Vec::new(),
            declared: DeclaredCode::default(),
            all_variables: None,
            outside: None,
            doubt: None,
            included: HashSet::new(),
            includes: 0,
            work: Work::default(),
            depth: 0,
            exited: false,
        }
    }

    /// Runs a file that begins without `$CONFIG`.
    pub(super) fn run(&mut self, source: Source, program: Program) -> EvaluationOutcome {
        self.variables.remove(CONFIG);
        self.pins.retain(|pin| pin.name != CONFIG);
        if let Some(unknown) = self.all_variables.take() {
            let held = Ok(Value::Array(Array::unknown(unknown.clone())));
            self.variables.insert(CONFIG.to_owned(), held);
            self.all_variables = Some(unknown);
        }
        self.included.insert(source.real.clone());
        self.source = source;
        if !self.exited {
            self.program(program);
        }
        EvaluationOutcome {
            config: self.variables.remove(CONFIG),
            exhausted: self.work.exhausted().cloned(),
        }
    }

    /// Runs one file's statements. A doubt that an early `return` leaves ends with the file.
    fn program(&mut self, program: Program) -> Flow {
        self.declared.extend(program.declared);
        let outer = self.doubt.clone();
        let flow = self.statements(&program.statements);
        self.doubt = outer;
        flow
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

    fn statements(&mut self, statements: &[Statement]) -> Flow {
        for statement in statements {
            match self.statement(statement) {
                Flow::Next => {}
                flow @ Flow::Return(_) => return flow,
            }
            if self.halted() {
                break;
            }
        }
        Flow::Next
    }

    fn halted(&self) -> bool {
        self.exited || self.work.exhausted().is_some()
    }

    fn statement(&mut self, statement: &Statement) -> Flow {
        match statement {
            Statement::Expression(expr) => self.effect(expr),
            Statement::Block(body) => return self.statements(body),
            Statement::If(branches) => return self.conditional(branches),
            Statement::Return(value) => {
                let value = value.as_ref().map_or(Ok(Value::Null), |value| self.evaluate(value));
                if self.doubt.is_some() {
                    return Flow::Next;
                }
                return Flow::Return(value);
            }
            Statement::Unset(targets) => targets.iter().for_each(|target| self.unset(target)),
            Statement::Const(name, value) => {
                let value = self.evaluate(value);
                self.define(name, value);
            }
            Statement::Opaque(line, opaque) => {
                self.opaque(opaque, *line);
            }
        }
        Flow::Next
    }

    /// An expression for what it does. That its value is unknown matters only for an include,
    /// which then may have changed anything.
    fn effect(&mut self, expr: &Expr) {
        match &expr.node {
            Node::Assign { target, operator, value } => self.assign(target, *operator, value),
            _ => drop(self.evaluate(expr)),
        }
    }

    fn conditional(&mut self, branches: &[Branch]) -> Flow {
        for (index, branch) in branches.iter().enumerate() {
            let Some(condition) = &branch.condition else { return self.statements(&branch.body) };
            match self.truth_of(condition) {
                Ok(true) => return self.statements(&branch.body),
                Ok(false) => {}
                Err(unknown) => {
                    self.conditional_in_doubt(branches.get(index..).unwrap_or_default(), &unknown);
                    return Flow::Next;
                }
            }
        }
        Flow::Next
    }

    /// Runs branches of which PHP takes one. Where one of them ends the file, all that follows is
    /// in doubt.
    fn conditional_in_doubt(&mut self, branches: &[Branch], cause: &Unknown) {
        let leaves = branches.iter().any(|branch| leaves(&branch.body));
        for (index, branch) in branches.iter().enumerate() {
            self.in_doubt(cause, |evaluator| {
                if let Some(condition) = branch.condition.as_ref().filter(|_| index > 0) {
                    drop(evaluator.evaluate(condition));
                }
                evaluator.statements(&branch.body)
            });
        }
        if leaves {
            self.doubt.get_or_insert_with(|| cause.clone());
        }
    }

    /// Runs what PHP may or may not run: everything it assigns is unknown afterwards.
    fn in_doubt<T>(&mut self, cause: &Unknown, run: impl FnOnce(&mut Self) -> T) -> T {
        let why = "it depends on a condition that cannot be evaluated";
        let doubt = self.doubt.clone().unwrap_or_else(|| Unknown { why, at: cause.at.clone() });
        let outer = self.doubt.replace(doubt);
        let done = run(self);
        self.doubt = outer;
        done
    }
}

/// Whether a statement among these ends the file or PHP.
fn leaves(statements: &[Statement]) -> bool {
    statements.iter().any(|statement| match statement {
        Statement::Return(_) => true,
        Statement::Expression(expr) => matches!(expr.node, Node::Exit),
        Statement::Block(body) => leaves(body),
        Statement::If(branches) => branches.iter().any(|branch| leaves(&branch.body)),
        Statement::Opaque(_, opaque) => opaque.effects.leaves,
        _ => false,
    })
}
