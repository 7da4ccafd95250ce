//! `if`, `foreach`, `switch`, loops, `try`.

use super::{Fault, Kind, Parser, is_name};
use crate::services::nextcloud::config::php::ast::{Branch, Expr, Statement};

impl Parser<'_> {
    fn condition(&mut self) -> Result<Expr, Fault> {
        self.expect("(")?;
        let condition = self.expression()?;
        self.expect(")")?;
        Ok(condition)
    }

    pub(super) fn conditional(&mut self) -> Result<Statement, Fault> {
        const ENDS: &[&str] = &["endif", "elseif", "else"];
        self.bump();
        let mut branches = Vec::new();
        let condition = Some(self.condition()?);
        branches.push(Branch { condition, body: self.body(ENDS)? });
        loop {
            let two_words = self.at_name("else") && is_name(self.ahead(1), "if");
            if two_words || self.at_name("elseif") {
                self.at += if two_words { 2 } else { 1 };
                let condition = Some(self.condition()?);
                branches.push(Branch { condition, body: self.body(ENDS)? });
            } else if self.eat_name("else") {
                branches.push(Branch { condition: None, body: self.body(ENDS)? });
            } else {
                return Ok(Statement::If(branches));
            }
        }
    }

    pub(super) fn foreach(&mut self) -> Result<Statement, Fault> {
        let line = self.bump().line;
        self.expect("(")?;
        let subject = self.expression()?;
        if !self.eat_name("as") {
            return Err(self.fault("`as`"));
        }
        let first = self.expression()?;
        let second = if self.eat("=>") { Some(self.expression()?) } else { None };
        self.expect(")")?;
        let (key, value) = match second {
            Some(value) => (Some(first), value),
            None => (None, first),
        };
        Ok(Statement::Foreach { line, subject, key, value, body: self.body(&["endforeach"])? })
    }

    pub(super) fn switch(&mut self) -> Result<Statement, Fault> {
        self.bump();
        let subject = self.condition()?;
        let close = if self.eat("{") { "}" } else { "" };
        if close.is_empty() {
            self.expect(":")?;
        }
        let mut cases = Vec::new();
        while !self.eat("}") && !self.eat_name("endswitch") {
            let condition = if self.eat_name("default") {
                None
            } else if self.eat_name("case") {
                Some(self.expression()?)
            } else if self.eat(";") {
                continue;
            } else {
                return Err(self.fault("`case`, `default` or the end of `switch`"));
            };
            if !self.eat(":") {
                self.expect(";")?;
            }
            cases.push(Branch { condition, body: self.case()? });
        }
        Ok(Statement::Switch { subject, cases })
    }

    fn case(&mut self) -> Result<Vec<Statement>, Fault> {
        let mut body = Vec::new();
        while !["case", "default", "endswitch"].iter().any(|word| self.at_name(word))
            && !self.at("}")
            && self.peek().kind != Kind::End
        {
            body.push(self.statement()?);
        }
        Ok(body)
    }

    pub(super) fn loop_body(&mut self, end: &str) -> Result<Statement, Fault> {
        let line = self.line();
        if !self.at("(") {
            return Err(self.fault("`(`"));
        }
        self.group()?;
        Ok(Statement::Loop { line, body: self.body(&[end])? })
    }

    pub(super) fn do_while(&mut self) -> Result<Statement, Fault> {
        let line = self.bump().line;
        let body = self.body(&[])?;
        if !self.eat_name("while") {
            return Err(self.fault("`while`"));
        }
        self.condition()?;
        self.end()?;
        Ok(Statement::Loop { line, body })
    }

    /// `try`: the body and `finally` run; `catch` does not, since nothing is thrown here.
    pub(super) fn attempt(&mut self) -> Result<Statement, Fault> {
        self.bump();
        let mut parts = self.braces()?;
        loop {
            if self.eat_name("catch") {
                self.group()?;
                self.braces()?;
            } else if self.eat_name("finally") {
                parts.append(&mut self.braces()?);
            } else {
                return Ok(Statement::Block(parts));
            }
        }
    }

    fn braces(&mut self) -> Result<Vec<Statement>, Fault> {
        if self.at("{") { self.block() } else { Err(self.fault("`{`")) }
    }

    pub(super) fn jump(&mut self) -> Result<Statement, Fault> {
        let leaves = self.bump().text.eq_ignore_ascii_case("break");
        let count = if self.peek().kind == Kind::Number { self.bump().text } else { "1" };
        let count = count.parse().unwrap_or(1);
        self.end()?;
        Ok(if leaves { Statement::Break(count) } else { Statement::Continue(count) })
    }
}
