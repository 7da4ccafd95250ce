//! The value of an expression.

use super::{Evaluator, operator, work, work::bytes};
use crate::services::nextcloud::config::php::{
    array::{Array, Key},
    ast::{Binary, Cast, Element, Expr, Node, Prefix, Step},
    convert,
    value::{Evaluated, Unknown, Value},
};

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
            Node::Literal(Err(why)) | Node::Unsupported(why) => Err(self.unknown(why, line)),
            Node::Interpolated(parts) => self.interpolated(parts, line),
            Node::Array(elements) => self.array(elements),
            Node::Variable(name) => match self.quiet(expr)? {
                Some(value) => Ok(value),
                None if self.variables.contains_key(name) => Ok(Value::Null),
                None => Err(self.unknown("this variable is not set before", line)),
            },
            Node::Access(base, _) => self.element_of(expr, base),
            Node::Call(name, arguments) => self.call(name, arguments, line),
            Node::Constant(name) => self.constant(name, line),
            Node::ClassMember { class, name } => self.class_member(class, name, line),
            Node::Prefix(prefix, operand) => self.prefixed(*prefix, operand),
            Node::Cast(cast, operand) => {
                let value = self.evaluate(operand)?;
                self.cast(*cast, value, line)
            }
            Node::Chain(first, steps) => self.chain(first, steps),
            Node::Assign { target, operator, value } => {
                self.assign(target, *operator, value);
                self.evaluate(target)
            }
            Node::Reference(target) => {
                let unknown = self.unknown("it may be changed through a reference", line);
                self.write(target, Err(unknown.clone()));
                Err(unknown)
            }
            Node::Isset(targets) => self.isset(targets),
            Node::Empty(target) => {
                let value = self.quiet(target)?;
                Ok(Value::Bool(!value.is_some_and(|value| value.as_bool())))
            }
            Node::Include { once, must, path } => self.include(path, *once, *must),
            Node::Exit => {
                self.exited |= self.doubt.is_none();
                Err(self.unknown("the file ends here", line))
            }
        }
    }

    /// `base['x']`: a missing variable is unknown, a missing element is null.
    fn element_of(&mut self, expr: &Expr, base: &Expr) -> Evaluated {
        if let Node::Variable(name) = &base.node
            && !self.is_set(name)
        {
            return Err(self.unknown("this variable is not set before", base.line));
        }
        self.quiet_or_null(expr)
    }

    fn interpolated(&mut self, parts: &[Expr], line: u32) -> Evaluated {
        let mut text = String::new();
        for part in parts {
            let value = self.evaluate(part)?;
            let part = self.text(&value, part.line)?;
            self.spend(bytes(part.len()), line)?;
            text.push_str(&part);
        }
        Ok(Value::String(text))
    }

    /// `(string)`
    pub(super) fn text(&self, value: &Value, line: u32) -> Result<String, Unknown> {
        convert::to_text(value).ok_or_else(|| self.unknown("an array stands for text here", line))
    }

    fn array(&mut self, elements: &[Element]) -> Evaluated {
        let mut array = Array::default();
        for element in elements {
            if self.halted() {
                break;
            }
            self.spend(work::ELEMENT, element.line)?;
            self.element(&mut array, element)?;
        }
        Ok(Value::Array(array))
    }

    fn element(&mut self, array: &mut Array, element: &Element) -> Result<(), Unknown> {
        let at = self.source.place(element.line);
        if element.spread {
            match self.evaluate(&element.value)? {
                Value::Array(other) => array.merge(other),
                _ => return Err(self.unknown("only arrays can be spread", element.line)),
            }
            return Ok(());
        }
        let key = match &element.key {
            Some(key) => match self.key(key) {
                Ok(key) => Some(key),
                Err(unknown) => {
                    array.set(Some(Key::unnamed()), Err(unknown), at);
                    return Ok(());
                }
            },
            None => None,
        };
        let held = self.evaluate(&element.value);
        array.set(key, held, at);
        Ok(())
    }

    /// The value of an expression as the key of an array.
    pub(super) fn key(&mut self, expr: &Expr) -> Result<Key, Unknown> {
        match self.evaluate(expr)? {
            Value::String(text) => Ok(Key::from(text.as_str())),
            Value::Null => Ok(Key::from("")),
            Value::Array(_) => Err(self.unknown("an array cannot be a key", expr.line)),
            other => Ok(Key::Int(convert::to_int(&other))),
        }
    }

    fn prefixed(&mut self, prefix: Prefix, operand: &Expr) -> Evaluated {
        if let Prefix::Silence = prefix {
            return self.quiet_or_null(operand);
        }
        let value = self.evaluate(operand)?;
        let applied = match prefix {
            Prefix::Not => Ok(Value::Bool(!value.as_bool())),
            Prefix::Minus => operator::apply(Binary::Multiply, &value, &Value::Int(-1)),
            Prefix::Plus => operator::apply(Binary::Multiply, &value, &Value::Int(1)),
            Prefix::Complement => match value {
                Value::Int(int) => Ok(Value::Int(!int)),
                _ => Err("`~` needs an integer"),
            },
            Prefix::Silence => Ok(value),
        };
        applied.map_err(|why| self.unknown(why, operand.line))
    }

    fn cast(&mut self, cast: Cast, value: Value, line: u32) -> Evaluated {
        Ok(match cast {
            Cast::Int => Value::Int(convert::to_int(&value)),
            Cast::Float => Value::Float(convert::to_float(&value)),
            Cast::Bool => Value::Bool(value.as_bool()),
            Cast::String => Value::String(self.text(&value, line)?),
            Cast::Null => Value::Null,
            Cast::Object => return Err(self.unknown("objects are not evaluated", line)),
            Cast::Array => match value {
                Value::Array(_) => value,
                Value::Null => Value::Array(Array::default()),
                scalar => Value::list([scalar], &self.source.place(line)),
            },
        })
    }

    /// Applies operators from left to right; `&&`, `||`, `?:`, `??` look at the right side only
    /// when they need it.
    fn chain(&mut self, first: &Expr, steps: &[Step]) -> Evaluated {
        let mut left = match steps.first() {
            Some(Step::Binary(Binary::Coalesce, _)) => self.quiet_or_null(first),
            _ => self.evaluate(first),
        };
        for step in steps {
            left = match step {
                Step::Ternary(then, or) => self.ternary(left, then.as_ref(), or),
                Step::Binary(operator, right) => self.binary(left, *operator, right, first.line),
            };
        }
        left
    }

    fn ternary(&mut self, condition: Evaluated, then: Option<&Expr>, or: &Expr) -> Evaluated {
        match (condition?, then) {
            (value, None) if value.as_bool() => Ok(value),
            (value, Some(then)) if value.as_bool() => self.evaluate(then),
            _ => self.evaluate(or),
        }
    }

    fn binary(&mut self, left: Evaluated, operator: Binary, right: &Expr, line: u32) -> Evaluated {
        match (operator, left) {
            (Binary::And | Binary::Or, Err(unknown)) => {
                // `defined('X') || define('X', 1)`: whether the right side runs is not known.
                self.in_doubt(line, |evaluator| drop(evaluator.evaluate(right)));
                Err(unknown)
            }
            (_, Err(unknown)) => Err(unknown),
            (Binary::And, Ok(left)) if !left.as_bool() => Ok(Value::Bool(false)),
            (Binary::Or, Ok(left)) if left.as_bool() => Ok(Value::Bool(true)),
            (Binary::And | Binary::Or, Ok(_)) => Ok(Value::Bool(self.evaluate(right)?.as_bool())),
            (Binary::Coalesce, Ok(Value::Null)) => self.quiet_or_null(right),
            (Binary::Coalesce, Ok(left)) => Ok(left),
            (_, Ok(left)) => {
                let right_value = self.evaluate(right)?;
                self.combine(operator, &left, &right_value, right.line)
            }
        }
    }

    /// An operator that needs both sides.
    pub(super) fn combine(
        &mut self,
        operator: Binary,
        left: &Value,
        right: &Value,
        line: u32,
    ) -> Evaluated {
        if operator == Binary::Concat {
            let (left, right) = (self.text(left, line)?, self.text(right, line)?);
            self.spend(bytes(left.len() + right.len()), line)?;
            return Ok(Value::String(left + &right));
        }
        operator::apply(operator, left, right).map_err(|why| self.unknown(why, line))
    }
}
