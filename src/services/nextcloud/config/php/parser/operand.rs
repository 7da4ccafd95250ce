//! Operands: literals, variables, brackets, what may stand before and behind them, assignments.

use super::{
    Fault, Kind, Parser, Token,
    expression::{NOT, UNARY, WHOLE},
};
use crate::services::nextcloud::config::php::{
    ast::{Binary, Expr, Node, Prefix},
    interpolation, literal,
    value::Value,
};

/// How many brackets one expression may have in a row: bounds how deep an array it can write.
const MAX_ACCESSES: usize = 32;

const OBJECTS: &str = "objects are not evaluated";

impl Parser<'_> {
    /// One operand with its prefixes, accesses, and an assignment to it.
    pub(super) fn operand(&mut self) -> Result<Expr, Fault> {
        let (line, start) = (self.line(), self.at);
        if let Some(node) = self.prefixed(start)? {
            return Ok(Expr { line, node });
        }
        let node = self.primary()?;
        let expr = self.accesses(Expr { line, node }, start)?;
        self.assignment(expr, start)
    }

    fn prefixed(&mut self, start: usize) -> Result<Option<Node>, Fault> {
        let token = self.peek();
        let (prefix, power) = match token.kind {
            Kind::Cast => (cast(token.text), UNARY),
            Kind::Symbol => match token.text {
                "!" => (Prefix::Not, NOT),
                "-" => (Prefix::Minus, UNARY),
                "@" => (Prefix::Silence, UNARY),
                "+" | "~" => (Prefix::Other, UNARY),
                "&" | "++" | "--" => {
                    self.bump();
                    self.operators(UNARY)?;
                    let why = "references and `++` are not evaluated";
                    return Ok(Some(Node::Opaque(self.opaque(start, why))));
                }
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.bump();
        Ok(Some(Node::Prefix(prefix, Box::new(self.operators(power)?))))
    }

    fn primary(&mut self) -> Result<Node, Fault> {
        let token = self.peek();
        let start = self.at;
        match token.kind {
            Kind::Name => return self.named(),
            Kind::Symbol => return self.bracketed(token),
            Kind::Cast | Kind::End => return Err(self.fault("a value")),
            _ => drop(self.bump()),
        }
        Ok(match token.kind {
            Kind::Variable => Node::Variable(token.text.to_owned()),
            Kind::Number => Node::Literal(literal::number(token.text)),
            Kind::Single => Node::Literal(literal::single_quoted(token.text)),
            Kind::Double => {
                interpolation::parse(token.text, Some('"'), token.line, self.depth)?.node
            }
            Kind::Heredoc { indent } => {
                let text = unindent(token.text, indent);
                interpolation::parse(&text, None, token.line + 1, self.depth)?.node
            }
            Kind::Nowdoc { indent } => {
                let text = unindent(token.text, indent);
                Node::Literal(literal::checked(text))
            }
            _ => Node::Opaque(self.opaque(start, "shell commands are not run")),
        })
    }

    fn bracketed(&mut self, token: Token<'_>) -> Result<Node, Fault> {
        let start = self.at;
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
                    self.group()?;
                } else {
                    self.member()?;
                }
                Ok(Node::Opaque(self.opaque(start, "variable variables are not evaluated")))
            }
            _ => Err(self.fault("a value")),
        }
    }

    /// `['x']`, `->y`, `(…)` behind a value.
    fn accesses(&mut self, base: Expr, start: usize) -> Result<Expr, Fault> {
        let line = base.line;
        let mut keys = Vec::new();
        let mut object = None;
        let mut count = 0;
        loop {
            if self.eat("[") {
                if self.eat("]") {
                    keys.push(None);
                } else {
                    keys.push(Some(self.expression()?));
                    self.expect("]")?;
                }
            } else if self.eat("(") {
                self.arguments()?;
                object = Some("closures and methods are not evaluated");
            } else if self.eat("->") || self.eat("?->") || self.eat("::") {
                self.member()?;
                object = Some(OBJECTS);
            } else {
                break;
            }
            count += 1;
            if count > MAX_ACCESSES {
                let what = "there are too many brackets or arrows in a row".into();
                return Err(Fault { line: self.line(), what });
            }
        }
        let node = match object {
            Some(why) => Node::Opaque(self.opaque(start, why)),
            None if keys.is_empty() => return Ok(base),
            None => Node::Index(Box::new(base), keys),
        };
        Ok(Expr { line, node })
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
    fn assignment(&mut self, target: Expr, start: usize) -> Result<Expr, Fault> {
        let token = self.peek();
        let line = target.line;
        if token.kind != Kind::Symbol {
            return Ok(target);
        }
        let operator = match token.text {
            "++" | "--" => {
                self.bump();
                let why = "references and `++` are not evaluated";
                return Ok(Expr { line, node: Node::Opaque(self.opaque(start, why)) });
            }
            "=" => None,
            "+=" => Some(Binary::Add),
            "-=" => Some(Binary::Subtract),
            "*=" => Some(Binary::Multiply),
            ".=" => Some(Binary::Concat),
            "??=" => Some(Binary::Coalesce),
            "/=" | "%=" | "**=" | "&=" | "|=" | "^=" | "<<=" | ">>=" => Some(Binary::Other),
            _ => return Ok(target),
        };
        let plain = match &target.node {
            Node::Variable(_) => true,
            Node::Index(base, _) => matches!(base.node, Node::Variable(_)),
            Node::Array(_) | Node::Opaque(_) | Node::ClassMember { .. } => false,
            _ => return Err(self.fault("`=>` or an operator")),
        };
        self.bump();
        let reference = self.at("&");
        let value = Box::new(self.operators(WHOLE)?);
        let node = if plain && !reference {
            Node::Assign { target: Box::new(target), operator, value }
        } else {
            Node::Opaque(self.opaque(start, "this kind of assignment is not evaluated"))
        };
        Ok(Expr { line, node })
    }

    pub(super) fn literal(&mut self, value: Value) -> Node {
        self.bump();
        Node::Literal(Ok(value))
    }
}

fn cast(name: &str) -> Prefix {
    match name.to_ascii_lowercase().as_str() {
        "int" | "integer" => Prefix::ToInt,
        "bool" | "boolean" => Prefix::ToBool,
        "string" => Prefix::ToString,
        _ => Prefix::Other,
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
