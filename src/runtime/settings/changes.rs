//! Which of the daemon's settings a reload changes, and which of these take effect at once.

use super::DaemonSettings;
use crate::config::{
    SettingChange,
    change::{SettingComparison, differing},
};

/// What of the daemon's settings takes effect at once: [`DaemonSettings::take_over`].
const LIVE: &[SettingComparison<DaemonSettings>] = &[
    ("LOG", |a, b| a.log.filter == b.log.filter),
    ("TLS_CERT or TLS_KEY", |a, b| {
        a.listen.tls.is_none() || b.listen.tls.is_none() || a.listen.tls == b.listen.tls
    }),
    ("MAX_UNAUTHENTICATED or MAX_UNAUTHENTICATED_PER_ADDRESS", |a, b| a.pre_auth == b.pre_auth),
];

/// What only a start takes in: sockets that are bound.
const FIXED: &[SettingComparison<DaemonSettings>] = &[
    ("PORT, BIND or SOCKET_PATH", |a, b| a.listen.bind == b.listen.bind),
    ("TLS switched on or off", |a, b| a.listen.tls.is_some() == b.listen.tls.is_some()),
    ("PROXY_PROTOCOL", |a, b| a.listen.proxy_protocol == b.listen.proxy_protocol),
    ("METRICS_PORT or METRICS_SOCKET_PATH", |a, b| a.metrics == b.metrics),
    ("ADMIN_PORT or ADMIN_SOCKET_PATH", |a, b| a.admin == b.admin),
    ("LOG_FORMAT or NO_ANSI", |a, b| a.log.style == b.log.style && a.log.no_ansi == b.log.no_ansi),
    ("DRAIN_TIME", |a, b| a.drain_time == b.drain_time),
];

impl DaemonSettings {
    /// What another value of them changes.
    pub fn changes(&self, new: &Self) -> Vec<SettingChange> {
        differing(LIVE, FIXED, self, new)
    }

    /// Takes over whatever takes effect at once; the rest stays as it was.
    pub fn take_over(&mut self, new: &Self) {
        self.log.filter.clone_from(&new.log.filter);
        if let (Some(files), Some(new)) = (&mut self.listen.tls, &new.listen.tls) {
            files.clone_from(new);
        }
        self.pre_auth.clone_from(&new.pre_auth);
    }
}
