//! Lists between brackets: elements of arrays, arguments of calls.

use super::{Fault, Kind, Parser};
use crate::services::nextcloud::config::php::ast::{Element, Expr, Node};

impl Parser<'_> {
    /// The elements of an array between its brackets.
    pub(super) fn elements(&mut self, close: &str) -> Result<Vec<Element>, Fault> {
        let opening = self.bump();
        let mut elements = Vec::new();
        while !self.eat(close) {
            if let Some(fault) = self.open_bracket(opening, close) {
                return Err(fault);
            }
            // `[, $second] = …`
            if self.at(",") {
                return Err(self.fault("a value"));
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

    /// The arguments of a call, behind its opening bracket; none where they are named, spread or
    /// missing (`f(...)`).
    pub(super) fn arguments(&mut self) -> Result<Option<Vec<Expr>>, Fault> {
        let mut arguments = Some(Vec::new());
        while !self.eat(")") {
            let spread = self.eat("...");
            let named = self.peek().kind == Kind::Name && super::is(self.ahead(1), ":");
            if spread || named {
                self.at += if named { 2 } else { 0 };
                arguments = None;
            }
            if spread && self.at(")") {
                continue;
            }
            let value = self.expression()?;
            arguments = arguments.map(|mut arguments: Vec<Expr>| {
                arguments.push(value);
                arguments
            });
            if !self.at(")") && !self.eat(",") {
                return Err(self.fault("`,` or `)`"));
            }
        }
        Ok(arguments)
    }

    /// `(a, b)`
    pub(super) fn expressions(&mut self) -> Result<Vec<Expr>, Fault> {
        self.expect("(")?;
        self.arguments()?.ok_or_else(|| self.fault("a value"))
    }

    /// `name(a, b)`, from its opening bracket on; `start` is where the name stands.
    pub(super) fn call(&mut self, start: usize, name: &str) -> Result<Node, Fault> {
        self.expect("(")?;
        Ok(match self.arguments()? {
            Some(arguments) => Node::Call(name.to_owned(), arguments),
            None => Node::Opaque(self.opaque(start, "named arguments are not evaluated")),
        })
    }
}
