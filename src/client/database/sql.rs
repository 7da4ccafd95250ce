//! SQL text written once for all three engines: table prefix, placeholders, lists of bounded lengths.

use std::{fmt::Write as _, sync::Arc};

/// Longest list in one query; longer ones are asked in pieces.
pub const MAX_LIST: usize = 300;

/// Lengths a list is padded to, so that each connection keeps few prepared statements.
const LENGTHS: [usize; 4] = [1, 8, 64, MAX_LIST];

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlValue<'a> {
    /// A 64-bit integer.
    Int(i64),
    /// A text.
    Text(&'a str),
}

/// One `SELECT`, ready for the engine it was made for.
#[derive(Debug, Clone)]
pub struct SqlStatement(StatementText);

#[derive(Debug, Clone)]
enum StatementText {
    Plain(Arc<str>),
    /// One text for each of [`LENGTHS`].
    List([Arc<str>; LENGTHS.len()]),
}

/// How an engine writes its placeholders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlaceholderStyle {
    /// `?`
    Question,
    /// `$1`, `$2`, …
    Dollar,
}

impl SqlStatement {
    /// `template` is SQL with `{p}` before each table name, `?` for each value, and at most one
    /// `{list}` inside `IN ({list})`. String literals in it must not contain any of the three.
    pub(super) fn new(template: &str, prefix: &str, style: PlaceholderStyle) -> Self {
        let text = template.replace("{p}", prefix);
        if !text.contains("{list}") {
            return Self(StatementText::Plain(number(&text, style)));
        }
        let of = |length: usize| {
            let marks = vec!["?"; length].join(",");
            number(&text.replace("{list}", &marks), style)
        };
        Self(StatementText::List(LENGTHS.map(of)))
    }

    /// The text for a list of `length` values (at most [`MAX_LIST`]) and how many it must be padded to.
    pub(super) fn text(&self, length: usize) -> (&Arc<str>, usize) {
        match &self.0 {
            StatementText::Plain(text) => (text, length),
            StatementText::List(texts) => {
                let fits = LENGTHS.iter().position(|&padded| length <= padded);
                let index = fits.unwrap_or(LENGTHS.len() - 1);
                (&texts[index], LENGTHS[index])
            }
        }
    }
}

fn number(text: &str, style: PlaceholderStyle) -> Arc<str> {
    if style == PlaceholderStyle::Question {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (index, part) in text.split('?').enumerate() {
        if index > 0 {
            // Writing to a String can't fail.
            let _ = write!(out, "${index}");
        }
        out.push_str(part);
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::{MAX_LIST, PlaceholderStyle, SqlStatement};

    #[test]
    fn prefix_and_placeholders_are_the_engines_own() {
        let sql = "SELECT a FROM {p}t JOIN {p}u WHERE b = ? AND c = ?";
        let dollar = SqlStatement::new(sql, "oc_", PlaceholderStyle::Dollar);
        assert_eq!(&**dollar.text(2).0, "SELECT a FROM oc_t JOIN oc_u WHERE b = $1 AND c = $2");
        let question = SqlStatement::new(sql, "", PlaceholderStyle::Question);
        assert_eq!(&**question.text(2).0, "SELECT a FROM t JOIN u WHERE b = ? AND c = ?");
    }

    #[test]
    fn lists_are_padded_to_a_few_lengths() {
        let sql = SqlStatement::new("a IN ({list})", "", PlaceholderStyle::Dollar);
        assert_eq!(sql.text(2).1, 8);
        assert_eq!(&**sql.text(8).0, "a IN ($1,$2,$3,$4,$5,$6,$7,$8)");
        assert_eq!((sql.text(1).1, sql.text(9).1, sql.text(65).1), (1, 64, MAX_LIST));
    }
}
