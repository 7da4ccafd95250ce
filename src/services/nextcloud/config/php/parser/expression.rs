//! Operators: PHP 8's precedence
//! (<https://www.php.net/manual/en/language.operators.precedence.php>).

use super::{Fault, Kind, Parser};
use crate::services::nextcloud::config::php::ast::{Binary, Expr, Node, Step};

/// Binds tighter than any operator that an expression behind `!` takes in.
pub(super) const NOT: u8 = 18;
/// What a cast, a sign or `@` takes in: `**` alone.
pub(super) const UNARY: u8 = 20;
/// What `print`, `throw`, `include` take in: everything but `and`, `xor`, `or`.
pub(super) const WHOLE: u8 = 4;
const TERNARY: u8 = 5;

impl Parser<'_> {
    /// Parses any expression.
    pub(super) fn expression(&mut self) -> Result<Expr, Fault> {
        self.operators(0)
    }

    /// An expression of operators that bind at least as tightly as `least`.
    pub(super) fn operators(&mut self, least: u8) -> Result<Expr, Fault> {
        self.deeper(|parser| {
            let line = parser.line();
            let first = parser.operand()?;
            let mut steps = Vec::new();
            while let Some(step) = parser.step(least)? {
                steps.push(step);
            }
            if steps.is_empty() {
                return Ok(first);
            }
            Ok(Expr { line, node: Node::Chain(Box::new(first), steps) })
        })
    }

    /// The next operator with its right side, when it binds tightly enough.
    fn step(&mut self, least: u8) -> Result<Option<Step>, Fault> {
        if self.at("?") && least <= TERNARY {
            self.bump();
            return self.ternary().map(Some);
        }
        let Some((operator, power)) = binary(self) else { return Ok(None) };
        if power < least {
            return Ok(None);
        }
        self.bump();
        let least = power + 1;
        let right = self.operators(least)?;
        Ok(Some(Step::Binary(operator, right)))
    }

    fn ternary(&mut self) -> Result<Step, Fault> {
        let then = if self.at(":") { None } else { Some(self.expression()?) };
        self.expect(":")?;
        Ok(Step::Ternary(then, self.operators(TERNARY + 1)?))
    }
}

fn binary(parser: &Parser<'_>) -> Option<(Binary, u8)> {
    let token = parser.peek();
    if token.kind == Kind::Name {
        return word(token.text);
    }
    if token.kind != Kind::Symbol {
        return None;
    }
    Some(match token.text {
        "??" => (Binary::Coalesce, 6),
        "||" => (Binary::Or, 7),
        "&&" => (Binary::And, 8),
        "|" => (Binary::Other, 9),
        "^" => (Binary::Other, 10),
        "&" => (Binary::Other, 11),
        "==" => (Binary::Equal, 12),
        "!=" | "<>" => (Binary::NotEqual, 12),
        "===" => (Binary::Identical, 12),
        "!==" => (Binary::NotIdentical, 12),
        "<=>" => (Binary::Other, 12),
        "<" => (Binary::Less, 13),
        "<=" => (Binary::LessEqual, 13),
        ">" => (Binary::Greater, 13),
        ">=" => (Binary::GreaterEqual, 13),
        "." => (Binary::Concat, 14),
        "<<" => (Binary::Other, 15),
        ">>" => (Binary::Other, 15),
        "+" => (Binary::Add, 16),
        "-" => (Binary::Subtract, 16),
        "*" => (Binary::Multiply, 17),
        "/" => (Binary::Other, 17),
        "%" => (Binary::Other, 17),
        "**" => (Binary::Other, 20),
        _ => return None,
    })
}

fn word(text: &str) -> Option<(Binary, u8)> {
    match text.to_ascii_lowercase().as_str() {
        "or" => Some((Binary::Or, 1)),
        "xor" => Some((Binary::Other, 2)),
        "and" => Some((Binary::And, 3)),
        "instanceof" => Some((Binary::Other, 19)),
        _ => None,
    }
}
