//! Operands: literals, variables, brackets, and what may stand before them.

use super::{
    Fault, Kind, Parser, Token,
    expression::{NOT, UNARY, WHOLE},
};
use crate::services::nextcloud::config::php::{
    ast::{Cast, Expr, Node, Prefix},
    interpolation, literal,
    value::Value,
};

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

    /// Skips a word or sign and the expression behind it.
    pub(super) fn unsupported_before(&mut self, why: &'static str) -> Result<Node, Fault> {
        self.bump();
        self.operators(WHOLE)?;
        Ok(Node::Unsupported(why))
    }

    pub(super) fn primary(&mut self) -> Result<Node, Fault> {
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
                Node::Unsupported("shell commands are not run")
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
                Ok(Node::Unsupported("variable variables are not evaluated"))
            }
            _ => Err(self.fault("a value")),
        }
    }
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
