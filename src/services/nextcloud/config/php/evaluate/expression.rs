//! The value of an expression.
//!
//! Every part is evaluated even where another part is unknown: it may change variables.

use super::{Evaluator, store::ASSIGNS, work};
use crate::services::nextcloud::config::php::{
    array::{Array, Key},
    ast::{Binary, Element, Expr, Node, Prefix, Step},
    convert,
    value::{Evaluated, Unknown, Value},
};

type Known<T> = Result<T, Unknown>;

impl Evaluator<'_> {
    /// The value, or why there is none.
    pub(super) fn evaluate(&mut self, expr: &Expr) -> Evaluated {
        self.spend(1, expr.line)?;
        self.depth += 1;
        let value = self.node(expr);
        self.depth -= 1;
        value
    }

    fn node(&mut self, expr: &Expr) -> Evaluated {
        let line = expr.line;
        match &expr.node {
            Node::Literal(Ok(value)) => self.copy(value, line),
            Node::Literal(Err(why)) => Err(self.unknown(why, line)),
            Node::Interpolated(parts) => self.interpolated(parts, line),
            Node::Array(elements) => self.array(elements),
            Node::Variable(_) => match self.quiet(expr)? {
                Some(value) => Ok(value),
                None => Err(self.unknown("this variable is not set before", line)),
            },
            Node::Index(..) => self.quiet_or_null(expr),
            Node::Call(name, arguments) => self.call(name, arguments, line),
            Node::Constant(name) => self.named_constant(name, line),
            Node::ClassMember { class, name } => self.class_member(class, name, line),
            Node::Prefix(prefix, operand) => self.prefixed(*prefix, operand),
            Node::Chain(first, steps) => self.chain(first, steps),
            Node::Assign { target, operator, value } => {
                self.assign(target, *operator, value);
                if super::store::keys_assign(target) {
                    return Err(self.unknown(ASSIGNS, line));
                }
                self.evaluate(target)
            }
            Node::Isset(targets) => self.isset(targets),
            Node::Empty(target) => match self.quiet(target)? {
                Some(value) => self.truth(&value, line).map(|truth| Value::Bool(!truth)),
                None => Ok(Value::Bool(true)),
            },
            Node::Include { once, must, path } => self.include(path, *once, *must),
            Node::Exit => {
                let unknown = self.unknown("PHP ends here", line);
                if self.doubt.is_none() {
                    self.lose_everything(&unknown);
                    self.exited = true;
                }
                Err(unknown)
            }
            Node::Opaque(opaque) => Err(self.opaque(opaque, line)),
        }
    }

    /// What an `if` makes of a value.
    fn truth(&self, value: &Value, line: u32) -> Known<bool> {
        value.truth().ok_or_else(|| self.unknown("whether this array is empty is not known", line))
    }

    /// What an `if` makes of an expression.
    pub(super) fn truth_of(&mut self, expr: &Expr) -> Known<bool> {
        let value = self.evaluate(expr)?;
        self.truth(&value, expr.line)
    }

    fn interpolated(&mut self, parts: &[Expr], line: u32) -> Evaluated {
        let values: Vec<_> = parts.iter().map(|part| self.evaluate(part)).collect();
        let mut text = String::new();
        for value in values {
            let part = self.text(&value?, line)?;
            self.spend(work::bytes(part.len()), line)?;
            text.push_str(&part);
        }
        Ok(Value::String(text))
    }

    /// `(string)`
    pub(super) fn text(&self, value: &Value, line: u32) -> Known<String> {
        convert::to_text(value).ok_or_else(|| self.unknown("an array stands for text here", line))
    }

    fn array(&mut self, elements: &[Element]) -> Evaluated {
        let mut array = Array::default();
        let mut wrong = None;
        for element in elements {
            if self.halted() {
                break;
            }
            self.spend(work::ELEMENT, element.line)?;
            if let Err(unknown) = self.element(&mut array, element) {
                wrong.get_or_insert(unknown);
            }
        }
        wrong.map_or(Ok(Value::Array(array)), Err)
    }

    /// Fails where all of the array is unknown for this element.
    fn element(&mut self, array: &mut Array, element: &Element) -> Known<()> {
        let at = self.source.place(element.line);
        if element.spread {
            match self.evaluate(&element.value)? {
                Value::Array(other) => array.merge(other),
                _ => return Err(self.unknown("only arrays can be spread", element.line)),
            }
            return Ok(());
        }
        let mut key = element.key.as_ref().map(|key| self.key(key));
        if element.key.as_ref().is_some_and(|key| !is_literal(key)) && assigns(&element.value) {
            key = Some(Err(self.unknown(ASSIGNS, element.line)));
        }
        let held = self.evaluate(&element.value);
        if key.is_none() && array.appends_by_version() {
            let why = "the key that this element takes depends on PHP's version";
            return Err(self.unknown(why, element.line));
        }
        if key.is_none() && array.open.is_some() {
            return Ok(());
        }
        match key.transpose() {
            Ok(key) => array.set(key, held, at),
            Err(unknown) => array.forget(&unknown),
        }
        Ok(())
    }

    /// The value of an expression as the key of an array.
    pub(super) fn key(&mut self, expr: &Expr) -> Known<Key> {
        match self.evaluate(expr)? {
            Value::String(text) => Ok(Key::from(text.as_str())),
            Value::Null => Ok(Key::from("")),
            Value::Int(int) => Ok(Key::Int(int)),
            Value::Bool(bool) => Ok(Key::Int(i64::from(bool))),
            _ => Err(self.unknown("this kind of key is not evaluated", expr.line)),
        }
    }

    fn prefixed(&mut self, prefix: Prefix, operand: &Expr) -> Evaluated {
        let line = operand.line;
        if prefix == Prefix::Silence {
            return self.quiet_or_null(operand);
        }
        let value = self.evaluate(operand)?;
        Ok(match (prefix, value) {
            (Prefix::Not, value) => Value::Bool(!self.truth(&value, line)?),
            (Prefix::ToBool, value) => Value::Bool(self.truth(&value, line)?),
            (Prefix::ToString, value) => Value::String(self.text(&value, line)?),
            (Prefix::ToInt, value) => match convert::to_int(&value) {
                Some(int) => Value::Int(int),
                None => return Err(self.unknown("this is no number", line)),
            },
            (Prefix::Minus, Value::Int(int)) if int != i64::MIN => Value::Int(-int),
            (Prefix::Minus, Value::Float(float)) => Value::Float(-float),
            _ => return Err(self.unknown("this operator is not evaluated", line)),
        })
    }

    /// Applies operators from left to right; `&&`, `||`, `?:`, `??` look at the right side only
    /// when they need it.
    fn chain(&mut self, first: &Expr, steps: &[Step]) -> Evaluated {
        let mut left = match steps.first() {
            Some(Step::Binary(Binary::Coalesce, _)) => self.quiet_or_null(first),
            _ => self.evaluate(first),
        };
        // PHP reads a variable on the left only after the right side.
        let mut literal = matches!(first.node, Node::Literal(_) | Node::Call(..));
        for step in steps {
            left = match step {
                Step::Ternary(then, or) => self.ternary(left, then.as_ref(), or, first.line),
                Step::Binary(operator, right) => {
                    let late = !literal && !operator.is_lazy() && assigns(right);
                    let value = self.binary(left, *operator, right, first.line);
                    if late { Err(self.unknown(ASSIGNS, right.line)) } else { value }
                }
            };
            literal = true;
        }
        left
    }

    fn ternary(
        &mut self,
        condition: Evaluated,
        then: Option<&Expr>,
        or: &Expr,
        line: u32,
    ) -> Evaluated {
        let truth = condition.and_then(|value| Ok((self.truth(&value, line)?, value)));
        match (truth, then) {
            (Ok((true, value)), None) => Ok(value),
            (Ok((true, _)), Some(then)) => self.evaluate(then),
            (Ok((false, _)), _) => self.evaluate(or),
            (Err(unknown), _) => {
                for branch in then.into_iter().chain([or]) {
                    drop(self.in_doubt(&unknown, |evaluator| evaluator.evaluate(branch)));
                }
                Err(unknown)
            }
        }
    }

    fn binary(&mut self, left: Evaluated, operator: Binary, right: &Expr, line: u32) -> Evaluated {
        let truth = match &left {
            Ok(_) if !operator.is_lazy() => Ok(false),
            Ok(value) if operator == Binary::Coalesce => Ok(*value == Value::Null),
            Ok(value) => self.truth(value, line),
            Err(unknown) => Err(unknown.clone()),
        };
        match (operator, truth) {
            (Binary::And | Binary::Or | Binary::Coalesce, Err(unknown)) => {
                // `defined('X') || define('X', 1)`: whether the right side runs is not known.
                drop(self.in_doubt(&unknown, |evaluator| evaluator.evaluate(right)));
                Err(unknown)
            }
            (Binary::And, Ok(false)) => Ok(Value::Bool(false)),
            (Binary::Or, Ok(true)) => Ok(Value::Bool(true)),
            (Binary::And | Binary::Or, Ok(_)) => self.truth_of(right).map(Value::Bool),
            (Binary::Coalesce, Ok(true)) => self.quiet_or_null(right),
            (Binary::Coalesce, Ok(false)) => left,
            _ => {
                let right_value = self.evaluate(right);
                self.combine(operator, left, right_value, right.line)
            }
        }
    }

    /// An operator that needs both sides.
    pub(super) fn combine(
        &mut self,
        operator: Binary,
        left: Evaluated,
        right: Evaluated,
        line: u32,
    ) -> Evaluated {
        let (left, right) = (left?, right?);
        if operator == Binary::Concat {
            let (left, right) = (self.text(&left, line)?, self.text(&right, line)?);
            self.spend(work::bytes(left.len() + right.len()), line)?;
            return Ok(Value::String(left + &right));
        }
        let value = match (operator, &left, &right) {
            (Binary::Equal, ..) => convert::equal(&left, &right).map(Value::Bool),
            (Binary::NotEqual, ..) => convert::equal(&left, &right).map(|is| Value::Bool(!is)),
            (Binary::Identical, ..) => convert::identical(&left, &right).map(Value::Bool),
            (Binary::NotIdentical, ..) => {
                convert::identical(&left, &right).map(|is| Value::Bool(!is))
            }
            (Binary::Add, Value::Array(left), Value::Array(right)) => {
                Some(Value::Array(left.union(right)))
            }
            (_, Value::Int(left), Value::Int(right)) => integers(operator, *left, *right),
            _ => None,
        };
        value.ok_or_else(|| self.unknown("this operator is not evaluated for these values", line))
    }
}

