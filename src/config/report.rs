//! Which values hold and where they come from: what `--dump-config` prints.

use super::{Source, Sourced};
use std::fmt::Write as _;

/// Fills up while the settings are put together.
#[derive(Debug, Default)]
pub struct Report {
    pub(super) rows: Vec<Row>,
    pub(super) warnings: Vec<String>,
}

/// A setting as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name: that of the flag.
    pub name: &'static str,
    /// Its value, without secrets.
    pub value: String,
    /// Who said so.
    pub source: Source,
}

impl Report {
    /// Notes a value as `show` shows it, and hands it on without its source.
    pub(super) fn keep<T>(
        &mut self,
        name: &'static str,
        sourced: Sourced<T>,
        show: impl FnOnce(&T) -> String,
    ) -> T {
        let value = show(&sourced.value);
        self.rows.push(Row { name, value, source: sourced.source });
        sourced.value
    }

    /// The same for what may be absent.
    pub(super) fn keep_some<T>(
        &mut self,
        name: &'static str,
        sourced: Option<Sourced<T>>,
        absent: &str,
        show: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match sourced {
            Some(sourced) => Some(self.keep(name, sourced, show)),
            None => self.keep(name, Sourced::default(None), |_| absent.to_owned()),
        }
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// One line for each setting: name, value, source; then the warnings.
    pub(super) fn text(&self) -> String {
        let width = |of: fn(&Row) -> usize| self.rows.iter().map(of).max().unwrap_or_default();
        let (names, values) = (width(|row| row.name.len()), width(|row| row.value.chars().count()));
        let values = values.min(MAX_COLUMN);
        let mut text = String::new();
        for Row { name, value, source } in &self.rows {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{name:names$}  {value:values$}  {source}");
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}");
        }
        text
    }
}

/// Longer values push their source to the right instead of all sources.
const MAX_COLUMN: usize = 60;

/// Values with commas between, or a word for none.
pub(super) fn listed<T: ToString>(values: &[T], none: &str) -> String {
    if values.is_empty() {
        return none.to_owned();
    }
    values.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}
