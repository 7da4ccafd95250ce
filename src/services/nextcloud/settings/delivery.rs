//! The settings of delivery: debounce, rates, connection limits.

use std::time::Duration;

/// Debounce and crowd control: `specs/nextcloud.md` section 4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverySettings {
    /// The longest a client waits between two messages of one kind, before its random factor.
    pub max_debounce: Duration,
    /// `DEBOUNCE_DISABLE`: every change is sent at once, and `push_rate` doesn't apply.
    pub debounce_disabled: bool,
    /// Maximum clients notified per second about one change, after the first 100; 0: no limit.
    pub push_rate: u32,
    /// How long a connection may last; none: for ever.
    pub max_connection: Option<Duration>,
    /// How many clients there may be at once; none: as many as there are descriptors for.
    pub max_connections: Option<usize>,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            max_debounce: Duration::from_secs(15),
            debounce_disabled: false,
            push_rate: 1000,
            max_connection: None,
            max_connections: None,
        }
    }
}
