//! The health report as JSON and as text.

use super::time_format::format_duration;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Whether the daemon is ready, and the state of each dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// Whether the daemon is ready.
    pub ready: bool,
    /// The reports of all dependencies.
    pub dependencies: Vec<DependencyReport>,
}

/// One dependency in the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DependencyReport {
    /// `redis`, `database`, `nextcloud`.
    pub name: String,
    /// The service it belongs to, where one daemon serves several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub service: Option<String>,
    /// Whether the service isn't ready without it.
    pub needed: bool,
    /// `up`, `down` or `untried`.
    pub state: String,
    /// When this state began: RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<String>,
    /// How long the state has lasted, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seconds: Option<u64>,
    /// Why it is down; only in reports for the operator.
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
        let Self { name, service, state, .. } = self;
        let name = service.as_ref().map_or(name.clone(), |service| format!("{service} {name}"));
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
