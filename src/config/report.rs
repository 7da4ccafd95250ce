//! The values in force and where they come from: the rows of `--dump-config`.

use super::{
    ConfigError, ServiceName, SettingLayers, SettingSource, SourcedValue,
    setting::{Setting, SettingDefault},
};
use std::{any::Any, fmt, fmt::Write as _, sync::Arc};

/// Collects a row for each setting while the settings are read.
#[derive(Debug, Default)]
pub struct SettingsReport {
    pub(crate) rows: Vec<SettingRow>,
    service: Option<ServiceName>,
    section_start: usize,
    pub(crate) warnings: Vec<String>,
}

/// A setting as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingRow {
    /// The service it belongs to, where there are several.
    pub service: Option<ServiceName>,
    /// Its name: that of the flag.
    pub name: &'static str,
    /// Its value, without secrets.
    pub value: String,
    /// Where the value was given.
    pub source: SettingSource,
    /// Its declaration; none for a value that only the service's own file has.
    pub(crate) setting: Option<Setting>,
    /// Whether there is a value.
    pub(crate) is_set: bool,
    /// The value itself, for comparison only.
    pub(crate) exact: ExactValue,
}

/// A value of any type that can be compared and never be shown: it may be a secret.
#[derive(Clone)]
pub(crate) struct ExactValue(Arc<dyn ComparableValue>);

trait ComparableValue: Any + Send + Sync {
    fn equals(&self, other: &dyn Any) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<T: PartialEq + Send + Sync + 'static> ComparableValue for T {
    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl PartialEq for ExactValue {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals((*other.0).as_any())
    }
}

impl Eq for ExactValue {}

impl fmt::Debug for ExactValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a report can hold: a value that can be compared with the one of the next reload.
pub trait ReportedValue: Clone + PartialEq + Send + Sync + 'static {}

impl<T: Clone + PartialEq + Send + Sync + 'static> ReportedValue for T {}

impl SettingsReport {
    /// An empty report that begins with these warnings.
    pub(crate) fn with_warnings(warnings: Vec<String>) -> Self {
        Self { warnings, ..Self::default() }
    }

    /// Adds a row with the value as `show` renders it, and returns the value without its source.
    pub fn keep<T: ReportedValue>(
        &mut self,
        name: &'static str,
        sourced: SourcedValue<T>,
        show: impl FnOnce(&T) -> String,
    ) -> T {
        let value = show(&sourced.value);
        self.push(name, value, sourced.source, true, Arc::new(Some(sourced.value.clone())));
        sourced.value
    }

    /// The same for a value that may be absent.
    pub fn keep_some<T: ReportedValue>(
        &mut self,
        name: &'static str,
        sourced: Option<SourcedValue<T>>,
        absent: &str,
        show: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match sourced {
            Some(sourced) => Some(self.keep(name, sourced, show)),
            None => {
                let none: Arc<dyn ComparableValue> = Arc::new(None::<T>);
                self.push(name, absent.to_owned(), SettingSource::Default, false, none);
                None
            }
        }
    }

    fn push(
        &mut self,
        name: &'static str,
        value: String,
        source: SettingSource,
        is_set: bool,
        exact: Arc<dyn ComparableValue>,
    ) {
        let (service, exact) = (self.service.clone(), ExactValue(exact));
        self.rows.push(SettingRow { service, name, value, source, setting: None, is_set, exact });
    }

    /// Starts the section of a service, or of the daemon.
    pub(crate) fn begin(&mut self, service: Option<ServiceName>) {
        self.service = service;
        self.section_start = self.rows.len();
    }

    /// Puts the section's rows into the order of the table, and adds a row for each setting that was
    /// not read: as it was given, else its default.
    ///
    /// # Errors
    /// [`ConfigError`], as [`SettingLayers::texts`].
    pub(crate) fn complete(
        &mut self,
        settings: impl IntoIterator<Item = Setting>,
        layers: &SettingLayers<'_>,
    ) -> Result<(), ConfigError> {
        let mut read = self.rows.split_off(self.section_start);
        for setting in settings {
            match read.iter().position(|row| row.name == setting.name) {
                Some(at) => {
                    let row = read.remove(at);
                    self.rows.push(SettingRow { setting: Some(setting), ..row });
                }
                None => self.add_unread(setting, layers)?,
            }
        }
        self.rows.append(&mut read);
        Ok(())
    }

    fn add_unread(
        &mut self,
        setting: Setting,
        layers: &SettingLayers<'_>,
    ) -> Result<(), ConfigError> {
        let (value, source, given) = match layers.texts(setting)? {
            Some(given) => {
                let text = given.value.join(",");
                let shown = if setting.is_secret() { "***".to_owned() } else { text.clone() };
                (shown, given.source, Some(text))
            }
            None => (setting.shown_default().to_owned(), SettingSource::Default, None),
        };
        let is_set = given.is_some() || matches!(setting.default, SettingDefault::Text(_));
        self.push(setting.name, value, source, is_set, Arc::new(given));
        if let Some(row) = self.rows.last_mut() {
            row.setting = Some(setting);
        }
        Ok(())
    }

    /// Adds a warning: something that an operator should know and that prevents nothing.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }
}

/// One line for each setting: name, value, source; then the warnings.
pub(crate) fn report_text(rows: &[SettingRow], warnings: &[String]) -> String {
    let width = |of: fn(&SettingRow) -> usize| rows.iter().map(of).max().unwrap_or_default();
    let (names, values) = (width(|row| row.name.len()), width(|row| row.value.chars().count()));
    let values = values.min(MAX_COLUMN);
    let several = rows.iter().any(|row| row.service.is_some());
    let (mut text, mut section) = (String::new(), None);
    for SettingRow { service, name, value, source, .. } in rows {
        if several && section != Some(service) {
            section = Some(service);
            // Writing to a String can't fail.
            let _ = match service {
                Some(service) => writeln!(text, "[service {service}]"),
                None => writeln!(text, "[daemon]"),
            };
        }
        let _ = writeln!(text, "{name:names$}  {value:values$}  {source}");
    }
    for warning in warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}

/// Longer values push their own source to the right instead of all sources.
const MAX_COLUMN: usize = 60;

/// Values separated by commas, or a word for none.
pub(crate) fn listed<T: ToString>(values: &[T], none: &str) -> String {
    if values.is_empty() {
        return none.to_owned();
    }
    values.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}
