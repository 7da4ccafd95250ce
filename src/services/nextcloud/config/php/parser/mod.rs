//! From tokens to statements and expressions. Code that is not evaluated is skipped, with note of
//! what it may change.

mod expression;
mod list;
mod operand;
mod skip;
mod statement;
mod word;

use super::{
    ast::{Expr, Node, Opaque, Program},
    effects::{CodeEffects, DeclaredCode},
    lexer::{self, Fault, Kind, Lexed, Token},
};

/// How deeply expressions, blocks and includes may nest, all together.
pub(super) const MAX_DEPTH: usize = 64;

/// The program that a file is; `depth` is how deep the caller already is.
pub(super) fn file(text: &str, depth: usize) -> Result<Program, Fault> {
    parse(lexer::file(text), depth, Parser::program)
}

/// The expression that a piece of code beginning on `line` is.
pub(super) fn code(text: &str, line: u32, depth: usize) -> Result<Expr, Fault> {
    parse(lexer::code(text, line), depth, Parser::lone_expression)
}

/// Of two faults the parser's is nearer to the cause: after a missing quote, code and strings have
/// changed places, and the lexer stumbles only at the end.
fn parse<'a, T>(
    lexed: Lexed<'a>,
    depth: usize,
    parse: fn(&mut Parser<'a>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut parser = Parser { tokens: lexed.tokens, at: 0, depth, declared: Default::default() };
    match (parse(&mut parser), lexed.fault) {
        (Err(fault), Some(cut)) if fault.line >= cut.line => Err(cut),
        (Err(fault), _) | (Ok(_), Some(fault)) => Err(fault),
        (Ok(parsed), None) => Ok(parsed),
    }
}

const END: Token<'static> = Token { kind: Kind::End, text: "", line: 0 };

/// A recursive-descent parser; its depth bounds the height of the trees it makes.
struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    declared: DeclaredCode,
}

impl<'a> Parser<'a> {
    /// The statements up to the end of the file.
    fn program(&mut self) -> Result<Program, Fault> {
        let mut statements = Vec::new();
        while self.peek().kind != Kind::End && !self.at_name("__halt_compiler") {
            statements.extend(self.statement()?);
        }
        Ok(Program { statements, declared: std::mem::take(&mut self.declared) })
    }

    /// One expression and nothing behind it. What is declared in it is not followed up.
    fn lone_expression(&mut self) -> Result<Expr, Fault> {
        let expr = self.expression()?;
        if self.peek().kind != Kind::End {
            return Err(self.fault("the end of this code"));
        }
        if self.declared.functions.is_empty() {
            return Ok(expr);
        }
        let why = "closures are not evaluated";
        let node = Node::Opaque(Opaque { why, effects: CodeEffects::everything() });
        Ok(Expr { line: expr.line, node })
    }

    /// The tokens from `start` up to here as code that is not evaluated.
    fn opaque(&self, start: usize, why: &'static str) -> Opaque {
        let tokens = self.tokens.get(start..self.at).unwrap_or_default();
        Opaque { why, effects: CodeEffects::of(tokens) }
    }

    fn peek(&self) -> Token<'a> {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> Token<'a> {
        self.tokens.get(self.at + by).or(self.tokens.last()).copied().unwrap_or(END)
    }

    fn bump(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn line(&self) -> u32 {
        self.peek().line
    }

    fn at(&self, symbol: &str) -> bool {
        is(self.peek(), symbol)
    }

    fn at_name(&self, name: &str) -> bool {
        is_name(self.peek(), name)
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.at(symbol);
        self.at += usize::from(found);
        found
    }

    fn eat_name(&mut self, name: &str) -> bool {
        let found = self.at_name(name);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Fault> {
        if self.eat(symbol) { Ok(()) } else { Err(self.fault(&format!("`{symbol}`"))) }
    }

    /// A fault at a bracket that is still open where it cannot be.
    fn open_bracket(&self, opening: Token<'_>, close: &str) -> Option<Fault> {
        let token = self.peek();
        let ends = token.kind == Kind::End
            || (token.kind == Kind::Symbol && matches!(token.text, ")" | "]" | "}" | ";"));
        let string = self.runaway_string().is_some();
        (ends && token.text != close && !string).then(|| unclosed(opening))
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault { line: self.line(), what: "this is nested too deeply".into() });
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Says what should stand here, and suspects a missing quote or bracket where that is likely.
    fn fault(&self, expected: &str) -> Fault {
        if let Some(string) = self.runaway_string() {
            let what = "the string that begins here runs over several lines and ends in the middle \
                        of something else: a quote is probably missing on this line";
            return Fault { line: string.line, what: what.into() };
        }
        let token = self.peek();
        let what = match token.kind {
            Kind::End => format!("the file ends where {expected} should stand"),
            _ => format!("found {} where {expected} should stand", describe(token)),
        };
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        let hint = match before {
            Some(before) if before.line < token.line => {
                " (look at the end of the line before, too)"
            }
            _ => "",
        };
        Fault { line: token.line, what: what + hint }
    }

    /// A string over several lines right before this place.
    fn runaway_string(&self) -> Option<Token<'a>> {
        let from = self.at.saturating_sub(2);
        let near = self.tokens.get(from..=self.at).unwrap_or_default();
        let quoted = |token: &&Token<'_>| matches!(token.kind, Kind::Single | Kind::Double);
        near.iter().filter(quoted).find(|token| token.text.contains('\n')).copied()
    }

    /// Skips a bracketed group of tokens, whatever is in it.
    fn group(&mut self) -> Result<(), Fault> {
        let opening = self.bump();
        let mut expected = vec![closing(opening)];
        while let Some(bracket) = expected.last().copied() {
            let token = self.bump();
            match token.text {
                _ if token.kind == Kind::End => return Err(unclosed(opening)),
                _ if token.kind != Kind::Symbol => {}
                "(" | "[" | "{" | "#[" => expected.push(closing(token)),
                ")" | "]" | "}" if token.text == bracket => drop(expected.pop()),
                ")" | "]" | "}" => return Err(unclosed(opening)),
                _ => {}
            }
        }
        Ok(())
    }
}

fn closing(opening: Token<'_>) -> &'static str {
    match opening.text {
        "(" => ")",
        "{" => "}",
        _ => "]",
    }
}

fn unclosed(opening: Token<'_>) -> Fault {
    Fault { line: opening.line, what: "the bracket that opens here is not closed".into() }
}

fn is(token: Token<'_>, symbol: &str) -> bool {
    token.kind == Kind::Symbol && token.text == symbol
}

fn is_name(token: Token<'_>, name: &str) -> bool {
    token.kind == Kind::Name && token.text.eq_ignore_ascii_case(name)
}

/// Names a token without showing text of the file.
fn describe(token: Token<'_>) -> String {
    match token.kind {
        Kind::Symbol => format!("`{}`", token.text),
        Kind::Variable => "a variable".into(),
        Kind::Name => "a word".into(),
        Kind::Number => "a number".into(),
        Kind::Cast => "a cast".into(),
        Kind::End => "the end of the file".into(),
        Kind::Single | Kind::Double | Kind::Heredoc { .. } | Kind::Nowdoc { .. } | Kind::Shell => {
            "a string".into()
        }
    }
}
