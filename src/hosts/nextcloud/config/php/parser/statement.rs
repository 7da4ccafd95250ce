//! Statements; declarations of functions and classes are skipped.

use super::{Fault, Kind, Parser, is_name};
use crate::hosts::nextcloud::config::php::ast::{Branch, Expr, Statement};

impl Parser<'_> {
    pub(super) fn statement(&mut self) -> Result<Statement, Fault> {
        self.deeper(|parser| parser.any_statement())
    }

    fn any_statement(&mut self) -> Result<Statement, Fault> {
        if self.eat(";") {
            return Ok(Statement::Nothing);
        }
        if self.at("{") {
            return self.block().map(Statement::Block);
        }
        while self.at("#[") {
            self.group()?;
        }
        let token = self.peek();
        if token.kind == Kind::Name && !super::is(self.ahead(1), "::") {
            let word = token.text.to_ascii_lowercase();
            if let Some(statement) = self.keyword(&word)? {
                return Ok(statement);
            }
        }
        let expr = self.expression()?;
        self.end()?;
        Ok(Statement::Expression(expr))
    }

    fn keyword(&mut self, word: &str) -> Result<Option<Statement>, Fault> {
        let statement = match word {
            "if" => self.conditional()?,
            "foreach" => self.foreach()?,
            "switch" => self.switch()?,
            "while" => {
                self.bump();
                self.loop_body("endwhile")?
            }
            "for" => {
                self.bump();
                self.loop_body("endfor")?
            }
            "do" => self.do_while()?,
            "try" => self.attempt()?,
            "return" => {
                self.bump();
                let value = if self.at_end() { None } else { Some(self.expression()?) };
                self.end()?;
                Statement::Return(value)
            }
            "break" | "continue" => self.jump()?,
            "echo" => {
                self.bump();
                self.list(";")?;
                Statement::Nothing
            }
            "unset" => {
                self.bump();
                let targets = self.expressions()?;
                self.end()?;
                Statement::Unset(targets)
            }
            "const" => self.constant()?,
            "namespace" if !super::is(self.ahead(1), "\\") => self.namespace()?,
            "declare" => self.declare()?,
            "use" | "global" | "goto" => self.skip_to_end()?,
            "static" if self.ahead(1).kind == Kind::Variable => self.skip_to_end()?,
            "function" if self.declares_function() => self.declaration()?,
            "abstract" | "final" | "readonly" | "class" | "interface" | "trait" | "enum"
                if self.ahead(1).kind == Kind::Name =>
            {
                self.declaration()?
            }
            _ if super::is(self.ahead(1), ":") => {
                self.at += 2;
                Statement::Nothing
            }
            _ => return Ok(None),
        };
        Ok(Some(statement))
    }

    fn at_end(&self) -> bool {
        self.at(";") || self.peek().kind == Kind::End
    }

    /// The `;` of a statement.
    fn end(&mut self) -> Result<(), Fault> {
        if self.eat(";") || self.peek().kind == Kind::End {
            return Ok(());
        }
        Err(self.fault("`;` or an operator"))
    }

    fn list(&mut self, close: &str) -> Result<Vec<Expr>, Fault> {
        let mut list = Vec::new();
        while !self.at(close) && !self.at_end() {
            list.push(self.expression()?);
            if !self.eat(",") {
                break;
            }
        }
        self.end()?;
        Ok(list)
    }

    fn block(&mut self) -> Result<Vec<Statement>, Fault> {
        let opening = self.bump();
        let mut statements = Vec::new();
        while !self.eat("}") {
            if self.peek().kind == Kind::End {
                return Err(super::unclosed(opening));
            }
            statements.push(self.statement()?);
        }
        Ok(statements)
    }

    /// A block, one statement, or the other syntax: `: … endif;`.
    fn body(&mut self, ends: &[&str]) -> Result<Vec<Statement>, Fault> {
        if self.at("{") {
            return self.block();
        }
        if !self.eat(":") {
            return Ok(vec![self.statement()?]);
        }
        let mut statements = Vec::new();
        while !ends.iter().any(|end| self.at_name(end)) {
            if self.peek().kind == Kind::End {
                return Err(self.fault(&format!("`{}`", ends.first().copied().unwrap_or_default())));
            }
            statements.push(self.statement()?);
        }
        if self.eat_name(ends.first().copied().unwrap_or_default()) {
            self.end()?;
        }
        Ok(statements)
    }

    fn condition(&mut self) -> Result<Expr, Fault> {
        self.expect("(")?;
        let condition = self.expression()?;
        self.expect(")")?;
        Ok(condition)
    }

    fn conditional(&mut self) -> Result<Statement, Fault> {
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

    fn foreach(&mut self) -> Result<Statement, Fault> {
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

    fn switch(&mut self) -> Result<Statement, Fault> {
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

    fn loop_body(&mut self, end: &str) -> Result<Statement, Fault> {
        let line = self.line();
        if !self.at("(") {
            return Err(self.fault("`(`"));
        }
        self.group()?;
        Ok(Statement::Loop { line, body: self.body(&[end])? })
    }

    fn do_while(&mut self) -> Result<Statement, Fault> {
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
    fn attempt(&mut self) -> Result<Statement, Fault> {
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

    fn jump(&mut self) -> Result<Statement, Fault> {
        let leaves = self.bump().text.eq_ignore_ascii_case("break");
        let count = if self.peek().kind == Kind::Number { self.bump().text } else { "1" };
        let count = count.parse().unwrap_or(1);
        self.end()?;
        Ok(if leaves { Statement::Break(count) } else { Statement::Continue(count) })
    }

    /// `const A = 1;`: the first of them; configuration has no more.
    fn constant(&mut self) -> Result<Statement, Fault> {
        self.bump();
        let mut constants = Vec::new();
        loop {
            let name = self.bump();
            self.expect("=")?;
            constants.push(Statement::Const(name.text.to_owned(), self.expression()?));
            if !self.eat(",") {
                break;
            }
        }
        self.end()?;
        Ok(Statement::Block(constants))
    }

    fn namespace(&mut self) -> Result<Statement, Fault> {
        self.bump();
        if self.peek().kind == Kind::Name {
            self.bump();
        }
        if self.at("{") {
            return self.block().map(Statement::Block);
        }
        self.end()?;
        Ok(Statement::Nothing)
    }

    fn declare(&mut self) -> Result<Statement, Fault> {
        self.bump();
        self.group()?;
        if self.at("{") {
            return self.block().map(Statement::Block);
        }
        self.end()?;
        Ok(Statement::Nothing)
    }

    fn skip_to_end(&mut self) -> Result<Statement, Fault> {
        while !self.at_end() {
            if self.at("{") { self.group()? } else { self.word()? }
        }
        self.end()?;
        Ok(Statement::Nothing)
    }

    fn declares_function(&self) -> bool {
        let skipped = usize::from(super::is(self.ahead(1), "&"));
        self.ahead(1 + skipped).kind == Kind::Name
    }

    /// Skips a function or class up to the end of its body.
    fn declaration(&mut self) -> Result<Statement, Fault> {
        while !self.at("{") {
            if self.at("(") { self.group()? } else { self.word()? }
        }
        self.group()?;
        Ok(Statement::Nothing)
    }
}