fn integers(operator: Binary, left: i64, right: i64) -> Option<Value> {
    match operator {
        Binary::Add => left.checked_add(right).map(Value::Int),
        Binary::Subtract => left.checked_sub(right).map(Value::Int),
        Binary::Multiply => left.checked_mul(right).map(Value::Int),
        Binary::Less => Some(Value::Bool(left < right)),
        Binary::LessEqual => Some(Value::Bool(left <= right)),
        Binary::Greater => Some(Value::Bool(left > right)),
        Binary::GreaterEqual => Some(Value::Bool(left >= right)),
        _ => None,
    }
}

impl Binary {
    fn is_lazy(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Coalesce)
    }
}

fn is_literal(expr: &Expr) -> bool {
    matches!(expr.node, Node::Literal(_))
}

/// Whether this expression changes a variable.
pub(super) fn assigns(expr: &Expr) -> bool {
    match &expr.node {
        Node::Assign { .. } | Node::Include { .. } | Node::Opaque(_) => true,
        Node::Literal(_) | Node::Variable(_) | Node::Constant(_) => false,
        Node::ClassMember { .. } | Node::Exit => false,
        Node::Interpolated(parts) | Node::Isset(parts) => parts.iter().any(assigns),
        Node::Call(name, arguments) => {
            !super::call::effects_free(name) || arguments.iter().any(assigns)
        }
        Node::Index(base, keys) => assigns(base) || keys.iter().flatten().any(assigns),
        Node::Prefix(_, inner) | Node::Empty(inner) => assigns(inner),
        Node::Array(elements) => elements
            .iter()
            .any(|element| assigns(&element.value) || element.key.as_ref().is_some_and(assigns)),
        Node::Chain(first, steps) => {
            assigns(first)
                || steps.iter().any(|step| match step {
                    Step::Binary(_, right) => assigns(right),
                    Step::Ternary(then, or) => then.as_ref().is_some_and(assigns) || assigns(or),
                })
        }
    }
}
