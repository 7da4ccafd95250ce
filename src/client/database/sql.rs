//! SQL text written once for all three engines: table prefix, placeholders, lists of bounded lengths.

use std::{borrow::Cow, fmt::Write as _, sync::Arc};

/// The longest list in one query; longer ones are sent in chunks.
pub const MAX_LIST: usize = 300;

/// Lists are padded to these lengths, so that each connection keeps few prepared statements.
const LENGTHS: [usize; 4] = [1, 8, 64, MAX_LIST];

/// A value for a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlValue<'a> {
    /// A 64-bit integer.
    Int(i64),
    /// A text value.
    Text(&'a str),
}

/// One `SELECT` with the table prefix filled in.
#[derive(Debug, Clone)]
pub struct SqlStatement(StatementText);

#[derive(Debug, Clone)]
enum StatementText {
    Plain(Arc<str>),
    /// One text for each of [`LENGTHS`].
    List([Arc<str>; LENGTHS.len()]),
}

impl SqlStatement {
    /// `template` is SQL with `{p}` before each table name, `?` for each value, and at most one
    /// `{list}` inside `IN ({list})`. String literals in it must not contain any of the three.
    pub(super) fn new(template: &str, prefix: &str) -> Self {
        let text = template.replace("{p}", prefix);
        if !text.contains("{list}") {
            return Self(StatementText::Plain(text.into()));
        }
        let with = |length: usize| text.replace("{list}", &vec!["?"; length].join(",")).into();
        Self(StatementText::List(LENGTHS.map(with)))
    }

    /// The text for a list of `length` values (at most [`MAX_LIST`]) and the length to pad it to.
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

/// Why values can't be written into a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the number of values doesn't match the statement's placeholders")]
pub(super) struct PlaceholderMismatch;

/// The statement with its values written into the text, for PostgreSQL's simple query protocol.
pub(super) fn with_literals(
    sql: &str,
    values: &[SqlValue<'_>],
) -> Result<String, PlaceholderMismatch> {
    let mut parts = sql.split('?');
    let mut out = String::with_capacity(sql.len() + 16 * values.len());
    out.push_str(parts.next().unwrap_or_default());
    let mut values = values.iter();
    for part in parts {
        out.push_str(&literal(*values.next().ok_or(PlaceholderMismatch)?));
        out.push_str(part);
    }
    if values.next().is_some() { Err(PlaceholderMismatch) } else { Ok(out) }
}

/// A literal of letters, digits and a few other characters only. All other strings are written in
/// hexadecimal, so no setting of the server and no encoding of the connection gives a character of a
/// value a meaning of its own.
fn literal(value: SqlValue<'_>) -> Cow<'static, str> {
    match value {
        SqlValue::Int(number) => format!("({number})").into(),
        SqlValue::Text(text) if text.chars().all(is_plain) => format!("'{text}'").into(),
        // No column can hold NUL, so the value equals none.
        SqlValue::Text(text) if text.contains('\0') => "NULL".into(),
        SqlValue::Text(text) => {
            let mut out = "convert_from(decode('".to_owned();
            for byte in text.bytes() {
                // Writing to a String can't fail.
                let _ = write!(out, "{byte:02x}");
            }
            out.push_str("','hex'),'UTF8')");
            out.into()
        }
    }
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '@' | ' ')
}

#[cfg(test)]
mod tests {
    use super::{MAX_LIST, PlaceholderMismatch, SqlStatement, SqlValue, with_literals};
    use proptest::prelude::*;

    #[test]
    fn the_prefix_is_filled_in() {
        let sql = SqlStatement::new("SELECT a FROM {p}t JOIN {p}u WHERE b = ?", "oc_");
        assert_eq!(&**sql.text(1).0, "SELECT a FROM oc_t JOIN oc_u WHERE b = ?");
    }

    #[test]
    fn lists_are_padded_to_a_few_lengths() {
        let sql = SqlStatement::new("a IN ({list})", "");
        assert_eq!(sql.text(2).1, 8);
        assert_eq!(&**sql.text(8).0, "a IN (?,?,?,?,?,?,?,?)");
        assert_eq!((sql.text(1).1, sql.text(9).1, sql.text(65).1), (1, 64, MAX_LIST));
    }

    #[test]
    fn values_become_literals() {
        let values = [SqlValue::Int(-5), SqlValue::Text("al-ice@x"), SqlValue::Text("'\\é")];
        let sql = with_literals("a = ? AND b = ? AND c = ?", &values);
        let expected =
            "a = (-5) AND b = 'al-ice@x' AND c = convert_from(decode('275cc3a9','hex'),'UTF8')";
        assert_eq!(sql.as_deref(), Ok(expected));
        assert_eq!(with_literals("?", &[SqlValue::Text("a\0b")]).as_deref(), Ok("NULL"));
        assert_eq!(with_literals("a = ?", &[]), Err(PlaceholderMismatch));
        assert_eq!(with_literals("a", &values), Err(PlaceholderMismatch));
    }

    proptest! {
        #[test]
        fn no_character_of_a_value_can_end_its_literal(text in any::<String>()) {
            let sql = with_literals("?", &[SqlValue::Text(&text)]).unwrap();
            let harmless = |c: char| c.is_ascii_alphanumeric() || "-_.@ (),'".contains(c);
            prop_assert!(sql.chars().all(harmless), "{sql}");
            prop_assert!(matches!(sql.matches('\'').count(), 0 | 2 | 6), "{sql}");
        }
    }
}
