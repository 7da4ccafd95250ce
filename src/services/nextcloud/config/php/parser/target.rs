//! What can be assigned to: elements behind a variable, and assignments to them.

use super::{Fault, Kind, Parser, Token, expression::WHOLE};
use crate::services::nextcloud::config::php::{
    ast::{Access, Binary, Expr, Node},
    value::Value,
};

/// How many accesses one expression may have: bounds how deep an array it can write.
const MAX_ACCESSES: usize = 32;

impl Parser<'_> {
    /// `++$i`: the same as `$i += 1`.
    pub(super) fn increment(&mut self) -> Result<Node, Fault> {
        let sign = self.bump();
        let line = self.line();
        let node = self.primary()?;
        let target = self.accesses(Expr { line, node })?;
        Ok(counted(target, sign))
    }

    /// `['x']`, `->y`, `(…)` behind a value.
    pub(super) fn accesses(&mut self, base: Expr) -> Result<Expr, Fault> {
        let mut accesses = Vec::new();
        while let Some(access) = self.access()? {
            accesses.push(access);
            if accesses.len() > MAX_ACCESSES {
                let what = "there are too many brackets or arrows in a row".into();
                return Err(Fault { line: self.line(), what });
            }
        }
        if accesses.is_empty() {
            return Ok(base);
        }
        Ok(Expr { line: base.line, node: Node::Access(Box::new(base), accesses) })
    }

    fn access(&mut self) -> Result<Option<Access>, Fault> {
        if self.eat("[") {
            if self.eat("]") {
                return Ok(Some(Access::Append));
            }
            let key = self.expression()?;
            self.expect("]")?;
            return Ok(Some(Access::Index(key)));
        }
        if self.eat("(") {
            self.arguments()?;
            return Ok(Some(Access::Object));
        }
        if self.eat("->") || self.eat("?->") || self.eat("::") {
            self.member()?;
            return Ok(Some(Access::Object));
        }
        Ok(None)
    }

    /// What stands behind `->` or `::`.
    pub(super) fn member(&mut self) -> Result<(), Fault> {
        if self.at("{") {
            return self.group();
        }
        self.eat("$");
        match self.peek().kind {
            Kind::Name | Kind::Variable => {
                self.bump();
                Ok(())
            }
            _ => Err(self.fault("a name")),
        }
    }

    /// `target = value` and its like, when an assignment stands behind `target`.
    pub(super) fn assignment(&mut self, target: Expr) -> Result<Expr, Fault> {
        let token = self.peek();
        if token.kind != Kind::Symbol {
            return Ok(target);
        }
        if matches!(token.text, "++" | "--") {
            let line = target.line;
            self.bump();
            return Ok(Expr { line, node: counted(target, token) });
        }
        let operator = match token.text {
            "=" => None,
            "+=" => Some(Binary::Add),
            "-=" => Some(Binary::Subtract),
            "*=" => Some(Binary::Multiply),
            "/=" => Some(Binary::Divide),
            ".=" => Some(Binary::Concat),
            "%=" => Some(Binary::Modulo),
            "**=" => Some(Binary::Power),
            "??=" => Some(Binary::Coalesce),
            "&=" => Some(Binary::BitAnd),
            "|=" => Some(Binary::BitOr),
            "^=" => Some(Binary::BitXor),
            "<<=" => Some(Binary::ShiftLeft),
            ">>=" => Some(Binary::ShiftRight),
            _ => return Ok(target),
        };
        if !matches!(
            target.node,
            Node::Variable(_) | Node::Access(..) | Node::Array(_) | Node::Unsupported(_)
        ) {
            return Err(self.fault("`=>` or an operator"));
        }
        self.bump();
        let value = Box::new(self.operators(WHOLE)?);
        Ok(Expr {
            line: target.line,
            node: Node::Assign { target: Box::new(target), operator, value },
        })
    }
}

fn counted(target: Expr, sign: Token<'_>) -> Node {
    let operator = Some(if sign.text == "++" { Binary::Add } else { Binary::Subtract });
    let value = Expr { line: target.line, node: Node::Literal(Ok(Value::Int(1))) };
    Node::Assign { target: Box::new(target), operator, value: Box::new(value) }
}
