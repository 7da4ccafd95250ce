//! Operands: literals, variables, arrays, calls, and what may stand before and behind them.

use super::expression::{NOT, UNARY, WHOLE};
use super::{Fault, Kind, Parser, Token};
use crate::hosts::nextcloud::config::php::ast::{
    Access, Argument, Binary, Cast, Element, Expr, Node, Prefix,
};
use crate::hosts::nextcloud::config::php::value::Value;
use crate::hosts::nextcloud::config::php::{interpolation, literal};

/// How many accesses one expression may have: bounds how deep an array it can write.
const MAX_ACCESSES: usize = 32;

impl Parser<'_> {
    /// One operand with its prefixes, accesses, and an assignment to it.
    pub(super) fn operand(&mut self) -> Result<Expr, Fault> {
        let line = self.line();
        if let Some(node) = self.prefixed()? {
            return Ok(Expr { line, node });
        }
        let node = self.primary()?;
        let expr = self.accesses(Expr { line, node })?;
        self.assignment(expr)
    }

    fn prefixed(&mut self) -> Result<Option<Node>, Fault> {
        let token = self.peek();
        if token.kind == Kind::Cast {
            self.bump();
            let operand = self.operators(UNARY)?;
            return Ok(Some(Node::Cast(cast(token.text), Box::new(operand))));
        }
        if token.kind != Kind::Symbol {
            return Ok(None);
        }
        let (prefix, power) = match token.text {
            "!" => (Prefix::Not, NOT),
            "-" => (Prefix::Minus, UNARY),
            "+" => (Prefix::Plus, UNARY),
            "~" => (Prefix::Complement, UNARY),
            "@" => (Prefix::Silence, UNARY),
            "&" => {
                self.bump();
                return Ok(Some(Node::Reference(Box::new(self.operators(UNARY)?))));
            }
            "++" | "--" => return self.increment().map(Some),
            _ => return Ok(None),
        };
        self.bump();
        Ok(Some(Node::Prefix(prefix, Box::new(self.operators(power)?))))
    }

    /// `++$i`: the same as `$i += 1`.
    fn increment(&mut self) -> Result<Node, Fault> {
        let sign = self.bump();
        let line = self.line();
        let node = self.primary()?;
        let target = self.accesses(Expr { line, node })?;
        Ok(counted(target, sign))
    }

    /// Skips a word or sign and the expression behind it.
    pub(super) fn unsupported_before(&mut self, what: &'static str) -> Result<Node, Fault> {
        self.bump();
        self.operators(WHOLE)?;
        Ok(Node::Unsupported(what))
    }

    fn primary(&mut self) -> Result<Node, Fault> {
        let token = self.peek();
        Ok(match token.kind {
            Kind::Variable => {
                self.bump();
                Node::Variable(token.text.to_owned())
            }
            Kind::Number => {
                self.bump();
                Node::Literal(literal::number(token.text))
            }
            Kind::Single => {
                self.bump();
                Node::Literal(literal::single_quoted(token.text))
            }
            Kind::Double => {
                self.bump();
                interpolation::parse(token.text, Some('"'), token.line, self.depth)?.node
            }
            Kind::Heredoc { indent } => {
                self.bump();
                let text = unindent(token.text, indent);
                interpolation::parse(&text, None, token.line + 1, self.depth)?.node
            }
            Kind::Nowdoc { indent } => {
                self.bump();
                Node::Literal(Ok(Value::String(unindent(token.text, indent))))
            }
            Kind::Shell => {
                self.bump();
                Node::Unsupported("a shell command")
            }
            Kind::Name => return self.named(),
            Kind::Symbol => return self.bracketed(token),
            Kind::Cast | Kind::End => return Err(self.fault("a value")),
        })
    }

    fn bracketed(&mut self, token: Token<'_>) -> Result<Node, Fault> {
        match token.text {
            "[" => Ok(Node::Array(self.elements("]")?)),
            "(" => {
                self.bump();
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner.node)
            }
            "#[" => {
                while self.at("#[") {
                    self.group()?;
                }
                self.closure()
            }
            "$" => {
                while self.eat("$") {}
                if self.at("{") {
                    self.group()?
                } else {
                    self.member()?
                }
                Ok(Node::Unsupported("a variable variable"))
            }
            _ => Err(self.fault("a value")),
        }
    }

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
                let value = Expr { line, node: Node::Unsupported("a callable") };
                arguments.push(Argument { value, spread: false });
                continue;
            }
            let line = self.line();
            let named = self.peek().kind == Kind::Name && super::is(self.ahead(1), ":");
            self.at += if named { 2 } else { 0 };
            let mut value = self.expression()?;
            if named {
                value = Expr { line, node: Node::Unsupported("a named argument") };
            }
            arguments.push(Argument { value, spread });
            if !self.at(")") && !self.eat(",") {
                return Err(self.fault("`,` or `)`"));
            }
        }
        Ok(arguments)
    }

    /// `['x']`, `->y`, `(…)` behind a value.
    fn accesses(&mut self, base: Expr) -> Result<Expr, Fault> {
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
    fn assignment(&mut self, target: Expr) -> Result<Expr, Fault> {
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
            return Err(self.fault("no assignment"));
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

fn cast(name: &str) -> Cast {
    match name.to_ascii_lowercase().as_str() {
        "int" | "integer" => Cast::Int,
        "float" | "double" | "real" => Cast::Float,
        "bool" | "boolean" => Cast::Bool,
        "array" => Cast::Array,
        "object" => Cast::Object,
        "unset" => Cast::Null,
        _ => Cast::String,
    }
}

/// Takes the closing label's indentation from every line, as PHP does.
fn unindent(text: &str, indent: usize) -> String {
    let cut = |line: &'_ str| {
        let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        line.get(blank.min(indent)..).unwrap_or_default().to_owned()
    };
    text.split('\n').map(cut).collect::<Vec<_>>().join("\n")
}
