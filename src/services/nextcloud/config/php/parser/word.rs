//! Operands that begin with a word: calls, constants, `array(…)`, `isset`, closures, `new`.

use super::{Fault, Kind, Parser, expression::WHOLE};
use crate::services::nextcloud::config::php::{ast::Node, value::Value};

impl Parser<'_> {
    pub(super) fn named(&mut self) -> Result<Node, Fault> {
        let word = self.peek().text.to_ascii_lowercase();
        match word.trim_start_matches('\\') {
            "true" => self.literal(Value::Bool(true)),
            "false" => self.literal(Value::Bool(false)),
            "null" => self.literal(Value::Null),
            "array" | "list" if super::is(self.ahead(1), "(") => {
                self.bump();
                Ok(Node::Array(self.elements(")")?))
            }
            "isset" => self.isset(),
            "empty" => {
                self.bump();
                let mut list = self.expressions()?;
                list.pop()
                    .map(|expr| Node::Empty(Box::new(expr)))
                    .ok_or_else(|| self.fault("a value"))
            }
            "include" => self.include(false, false),
            "include_once" => self.include(true, false),
            "require" => self.include(false, true),
            "require_once" => self.include(true, true),
            "exit" | "die" => {
                self.bump();
                if self.at("(") {
                    self.group()?
                }
                Ok(Node::Exit)
            }
            "print" => self.unsupported_before("`print` is not evaluated"),
            "clone" => self.unsupported_before("objects are not evaluated"),
            "throw" => self.unsupported_before("`throw` is not evaluated"),
            "yield" => self.unsupported_before("`yield` is not evaluated"),
            "new" => self.new_object(),
            "match" if super::is(self.ahead(1), "(") => self.match_expression(),
            "static" | "function" | "fn" if !super::is(self.ahead(1), "::") => self.closure(),
            _ => self.name(&word),
        }
    }

    fn literal(&mut self, value: Value) -> Result<Node, Fault> {
        self.bump();
        Ok(Node::Literal(Ok(value)))
    }

    fn isset(&mut self) -> Result<Node, Fault> {
        self.bump();
        Ok(Node::Isset(self.expressions()?))
    }

    fn include(&mut self, once: bool, must: bool) -> Result<Node, Fault> {
        self.bump();
        Ok(Node::Include { once, must, path: Box::new(self.operators(WHOLE)?) })
    }

    /// `new Name(…)`, `new class(…) { … }`, `new (…)`.
    fn new_object(&mut self) -> Result<Node, Fault> {
        self.bump();
        while self.at("#[") {
            self.group()?;
        }
        self.eat_name("readonly");
        if self.eat_name("class") {
            while !self.at("{") {
                if self.at("(") { self.group()? } else { self.word()? }
            }
            self.group()?;
            return Ok(Node::Unsupported("objects are not evaluated"));
        }
        if self.at("(") {
            self.group()?
        } else {
            self.member()?
        }
        if self.at("(") {
            self.group()?;
        }
        Ok(Node::Unsupported("objects are not evaluated"))
    }

    fn match_expression(&mut self) -> Result<Node, Fault> {
        self.bump();
        self.group()?;
        if !self.at("{") {
            return Err(self.fault("`{`"));
        }
        self.group()?;
        Ok(Node::Unsupported("`match` is not evaluated"))
    }

    /// `function (…) use (…): type { … }`, `fn (…): type => expression`.
    pub(super) fn closure(&mut self) -> Result<Node, Fault> {
        self.eat_name("static");
        let arrow = self.at_name("fn");
        self.bump();
        let end = if arrow { "=>" } else { "{" };
        while !self.at(end) {
            if self.at("(") { self.group()? } else { self.word()? }
        }
        if arrow {
            self.bump();
            self.operators(WHOLE)?;
        } else {
            self.group()?;
        }
        Ok(Node::Unsupported("closures are not evaluated"))
    }

    /// A constant, a call, or a member of a class.
    fn name(&mut self, lower: &str) -> Result<Node, Fault> {
        let class = self.bump().text;
        let bare = lower.trim_start_matches('\\');
        if self.eat("(") {
            return Ok(Node::Call(bare.to_owned(), self.arguments()?));
        }
        if self.eat("::") {
            let member = self.peek();
            self.member()?;
            let dollar = match member.kind {
                Kind::Name if !self.at("(") => "",
                Kind::Variable if !self.at("(") => "$",
                _ => return Ok(Node::Unsupported("methods of classes are not evaluated")),
            };
            let name = format!("{dollar}{}", member.text);
            return Ok(Node::ClassMember { class: class.to_owned(), name });
        }
        Ok(Node::Constant(class.trim_start_matches('\\').to_owned()))
    }
}
