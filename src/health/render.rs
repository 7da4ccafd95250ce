//! The health report as it goes over HTTP, and as a person reads it.

use super::time_format::format_duration;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Whether the daemon can do its job, with each thing it depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// Whether it can.
    pub ready: bool,
    /// What it depends on.
    pub dependencies: Vec<DependencyReport>,
}

/// One dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DependencyReport {
    /// `redis`, `database`, `nextcloud`.
    pub name: String,
    /// Whose, where one daemon serves several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub host: Option<String>,
    /// Whether the main job can't be done without it.
    pub needed: bool,
    /// `up`, `down` or `untried`.
    pub state: String,
    /// Since when: RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<String>,
    /// The same in seconds until now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seconds: Option<u64>,
    /// Why it is down; told only to whoever may control the daemon.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
}

impl fmt::Display for HealthReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.ready { "ready" } else { "not ready" })?;
        self.dependencies.iter().try_for_each(|line| write!(f, "{line}"))
    }
}

impl fmt::Display for DependencyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, host, state, .. } = self;
        let name = host.as_ref().map_or(name.clone(), |host| format!("{host} {name}"));
        write!(f, "  {name:<10} {state:<8}")?;
        if let (Some(since), Some(seconds)) = (&self.since, self.seconds) {
            write!(f, " since {since} ({})", format_duration(Duration::from_secs(seconds)))?;
        }
        if let Some(why) = &self.why {
            write!(f, "\n             {why}")?;
        }
        writeln!(f)
    }
}
