//! Statements and blocks of them.

use super::{Fault, Kind, Parser};
use crate::services::nextcloud::config::php::{
    ast::{Branch, Expr, Opaque, Statement},
    effects::CodeEffects,
};

impl Parser<'_> {
    /// The next statement; none for one that does nothing by itself.
    pub(super) fn statement(&mut self) -> Result<Option<Statement>, Fault> {
        self.deeper(Self::any_statement)
    }

    fn any_statement(&mut self) -> Result<Option<Statement>, Fault> {
        if self.eat(";") {
            return Ok(None);
        }
        if self.at("{") {
            return self.block().map(Statement::Block).map(Some);
        }
        while self.at("#[") {
            self.group()?;
        }
        let token = self.peek();
        if self.eat("<?") {
            let why = "whether PHP takes this for code depends on its short_open_tag";
            let opaque = Opaque { why, effects: CodeEffects::everything() };
            return Ok(Some(Statement::Opaque(token.line, opaque)));
        }
        if token.kind == Kind::Name && !super::is(self.ahead(1), "::") {
            let word = token.text.to_ascii_lowercase();
            if let Some(statement) = self.skipped(&word)? {
                return Ok(Some(statement));
            }
            if let Some(statement) = self.keyword(&word)? {
                return Ok(statement);
            }
        }
        let expr = self.expression()?;
        self.end()?;
        Ok(Some(Statement::Expression(expr)))
    }

    /// None: no statement begins with this word. None in it: one that does nothing.
    fn keyword(&mut self, word: &str) -> Result<Option<Option<Statement>>, Fault> {
        let next = self.ahead(1);
        let statement = match word {
            "if" => self.conditional()?,
            "return" => {
                self.bump();
                let value = if self.at_end() { None } else { Some(self.expression()?) };
                self.end()?;
                Statement::Return(value)
            }
            "echo" => self.echo()?,
            "unset" => {
                self.bump();
                let targets = self.expressions()?;
                self.end()?;
                Statement::Unset(targets)
            }
            "const" => self.constants()?,
            "declare" => {
                self.skip_to_end()?;
                return Ok(Some(None));
            }
            "function" if next.kind == Kind::Name || super::is(next, "&") => {
                self.declaration()?;
                return Ok(Some(None));
            }
            "abstract" | "final" | "readonly" | "class" | "interface" | "trait" | "enum"
                if next.kind == Kind::Name =>
            {
                self.declaration()?;
                return Ok(Some(None));
            }
            // A label: only `goto` makes use of it.
            _ if super::is(next, ":") => {
                self.at += 2;
                return Ok(Some(None));
            }
            _ => return Ok(None),
        };
        Ok(Some(Some(statement)))
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

    /// Nothing is printed; the values are evaluated for what they change.
    fn echo(&mut self) -> Result<Statement, Fault> {
        self.bump();
        let mut values = vec![Statement::Expression(self.expression()?)];
        while self.eat(",") {
            values.push(Statement::Expression(self.expression()?));
        }
        self.end()?;
        Ok(Statement::Block(values))
    }

    /// `const A = 1, B = 2;`
    fn constants(&mut self) -> Result<Statement, Fault> {
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

    fn block(&mut self) -> Result<Vec<Statement>, Fault> {
        let opening = self.bump();
        let mut statements = Vec::new();
        while !self.eat("}") {
            if self.peek().kind == Kind::End {
                return Err(super::unclosed(opening));
            }
            statements.extend(self.statement()?);
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
        self.bump();
        let mut branches = Vec::new();
        let condition = Some(self.condition()?);
        branches.push(Branch { condition, body: self.branch()? });
        loop {
            let two_words = self.at_name("else") && super::is_name(self.ahead(1), "if");
            if two_words || self.at_name("elseif") {
                self.at += if two_words { 2 } else { 1 };
                let condition = Some(self.condition()?);
                branches.push(Branch { condition, body: self.branch()? });
            } else if self.eat_name("else") {
                branches.push(Branch { condition: None, body: self.branch()? });
                return Ok(Statement::If(branches));
            } else {
                return Ok(Statement::If(branches));
            }
        }
    }

    /// A block, one statement, or the other syntax: `: … endif;`.
    fn branch(&mut self) -> Result<Vec<Statement>, Fault> {
        if self.at("{") {
            return self.block();
        }
        if !self.eat(":") {
            return Ok(self.statement()?.into_iter().collect());
        }
        let mut statements = Vec::new();
        while !["endif", "elseif", "else"].iter().any(|end| self.at_name(end)) {
            if self.peek().kind == Kind::End {
                return Err(self.fault("`endif`"));
            }
            statements.extend(self.statement()?);
        }
        if self.eat_name("endif") {
            self.end()?;
        }
        Ok(statements)
    }
}
