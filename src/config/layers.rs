//! The layers above a service's own file: command line over environment over environment file over
//! services file.

use super::{
    ConfigError, EnvironmentVariables, SettingSource, SourcedValue, SystemProbes, ValueFault,
    environment::EnvironmentLayer,
    read::or_default,
    services_file::{SettingTable, TableValue},
    setting::{Setting, SettingKind, ValueFormat},
};
use std::{collections::BTreeMap, io, net::IpAddr, path::Path};

/// The values of the flags by the setting's name; a switch has the value `true`.
pub type FlagValues = BTreeMap<&'static str, Vec<String>>;

/// Command line, environment and services file, in which settings are looked up.
pub struct SettingLayers<'a> {
    pub(crate) flags: FlagValues,
    pub(crate) environment: EnvironmentVariables,
    pub(crate) table: SettingTable,
    pub(crate) probes: SystemProbes<'a>,
}

impl SettingLayers<'_> {
    /// All values of a setting in the strongest layer that has any; several only for a repeated
    /// flag or a list in the services file.
    ///
    /// # Errors
    /// [`ConfigError`]: a secret's file that can't be read, or a variable given twice.
    pub fn texts(
        &self,
        setting: Setting,
    ) -> Result<Option<SourcedValue<Vec<String>>>, ConfigError> {
        if let Some(values) = self.flags.get(setting.name) {
            let source = SettingSource::CommandLine(setting.name);
            return Ok(Some(SourcedValue { value: values.clone(), source }));
        }
        for layer in self.environment.layers() {
            if let Some(found) = self.variable(&layer, setting)? {
                return Ok(Some(found.map(|text| vec![text])));
            }
        }
        match self.table.get(setting)? {
            None => Ok(None),
            Some(TableValue::Values(values)) => Ok(Some(values)),
            Some(TableValue::InFile(path)) => {
                let name = path.source.to_string();
                let value = self.secret_file(name, Path::new(&path.value))?;
                Ok(Some(value.map(|text| vec![text])))
            }
        }
    }

    /// The parsed value of a setting. `parse` fails with the format that it expected.
    ///
    /// # Errors
    /// [`ConfigError`] with the place of the value, and the value itself unless it is a secret.
    pub fn get<T, E: Into<ValueFault>>(
        &self,
        setting: Setting,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<SourcedValue<T>>, ConfigError> {
        let Some(SourcedValue { value, source }) = self.texts(setting)? else { return Ok(None) };
        // A list in the file is one value; of a repeated flag the last counts.
        let text = match &source {
            SettingSource::File { .. } => value.join(","),
            _ => value.last().cloned().unwrap_or_default(),
        };
        match parse(&text) {
            Ok(value) => Ok(Some(SourcedValue { value, source })),
            Err(fault) => Err(ConfigError::invalid_value(source, setting, &text, fault.into())),
        }
    }

    /// The parsed value of a setting, or its default from the table.
    ///
    /// # Errors
    /// [`ConfigError`], as [`SettingLayers::get`].
    pub fn get_or_default<T, E: Into<ValueFault>>(
        &self,
        setting: Setting,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<SourcedValue<T>, ConfigError> {
        or_default(self.get(setting, &parse)?, setting, parse)
    }

    /// Reads a file that a setting names.
    ///
    /// # Errors
    /// The system's.
    pub fn read(&self, path: &Path) -> io::Result<String> {
        (self.probes.read)(path)
    }

    /// The addresses of a host name; empty if it doesn't resolve.
    pub fn resolve(&self, name: &str) -> Vec<IpAddr> {
        (self.probes.resolve)(name)
    }

    /// One warning for each port variable that Kubernetes injected for a Service of that name.
    pub(crate) fn service_link_warnings(&self, settings: &[Setting]) -> Vec<String> {
        let layers = self.environment.layers();
        let links = settings.iter().flat_map(|setting| {
            layers.iter().filter_map(move |layer| {
                let text = layer.get(setting.variable)?;
                is_service_link(*setting, text).then(|| {
                    format!(
                        "{}: {text} is no port but a link that Kubernetes injects for a Service; \
                         ignored. Set enableServiceLinks: false in the pod, or --{}",
                        layer.source(setting.variable),
                        setting.name
                    )
                })
            })
        });
        links.collect()
    }

    fn variable(
        &self,
        layer: &EnvironmentLayer<'_>,
        setting: Setting,
    ) -> Result<Option<SourcedValue<String>>, ConfigError> {
        let usable = |text: &&str| {
            (setting.kind == SettingKind::MayBeEmpty || !text.is_empty())
                && !is_service_link(setting, text)
        };
        let plain = layer.get(setting.variable).filter(usable);
        let file_variable = setting.file_variable();
        let file = file_variable.as_deref().and_then(|variable| layer.get(variable));
        let file = file.filter(|path| !path.is_empty());
        match (plain, file) {
            (Some(_), Some(_)) => Err(ConfigError::GivenTwice { variable: setting.variable }),
            (Some(text), None) => {
                let source = layer.source(setting.variable);
                Ok(Some(SourcedValue { value: text.to_owned(), source }))
            }
            (None, Some(path)) => self
                .secret_file(file_variable.clone().unwrap_or_default(), Path::new(path))
                .map(Some),
            (None, None) => Ok(None),
        }
    }

    fn secret_file(
        &self,
        variable: String,
        path: &Path,
    ) -> Result<SourcedValue<String>, ConfigError> {
        match self.read(path) {
            Ok(text) => {
                let value = text.strip_suffix('\n').unwrap_or(&text);
                let value = value.strip_suffix('\r').unwrap_or(value).to_owned();
                Ok(SourcedValue { value, source: SettingSource::SecretFile(variable) })
            }
            Err(source) => Err(ConfigError::unreadable(variable, path, source, &self.probes)),
        }
    }
}

/// Whether a port's variable holds what Kubernetes injects for a Service: `tcp://10.0.0.1:9000`.
fn is_service_link(setting: Setting, text: &str) -> bool {
    setting.format == ValueFormat::Port
        && ["tcp://", "udp://", "sctp://"].iter().any(|scheme| text.starts_with(scheme))
}
