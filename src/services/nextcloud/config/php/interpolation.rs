//! Strings with code in them: `"$host:$port"`, `"{$x['y']}"`, heredocs.

use super::{
    array::Key,
    ast::{Expr, Node, Opaque},
    effects::CodeEffects,
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
        if named {
            return Ok(Expr { line, node: Node::Variable(code.to_owned()) });
        }
        let why = "variable variables are not evaluated";
        let node = Node::Opaque(Opaque { why, effects: CodeEffects::everything() });
        Ok(Expr { line, node })
    }

    /// `$name`, `$name[key]`, `$name->property`.
    fn simple(&mut self) -> Result<Expr, Fault> {
        let line = self.line;
        let length = self.name(1);
        let name = self.skip(length + 1).trim_start_matches('$');
        let base = Expr { line, node: Node::Variable(name.to_owned()) };
        if self.rest.starts_with('[') {
            let key = self.simple_key()?;
            return Ok(Expr { line, node: Node::Index(Box::new(base), vec![Some(key)]) });
        }
        let arrow = ["->", "?->"].into_iter().find(|arrow| self.rest.starts_with(arrow));
        let member = arrow.map_or(0, |arrow| self.name(arrow.len()));
        if let Some(arrow) = arrow.filter(|_| member > 0) {
            self.skip(arrow.len() + member);
            let why = "objects are not evaluated";
            let node = Node::Opaque(Opaque { why, effects: CodeEffects::default() });
            return Ok(Expr { line, node });
        }
        Ok(base)
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
