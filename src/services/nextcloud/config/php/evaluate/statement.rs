//! Running statements.

use super::Evaluator;
use crate::services::nextcloud::config::php::{
    ast::{Branch, Expr, Node, Statement},
    convert,
    value::{Evaluated, Value},
};

/// How a statement ends.
pub(super) enum Flow {
    Next,
    /// Leaves so many loops.
    Break(u32),
    /// Goes on with the next round of the loop that many out.
    Continue(u32),
    Return(Evaluated),
}

impl Evaluator<'_> {
    /// Runs statements until one of them leaves.
    pub(super) fn statements(&mut self, statements: &[Statement]) -> Flow {
        for statement in statements {
            match self.statement(statement) {
                Flow::Next if !self.halted() => {}
                flow => return flow,
            }
        }
        Flow::Next
    }

    fn statement(&mut self, statement: &Statement) -> Flow {
        match statement {
            Statement::Nothing => {}
            Statement::Expression(expr) => self.effect(expr),
            Statement::Block(body) => return self.statements(body),
            Statement::If(branches) => return self.conditional(branches),
            Statement::Foreach { line, subject, key, value, body } => {
                let each = self.evaluate(subject);
                if let Node::Reference(_) = value.node {
                    let why = "it may be changed through a reference";
                    self.write(subject, Err(self.unknown(why, *line)));
                }
                return self.foreach(*line, each, key.as_ref(), value, body);
            }
            Statement::Switch { subject, cases } => return self.switch(subject, cases),
            Statement::Loop { line, body } => self.doubtful(*line, body),
            Statement::Return(value) => {
                let value = value.as_ref().map_or(Ok(Value::Null), |value| self.evaluate(value));
                return Flow::Return(value);
            }
            Statement::Break(count) => return Flow::Break(*count),
            Statement::Continue(count) => return Flow::Continue(*count),
            Statement::Unset(targets) => targets.iter().for_each(|target| self.unset(target)),
            Statement::Const(name, value) => {
                let value = self.evaluate(value);
                self.define(name, value);
            }
        }
        Flow::Next
    }

    /// An expression for what it does; that its value is unknown matters only for an include.
    fn effect(&mut self, expr: &Expr) {
        match &expr.node {
            Node::Assign { target, operator, value } => self.assign(target, *operator, value),
            Node::Include { .. } => {
                if let Err(unknown) = self.evaluate(expr) {
                    self.lose(unknown);
                }
            }
            _ => drop(self.evaluate(expr)),
        }
    }

    fn doubtful(&mut self, line: u32, body: &[Statement]) {
        self.in_doubt(line, |evaluator| drop(evaluator.statements(body)));
    }

    fn conditional(&mut self, branches: &[Branch]) -> Flow {
        for (index, branch) in branches.iter().enumerate() {
            let Some(condition) = &branch.condition else { return self.statements(&branch.body) };
            match self.evaluate(condition) {
                Ok(value) if value.as_bool() => return self.statements(&branch.body),
                Ok(_) => {}
                Err(_) => {
                    for branch in branches.iter().skip(index) {
                        self.doubtful(condition.line, &branch.body);
                    }
                    return Flow::Next;
                }
            }
        }
        Flow::Next
    }

    fn foreach(
        &mut self,
        line: u32,
        subject: Evaluated,
        key: Option<&Expr>,
        value: &Expr,
        body: &[Statement],
    ) -> Flow {
        let array = match subject {
            Ok(Value::Array(array)) if !matches!(value.node, Node::Reference(_)) => array,
            Ok(Value::Array(_)) | Err(_) => {
                self.doubtful_round(line, key, value, body);
                return Flow::Next;
            }
            Ok(_) => return Flow::Next,
        };
        for (name, entry) in array.entries {
            if let Some(key) = key {
                self.write(key, Ok(name.into()));
            }
            self.write(value, entry.held);
            match self.statements(body) {
                _ if self.halted() || self.spend(1, line).is_err() => return Flow::Next,
                Flow::Next | Flow::Continue(0 | 1) => {}
                Flow::Break(0 | 1) => return Flow::Next,
                Flow::Break(count) => return Flow::Break(count - 1),
                Flow::Continue(count) => return Flow::Continue(count - 1),
                flow @ Flow::Return(_) => return flow,
            }
        }
        Flow::Next
    }

    /// One round of a loop over something unknown.
    fn doubtful_round(&mut self, line: u32, key: Option<&Expr>, value: &Expr, body: &[Statement]) {
        self.in_doubt(line, |evaluator| {
            for target in key.into_iter().chain([value]) {
                evaluator.write(target, Ok(Value::Null));
            }
            evaluator.statements(body);
        });
    }

    fn switch(&mut self, subject: &Expr, cases: &[Branch]) -> Flow {
        let Some(start) = self.matching_case(subject, cases) else {
            cases.iter().for_each(|case| self.doubtful(subject.line, &case.body));
            return Flow::Next;
        };
        for case in cases.iter().skip(start) {
            match self.statements(&case.body) {
                Flow::Next if !self.halted() => {}
                Flow::Break(0 | 1) | Flow::Continue(0 | 1) => return Flow::Next,
                Flow::Break(count) => return Flow::Break(count - 1),
                Flow::Continue(count) => return Flow::Continue(count - 1),
                flow => return flow,
            }
        }
        Flow::Next
    }

    /// Where a `switch` begins: behind the last case when none fits; none when it is not known.
    fn matching_case(&mut self, subject: &Expr, cases: &[Branch]) -> Option<usize> {
        let subject = self.evaluate(subject).ok()?;
        for (index, case) in cases.iter().enumerate() {
            if let Some(condition) = &case.condition {
                let value = self.evaluate(condition).ok()?;
                if convert::equal(&subject, &value)? {
                    return Some(index);
                }
            }
        }
        let default = cases.iter().position(|case| case.condition.is_none());
        Some(default.unwrap_or(cases.len()))
    }
}
