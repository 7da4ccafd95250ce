//! Strings with code in them: `"$host:$port"`, `"{$x['y']}"`, heredocs.

use super::{
    array::Key,
    ast::{Access, Expr, Node},
    escape::unescape,
    lexer::{self, Fault},
    parser,
    value::Value,
};

/// The expression that a string with this inside is; `quote` is what it stands between (none: a
/// heredoc), `depth` how deep the parser already is.
pub(super) fn parse(
    text: &str,
    quote: Option<char>,
    line: u32,
    depth: usize,
) -> Result<Expr, Fault> {
    let mut scanner = Scanner { rest: text, line, depth };
    let mut parts = Vec::new();
    loop {
        let plain = scanner.plain();
        if !plain.is_empty() {
            parts.push(Expr { line: scanner.line, node: Node::Literal(unescape(plain, quote)) });
        }
        scanner.skip(plain.len());
        if scanner.rest.is_empty() {
            break;
        }
        parts.push(scanner.code()?);
    }
    let literal = matches!(parts.as_slice(), [Expr { node: Node::Literal(_), .. }]);
    let node = match parts.pop() {
        None => Node::Literal(Ok(Value::from(""))),
        Some(only) if literal => only.node,
        Some(last) => {
            parts.push(last);
            Node::Interpolated(parts)
        }
    };
    Ok(Expr { line, node })
}

struct Scanner<'a> {
    rest: &'a str,
    line: u32,
    depth: usize,
}

impl<'a> Scanner<'a> {
    /// The text up to the next code.
    fn plain(&self) -> &'a str {
        let bytes = self.rest.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let next = bytes.get(at + 1).copied().unwrap_or_default();
            at += match byte {
                b'\\' => 2,
                b'{' if next == b'$' => break,
                b'$' if next == b'{' || self.name(at + 1) > 0 => break,
                _ => 1,
            };
        }
        self.rest.get(..at).unwrap_or(self.rest)
    }

    fn name(&self, at: usize) -> usize {
        lexer::name_length(self.rest.get(at..).unwrap_or_default())
    }

    fn skip(&mut self, length: usize) -> &'a str {
        let (passed, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        let lines = passed.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.rest = rest;
        passed
    }

    fn fault(&self, what: &str) -> Fault {
        Fault { line: self.line, what: what.to_owned() }
    }

    fn code(&mut self) -> Result<Expr, Fault> {
        let braced = self.rest.starts_with('{');
        if !braced && !self.rest.starts_with("${") {
            return self.simple();
        }
        let start = if braced { 1 } else { 2 };
        let end = lexer::code_end(self.rest, start)
            .ok_or_else(|| self.fault("the code in this string is never closed"))?;
        let line = self.line;
        let code = self.skip(end + 1).get(start..end).unwrap_or_default();
        if braced {
            return parser::code(code, line, self.depth);
        }
        let named = lexer::name_length(code) == code.len();
        let node = if named {
            Node::Variable(code.to_owned())
        } else {
            Node::Unsupported("variable variables are not evaluated")
        };
        Ok(Expr { line, node })
    }

    /// `$name`, `$name[key]`, `$name->property`.
    fn simple(&mut self) -> Result<Expr, Fault> {
        let line = self.line;
        let length = self.name(1);
        let name = self.skip(length + 1).trim_start_matches('$');
        let base = Expr { line, node: Node::Variable(name.to_owned()) };
        let access = if self.rest.starts_with('[') {
            Access::Index(self.simple_key()?)
        } else if self.rest.starts_with("->") && self.name(2) > 0 {
            self.skip(2 + self.name(2));
            Access::Object
        } else {
            return Ok(base);
        };
        Ok(Expr { line, node: Node::Access(Box::new(base), vec![access]) })
    }

    /// `[0]`, `[-1]`, `[word]`, `[$variable]`.
    fn simple_key(&mut self) -> Result<Expr, Fault> {
        let bad =
            "a key in this string must be a number, a bare word or a variable: write {$a['b']}";
        let end = self.rest.find(']').ok_or_else(|| self.fault(bad))?;
        let key = self.rest.get(1..end).unwrap_or_default();
        let name = key.strip_prefix('$').unwrap_or(key);
        let number = key.strip_prefix('-').unwrap_or(key);
        let word = !name.is_empty() && lexer::name_length(name) == name.len();
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if !word && !digits {
            return Err(self.fault(bad));
        }
        let node = if word && key.starts_with('$') {
            Node::Variable(name.to_owned())
        } else {
            Node::Literal(Ok(Key::from(key).into()))
        };
        let line = self.line;
        self.skip(end + 1);
        Ok(Expr { line, node })
    }
}
