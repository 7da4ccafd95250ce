//! Skips code that is not evaluated: loops, `switch`, `try`, functions and classes.

use super::{Fault, Kind, Parser};
use crate::services::nextcloud::config::php::{
    ast::{Opaque, Statement},
    effects::CodeEffects,
};

impl Parser<'_> {
    /// A statement that begins with this word, skipped as a whole; none for any other word.
    pub(super) fn skipped(&mut self, word: &str) -> Result<Option<Statement>, Fault> {
        let (start, line) = (self.at, self.line());
        let next = self.ahead(1);
        let why = match word {
            "foreach" | "for" | "while" | "switch" => {
                self.bump();
                self.group()?;
                self.skip_body(&format!("end{word}"))?;
                "loops and `switch` are not evaluated"
            }
            "do" => {
                self.bump();
                self.skip_body("")?;
                self.bump();
                self.group()?;
                self.end()?;
                "loops and `switch` are not evaluated"
            }
            "try" => {
                self.bump();
                self.group_in_braces()?;
                while self.at_name("catch") || self.at_name("finally") {
                    if self.bump().text.eq_ignore_ascii_case("catch") {
                        self.group()?;
                    }
                    self.group_in_braces()?;
                }
                "`try` is not evaluated"
            }
            "global" | "goto" | "use" | "break" | "continue" => {
                self.skip_to_end()?;
                "this kind of statement is not evaluated"
            }
            "static" if next.kind == Kind::Variable => {
                self.skip_to_end()?;
                "static variables are not evaluated"
            }
            "namespace" if !super::is(next, "\\") => {
                self.skip_to_end()?;
                "namespaces are not evaluated"
            }
            "declare" if !self.is_strict_types() => {
                self.skip_to_end()?;
                "`declare` is not evaluated"
            }
            _ => return Ok(None),
        };
        let opaque = match word {
            // What follows may mean something else, or run again.
            "namespace" | "use" | "goto" | "declare" => {
                Opaque { why, effects: CodeEffects::everything() }
            }
            _ => self.opaque(start, why),
        };
        Ok(Some(Statement::Opaque(line, opaque)))
    }

    /// `declare(strict_types=1)`, which changes no value.
    fn is_strict_types(&self) -> bool {
        super::is_name(self.ahead(2), "strict_types") && super::is(self.ahead(6), ";")
    }

    fn group_in_braces(&mut self) -> Result<(), Fault> {
        if self.at("{") { self.group() } else { Err(self.fault("`{`")) }
    }

    /// A block, one statement, or `: … endword;`.
    fn skip_body(&mut self, end: &str) -> Result<(), Fault> {
        if self.at("{") {
            return self.group();
        }
        if !self.at(":") {
            return self.statement().map(drop);
        }
        while !self.at_name(end) {
            match self.peek().kind {
                Kind::End => return Err(self.fault(&format!("`{end}`"))),
                Kind::Name if self.at_name(end.trim_start_matches("end")) => {
                    self.bump();
                    self.group()?;
                    self.skip_body(end)?;
                }
                Kind::Symbol if ["(", "[", "{", "#["].iter().any(|open| self.at(open)) => {
                    self.group()?;
                }
                _ => drop(self.bump()),
            }
        }
        self.bump();
        self.end()
    }

    pub(super) fn skip_to_end(&mut self) -> Result<(), Fault> {
        while !self.at_end() {
            if ["(", "[", "{"].iter().any(|open| self.at(open)) {
                let block = self.at("{");
                self.group()?;
                if block && !self.at(";") {
                    return Ok(());
                }
            } else {
                self.bump();
            }
        }
        self.end()
    }

    /// Skips a function or class; what its body may do is noted for when something calls it.
    pub(super) fn declaration(&mut self) -> Result<(), Fault> {
        if self.at_name("function") {
            let by_reference = usize::from(super::is(self.ahead(1), "&"));
            let name = self.ahead(1 + by_reference).text.to_ascii_lowercase();
            self.declared.functions.push(name);
        } else {
            self.declared.functions.push(String::new());
        }
        self.declared_body()
    }

    /// From here up to the end of a body in braces.
    pub(super) fn declared_body(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while !self.at("{") {
            if self.at("(") { self.group()? } else { self.head_word()? }
        }
        self.group()?;
        self.note_body(start);
        Ok(())
    }

    /// Notes what the code from `start` up to here may do once something calls it.
    pub(super) fn note_body(&mut self, start: usize) {
        let effects = self.opaque(start, "").effects;
        self.declared.effects.extend(effects);
    }

    /// Any one token of a declaration's head.
    pub(super) fn head_word(&mut self) -> Result<(), Fault> {
        if self.at(";") || self.peek().kind == Kind::End {
            return Err(self.fault("`{`"));
        }
        self.bump();
        Ok(())
    }
}
