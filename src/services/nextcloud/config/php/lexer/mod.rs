//! Cuts PHP source into tokens (<https://www.php.net/manual/en/tokens.php>), only as finely as the
//! parser needs.

mod scan;
mod strings;

pub(super) use scan::name_length;
use scan::{cast, number_length, qualified_length};
pub(super) use strings::code_end;

/// What is wrong with a file and on which line; never any of its text.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: u32,
    pub(super) what: String,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `$name`; the text is the name alone.
    Variable,
    /// An identifier or keyword, with namespace: `\OC\Memcache`.
    Name,
    /// An integer or float as written.
    Number,
    /// A single-quoted string with its quotes.
    Single,
    /// The inside of a double-quoted string.
    Double,
    /// The lines of a heredoc, and the indentation to take away.
    Heredoc { indent: usize },
    /// The lines of a nowdoc, and the indentation to take away.
    Nowdoc { indent: usize },
    /// The inside of a backtick string.
    Shell,
    /// `(int)`; the text is the type alone.
    Cast,
    /// An operator or punctuation mark.
    Symbol,
    /// The end of the source.
    End,
}

/// One token of the source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) line: u32,
}

/// Tokens up to the end of the source, or up to where it cannot be cut any further.
#[derive(Debug)]
pub(super) struct Lexed<'a> {
    pub(super) tokens: Vec<Token<'a>>,
    pub(super) fault: Option<Fault>,
}

/// The tokens of a whole file, which begins outside of `<?php`.
pub(super) fn file(text: &str) -> Lexed<'_> {
    let mut lexer = Lexer { text: text.trim_start_matches('\u{feff}'), at: 0, line: 1 };
    let mut tokens = Vec::new();
    lexer.outside(&mut tokens);
    lexer.run(tokens)
}

/// The tokens of a piece of code that begins on `line`.
pub(super) fn code(text: &str, line: u32) -> Lexed<'_> {
    Lexer { text, at: 0, line }.run(Vec::new())
}

/// The operators, longest first.
const SYMBOLS: &[&str] = &[
    "===", "!==", "<=>", "**=", "...", "<<=", ">>=", "??=", "?->", "==", "!=", "<>", "<=", ">=",
    "=>", "->", "::", "&&", "||", "??", "++", "--", "+=", "-=", "*=", "/=", ".=", "%=", "&=", "|=",
    "^=", "<<", ">>", "**", "|>", "#[", ";", ",", "(", ")", "{", "}", "[", "]", "<", ">", "=", "+",
    "-", "*", "/", ".", "%", "&", "|", "^", "~", "!", "?", ":", "@", "$", "\\",
];

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: u32,
}

