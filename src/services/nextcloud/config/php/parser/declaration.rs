//! Declarations: constants are kept, functions and classes skipped.

use super::{Fault, Kind, Parser};
use crate::services::nextcloud::config::php::ast::Statement;

impl Parser<'_> {
    /// `const A = 1, B = 2;`
    pub(super) fn constant(&mut self) -> Result<Statement, Fault> {
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

    pub(super) fn namespace(&mut self) -> Result<Statement, Fault> {
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

    pub(super) fn declare(&mut self) -> Result<Statement, Fault> {
        self.bump();
        self.group()?;
        if self.at("{") {
            return self.block().map(Statement::Block);
        }
        self.end()?;
        Ok(Statement::Nothing)
    }

    pub(super) fn skip_to_end(&mut self) -> Result<Statement, Fault> {
        while !self.at_end() {
            if self.at("{") { self.group()? } else { self.word()? }
        }
        self.end()?;
        Ok(Statement::Nothing)
    }

    pub(super) fn declares_function(&self) -> bool {
        let skipped = usize::from(super::is(self.ahead(1), "&"));
        self.ahead(1 + skipped).kind == Kind::Name
    }

    /// Skips a function or class up to the end of its body.
    pub(super) fn declaration(&mut self) -> Result<Statement, Fault> {
        while !self.at("{") {
            if self.at("(") { self.group()? } else { self.word()? }
        }
        self.group()?;
        Ok(Statement::Nothing)
    }

    /// Any one token of a declaration's head.
    pub(super) fn word(&mut self) -> Result<(), Fault> {
        if self.at(";") || self.peek().kind == Kind::End {
            return Err(self.fault("`{`"));
        }
        self.bump();
        Ok(())
    }
}
