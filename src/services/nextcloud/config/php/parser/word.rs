//! Operands that begin with a word: calls, constants, `array(…)`, `isset`, and code that is not
//! evaluated (closures, `new`, `match`).

use super::{Fault, Kind, Parser, expression::WHOLE};
use crate::services::nextcloud::config::php::{ast::Node, value::Value};

impl Parser<'_> {
    pub(super) fn named(&mut self) -> Result<Node, Fault> {
        let word = self.peek().text.to_ascii_lowercase();
        let start = self.at;
        Ok(match word.as_str() {
            "true" | "\\true" => self.literal(Value::Bool(true)),
            "false" | "\\false" => self.literal(Value::Bool(false)),
            "null" | "\\null" => self.literal(Value::Null),
            "array" | "list" if super::is(self.ahead(1), "(") => {
                self.bump();
                Node::Array(self.elements(")")?)
            }
            "isset" => {
                self.bump();
                Node::Isset(self.expressions()?)
            }
            "empty" => {
                self.bump();
                let value = self.expressions()?.pop().ok_or_else(|| self.fault("a value"))?;
                Node::Empty(Box::new(value))
            }
            "include" => self.include(false, false)?,
            "include_once" => self.include(true, false)?,
            "require" => self.include(false, true)?,
            "require_once" => self.include(true, true)?,
            "exit" | "die" => {
                self.bump();
                if self.at("(") {
                    self.group()?;
                }
                Node::Exit
            }
            "print" | "clone" | "throw" | "yield" => {
                self.bump();
                self.operators(WHOLE)?;
                Node::Opaque(self.opaque(start, "this kind of expression is not evaluated"))
            }
            "new" => self.new_object()?,
            "match" if super::is(self.ahead(1), "(") => {
                self.bump();
                self.group()?;
                if !self.at("{") {
                    return Err(self.fault("`{`"));
                }
                self.group()?;
                Node::Opaque(self.opaque(start, "`match` is not evaluated"))
            }
            "static" | "function" | "fn" if !super::is(self.ahead(1), "::") => self.closure()?,
            _ => self.name(&word)?,
        })
    }

    fn include(&mut self, once: bool, must: bool) -> Result<Node, Fault> {
        self.bump();
        Ok(Node::Include { once, must, path: Box::new(self.operators(WHOLE)?) })
    }

    /// `new Name(…)`, `new class(…) { … }`, `new (…)`.
    fn new_object(&mut self) -> Result<Node, Fault> {
        let start = self.at;
        self.bump();
        while self.at("#[") {
            self.group()?;
        }
        self.eat_name("readonly");
        if self.eat_name("class") {
            self.declared_body()?;
        } else {
            if self.at("(") {
                self.group()?;
            } else {
                self.member()?;
            }
            if self.at("(") {
                self.group()?;
            }
        }
        Ok(Node::Opaque(self.opaque(start, "objects are not evaluated")))
    }

    /// `function (…) use (…): type { … }`, `fn (…): type => expression`. Only what it captures by
    /// reference is touched before it is called.
    pub(super) fn closure(&mut self) -> Result<Node, Fault> {
        self.eat_name("static");
        let (start, arrow) = (self.at, self.at_name("fn"));
        self.bump();
        let end = if arrow { "=>" } else { "{" };
        while !self.at(end) {
            if self.at("(") { self.group()? } else { self.head_word()? }
        }
        let mut opaque = self.opaque(start, "closures are not evaluated");
        self.declared.functions.push(String::new());
        let body = self.at;
        if arrow {
            self.bump();
            self.operators(WHOLE)?;
        } else {
            self.group()?;
        }
        self.note_body(body);
        opaque.effects.leaves = false;
        if !opaque.effects.binds {
            opaque.effects.touched.clear();
        }
        Ok(Node::Opaque(opaque))
    }

    /// A constant, a call, or a member of a class.
    fn name(&mut self, lower: &str) -> Result<Node, Fault> {
        let start = self.at;
        let class = self.bump().text;
        if self.at("(") {
            return self.call(start, lower.trim_start_matches('\\'));
        }
        if self.eat("::") {
            let member = self.peek();
            self.member()?;
            let dollar = match member.kind {
                Kind::Name if !self.at("(") => "",
                Kind::Variable if !self.at("(") => "$",
                _ => {
                    let why = "methods of classes are not evaluated";
                    return Ok(Node::Opaque(self.opaque(start, why)));
                }
            };
            let name = format!("{dollar}{}", member.text);
            return Ok(Node::ClassMember { class: class.to_owned(), name });
        }
        Ok(Node::Constant(class.trim_start_matches('\\').to_owned()))
    }
}
