//! The check of the settings and their sources.

use crate::{
    config::{ConfigError, SettingRow, SettingSource},
    doctor::finding::{CheckFinding, CheckId},
};

/// The findings about usable settings.
pub(super) fn valid(rows: &[SettingRow], warnings: &[String]) -> Vec<CheckFinding> {
    let given = |row: &&SettingRow| row.source != SettingSource::Default;
    let count = rows.iter().filter(given).count();
    let mut finding = CheckFinding::fine(
        CheckId::Settings,
        format!("{count} are set, the others have their defaults"),
    );
    for SettingRow { name, value, source, .. } in rows.iter().filter(given) {
        finding = finding.detail(format!("{name} = {value} ({source})"));
    }
    let hint = |warning: &String| CheckFinding::hint(CheckId::Settings, warning.clone());
    std::iter::once(finding).chain(warnings.iter().map(hint)).collect()
}

/// The finding about unusable settings.
pub fn invalid_settings(error: &ConfigError) -> CheckFinding {
    CheckFinding::wrong(CheckId::Settings, error.to_string())
        .why("the daemon does not start with these settings, and nothing else can be checked")
        .advise(
            "Correct it at its source. Settings come from the command line, else from the \
             environment, else from .env or the file that ENV_FILE names, else from config.php. \
             If the daemon gets other settings from its unit, give the doctor the same:",
        )
        .run("systemctl show notify_push -p Environment -p EnvironmentFiles -p ExecStart")
}
