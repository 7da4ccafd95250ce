//! Statements and blocks of them.

use super::{Fault, Kind, Parser};
use crate::services::nextcloud::config::php::ast::Statement;

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
            "echo" => self.echo()?,
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

    pub(super) fn at_end(&self) -> bool {
        self.at(";") || self.peek().kind == Kind::End
    }

    /// The `;` of a statement.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        if self.eat(";") || self.peek().kind == Kind::End {
            return Ok(());
        }
        Err(self.fault("`;` or an operator"))
    }

    /// Nothing is printed.
    fn echo(&mut self) -> Result<Statement, Fault> {
        self.bump();
        self.expression()?;
        while self.eat(",") {
            self.expression()?;
        }
        self.end()?;
        Ok(Statement::Nothing)
    }

    pub(super) fn block(&mut self) -> Result<Vec<Statement>, Fault> {
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
    pub(super) fn body(&mut self, ends: &[&str]) -> Result<Vec<Statement>, Fault> {
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
}
