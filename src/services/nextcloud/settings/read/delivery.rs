//! The delivery section.

use super::super::DeliverySettings;
use crate::config::{
    ConfigError, SettingLayers, SettingSource, SettingsReport, SourcedValue, parse,
    read::{duration, seconds},
    setting,
};
use std::time::Duration;

pub(super) fn delivery(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<DeliverySettings, ConfigError> {
    let default = DeliverySettings::default();
    let max_debounce = duration(layers, setting::MAX_DEBOUNCE_TIME, default.max_debounce, report)?;
    let debounce_disabled = debounce_disabled(layers, report)?;
    let rate = layers.get(setting::PUSH_RATE, parse::count::<u32>)?;
    let rate = rate.unwrap_or(SourcedValue::default(default.push_rate));
    let push_rate = report.keep(setting::PUSH_RATE.name, rate, |rate| match rate {
        0 => "no limit".into(),
        rate => format!("{rate} a second"),
    });
    let max = layers.get(setting::MAX_CONNECTION_TIME, parse::duration)?;
    let max = max.unwrap_or(SourcedValue::default(Duration::ZERO));
    let max = report.keep(setting::MAX_CONNECTION_TIME.name, max, |max| match max {
        &Duration::ZERO => "no limit".into(),
        max => seconds(max),
    });
    let max_connection = Some(max).filter(|max| !max.is_zero());
    let max_connections = max_connections(layers, report)?;
    Ok(DeliverySettings {
        max_debounce,
        debounce_disabled,
        push_rate,
        max_connection,
        max_connections,
    })
}

fn max_connections(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<Option<usize>, ConfigError> {
    let most = layers.get(setting::MAX_CONNECTIONS, parse::count::<usize>)?;
    let most = most.unwrap_or(SourcedValue::default(0));
    let most = report.keep(setting::MAX_CONNECTIONS.name, most, |most| match most {
        0 => "no limit".into(),
        most => most.to_string(),
    });
    Ok(Some(most).filter(|most| *most > 0))
}

/// Set at all, whatever the value: `specs/nextcloud.md` section 8.
fn debounce_disabled(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<bool, ConfigError> {
    let set = layers.texts(setting::DEBOUNCE_DISABLE)?;
    // In a file `false` is what it says.
    let set = set.filter(|set| {
        !matches!(set.source, SettingSource::File { .. }) || set.value.concat() != "false"
    });
    if let Some(set) = &set
        && set.value.iter().any(|text| parse::switch(text) == Ok(false))
    {
        report.warn(format!(
            "{}: this disables the debounce although the value says no, as in the original daemon. \
             Remove it to have the debounce",
            set.source
        ));
    }
    let set = set.map_or(SourcedValue::default(false), |set| set.map(|_| true));
    Ok(report.keep(setting::DEBOUNCE_DISABLE.name, set, bool::to_string))
}
