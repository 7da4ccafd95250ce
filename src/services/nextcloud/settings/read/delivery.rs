//! Reads the settings of the delivery.

use super::super::{DeliverySettings, table};
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
    let max_debounce = duration(layers, table::MAX_DEBOUNCE_TIME, report)?;
    let debounce_disabled = debounce_disabled(layers, report)?;
    let rate = layers.get_or_default(table::PUSH_RATE, parse::count::<u32>)?;
    let push_rate = report.keep(table::PUSH_RATE.name, rate, |rate| match rate {
        0 => "no limit".into(),
        rate => format!("{rate} a second"),
    });
    let max = layers.get_or_default(setting::MAX_CONNECTION_TIME, parse::duration)?;
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
    let most = layers.get_or_default(setting::MAX_CONNECTIONS, parse::count::<usize>)?;
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
    let set = layers.texts(table::DEBOUNCE_DISABLE)?;
    // In the services file `false` means off.
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
    Ok(report.keep(table::DEBOUNCE_DISABLE.name, set, bool::to_string))
}