impl<'a> Lexer<'a> {
    fn run(mut self, mut tokens: Vec<Token<'a>>) -> Lexed<'a> {
        let fault = self.cut(&mut tokens).err();
        tokens.push(Token { kind: Kind::End, text: "", line: self.line });
        Lexed { tokens, fault }
    }

    fn cut(&mut self, tokens: &mut Vec<Token<'a>>) -> Result<(), Fault> {
        loop {
            self.space()?;
            if self.rest().starts_with("?>") {
                self.skip(2);
                self.outside(tokens);
            } else if self.rest().is_empty() {
                return Ok(());
            } else {
                tokens.push(self.token()?);
            }
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault(&self, what: &str) -> Fault {
        Fault { line: self.line, what: what.to_owned() }
    }

    /// Moves on by `length` bytes and makes a token of the part of them that is `inner`.
    fn take(&mut self, kind: Kind, length: usize, inner: std::ops::Range<usize>) -> Token<'a> {
        let rest = self.rest();
        let token = Token { kind, text: rest.get(inner).unwrap_or_default(), line: self.line };
        self.skip(length);
        token
    }

    fn skip(&mut self, length: usize) {
        let skipped = self.rest().as_bytes().get(..length).unwrap_or_default();
        let lines = skipped.iter().filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.at += length;
    }

    /// Skips text outside of PHP; a closing tag counts as `;`, as in PHP.
    fn outside(&mut self, tokens: &mut Vec<Token<'a>>) {
        tokens.push(Token { kind: Kind::Symbol, text: ";", line: self.line });
        let rest = self.rest();
        let opening = rest.match_indices("<?").find_map(|(at, _)| {
            let tag = rest.get(at + 2..)?;
            let echo = tag.starts_with('=');
            let word = tag.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("php"));
            let ends = tag.get(3..).is_some_and(|after| {
                after.is_empty() || after.starts_with([' ', '\t', '\r', '\n'])
            });
            (echo || (word && ends)).then_some((at, echo))
        });
        // Whether PHP takes this for a tag depends on its settings.
        let text = opening.map_or(Some(rest), |(at, _)| rest.get(..at)).unwrap_or_default();
        if text.contains("<?") {
            tokens.push(Token { kind: Kind::Symbol, text: "<?", line: self.line });
        }
        match opening {
            None => self.skip(rest.len()),
            Some((at, true)) => {
                self.skip(at + 3);
                tokens.push(Token { kind: Kind::Name, text: "echo", line: self.line });
            }
            Some((at, false)) => self.skip(at + 5),
        }
    }

    /// Skips white space and comments.
    fn space(&mut self) -> Result<(), Fault> {
        loop {
            let rest = self.rest();
            let blank =
                rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', '\x0b', '\x0c']).len();
            if blank > 0 {
                self.skip(blank);
            } else if rest.starts_with("//") || (rest.starts_with('#') && !rest.starts_with("#[")) {
                let end = rest.find('\n').unwrap_or(rest.len());
                let comment = rest.get(..end).unwrap_or(rest);
                self.skip(comment.find("?>").unwrap_or(end));
            } else if rest.starts_with("/*") {
                let inner = rest.get(2..).unwrap_or_default();
                let end =
                    inner.find("*/").ok_or_else(|| self.fault("this comment is never closed"))?;
                self.skip(end + 4);
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<Token<'a>, Fault> {
        let rest = self.rest();
        let first = rest.chars().next().unwrap_or_default();
        let second = rest.as_bytes().get(1).copied().unwrap_or_default();
        match first {
            '\'' | '"' | '`' => self.string(first),
            'b' | 'B' if matches!(second, b'\'' | b'"') => {
                self.skip(1);
                self.string(char::from(second))
            }
            '<' if rest.starts_with("<<<") => match strings::heredoc(rest) {
                Some(doc) => {
                    let (kind, body, length) = doc.map_err(|what| self.fault(what))?;
                    Ok(self.take(kind, length, body))
                }
                None => self.symbol(),
            },
            '$' => match name_length(rest.get(1..).unwrap_or_default()) {
                0 => self.symbol(),
                length => Ok(self.take(Kind::Variable, length + 1, 1..length + 1)),
            },
            '0'..='9' => Ok(self.number()),
            '.' if second.is_ascii_digit() => Ok(self.number()),
            '(' => match cast(rest) {
                Some((length, inner)) => Ok(self.take(Kind::Cast, length, inner)),
                None => self.symbol(),
            },
            _ => match qualified_length(rest) {
                0 => self.symbol(),
                length => Ok(self.take(Kind::Name, length, 0..length)),
            },
        }
    }

    fn string(&mut self, quote: char) -> Result<Token<'a>, Fault> {
        let rest = self.rest();
        let end = strings::end(rest, quote)
            .ok_or_else(|| self.fault("the string that begins here is never closed"))?;
        Ok(match quote {
            '\'' => self.take(Kind::Single, end, 0..end),
            '"' => self.take(Kind::Double, end, 1..end - 1),
            _ => self.take(Kind::Shell, end, 1..end - 1),
        })
    }

    fn number(&mut self) -> Token<'a> {
        let length = number_length(self.rest().as_bytes());
        self.take(Kind::Number, length, 0..length)
    }

    fn symbol(&mut self) -> Result<Token<'a>, Fault> {
        let rest = self.rest();
        let symbol = SYMBOLS
            .iter()
            .find(|symbol| rest.starts_with(**symbol))
            .ok_or_else(|| self.fault("there is a character here that PHP does not know"))?;
        Ok(self.take(Kind::Symbol, symbol.len(), 0..symbol.len()))
    }
}
