//! Which values hold and where they come from: what `--dump-config` prints.

use super::{SettingSource, SourcedValue};
use std::fmt::Write as _;

/// Fills up while the settings are put together.
#[derive(Debug, Default)]
pub struct SettingsReport {
    pub(crate) rows: Vec<SettingRow>,
    heading: Option<String>,
    pub(crate) warnings: Vec<String>,
}

/// A setting as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingRow {
    /// The host that begins with this row, where there are several.
    pub heading: Option<String>,
    /// Its name: that of the flag.
    pub name: &'static str,
    /// Its value, without secrets.
    pub value: String,
    /// Who said so.
    pub source: SettingSource,
}

impl SettingsReport {
    /// One that begins with these warnings.
    pub(crate) fn warning(warnings: impl IntoIterator<Item = String>) -> Self {
        Self { warnings: warnings.into_iter().collect(), ..Self::default() }
    }

    /// One with these rows and warnings.
    pub(crate) fn of(rows: Vec<SettingRow>, warnings: Vec<String>) -> Self {
        Self { rows, heading: None, warnings }
    }

    /// Notes a value as `show` shows it, and hands it on without its source.
    pub fn keep<T>(
        &mut self,
        name: &'static str,
        sourced: SourcedValue<T>,
        show: impl FnOnce(&T) -> String,
    ) -> T {
        let value = show(&sourced.value);
        let heading = self.heading.take();
        self.rows.push(SettingRow { heading, name, value, source: sourced.source });
        sourced.value
    }

    /// The same for what may be absent.
    pub fn keep_some<T>(
        &mut self,
        name: &'static str,
        sourced: Option<SourcedValue<T>>,
        absent: &str,
        show: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match sourced {
            Some(sourced) => Some(self.keep(name, sourced, show)),
            None => self.keep(name, SourcedValue::default(None), |_| absent.to_owned()),
        }
    }

    /// What follows is said of this host, or of the daemon again.
    pub(crate) fn begin(&mut self, heading: impl Into<String>) {
        self.heading = Some(heading.into());
    }

    /// Something that an operator should hear and that stops nothing.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// One line for each setting: name, value, source; then the warnings.
    pub(crate) fn text(&self) -> String {
        let width =
            |of: fn(&SettingRow) -> usize| self.rows.iter().map(of).max().unwrap_or_default();
        let (names, values) = (width(|row| row.name.len()), width(|row| row.value.chars().count()));
        let values = values.min(MAX_COLUMN);
        let mut text = String::new();
        for SettingRow { heading, name, value, source } in &self.rows {
            if let Some(heading) = heading {
                let _ = writeln!(text, "[{heading}]");
            }
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
pub(crate) fn listed<T: ToString>(values: &[T], none: &str) -> String {
    if values.is_empty() {
        return none.to_owned();
    }
    values.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}
