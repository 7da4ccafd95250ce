//! Lists between brackets: elements of arrays, arguments of calls.

use super::{Fault, Kind, Parser};
use crate::services::nextcloud::config::php::ast::{Argument, Element, Expr, Node};

impl Parser<'_> {
    /// The elements of an array between its brackets.
    pub(super) fn elements(&mut self, close: &str) -> Result<Vec<Element>, Fault> {
        let opening = self.bump();
        let mut elements = Vec::new();
        while !self.eat(close) {
            if let Some(fault) = self.open_bracket(opening, close) {
                return Err(fault);
            }
            elements.push(self.element()?);
            if !self.at(close) && !self.eat(",") {
                let fault = self.open_bracket(opening, close);
                return Err(fault.unwrap_or_else(|| self.fault(&format!("`,` or `{close}`"))));
            }
        }
        Ok(elements)
    }

    fn element(&mut self) -> Result<Element, Fault> {
        let line = self.line();
        let spread = self.eat("...");
        let first = self.expression()?;
        if !spread && self.eat("=>") {
            let value = self.expression()?;
            return Ok(Element { line, key: Some(first), value, spread });
        }
        Ok(Element { line, key: None, value: first, spread })
    }

    /// The arguments of a call, behind its opening bracket.
    pub(super) fn arguments(&mut self) -> Result<Vec<Argument>, Fault> {
        let mut arguments = Vec::new();
        while !self.eat(")") {
            let spread = self.eat("...");
            if spread && self.at(")") {
                let line = self.line();
                let value = Expr { line, node: Node::Unsupported("callables are not evaluated") };
                arguments.push(Argument { value, spread: false });
                continue;
            }
            let line = self.line();
            let named = self.peek().kind == Kind::Name && super::is(self.ahead(1), ":");
            self.at += if named { 2 } else { 0 };
            let mut value = self.expression()?;
            if named {
                value = Expr { line, node: Node::Unsupported("named arguments are not evaluated") };
            }
            arguments.push(Argument { value, spread });
            if !self.at(")") && !self.eat(",") {
                return Err(self.fault("`,` or `)`"));
            }
        }
        Ok(arguments)
    }

    /// `(a, b)`
    pub(super) fn expressions(&mut self) -> Result<Vec<Expr>, Fault> {
        self.expect("(")?;
        Ok(self.arguments()?.into_iter().map(|argument| argument.value).collect())
    }
}
