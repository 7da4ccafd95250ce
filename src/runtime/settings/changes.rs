//! The daemon's settings that a reload changes, and when they take effect.

use super::DaemonSettings;
use crate::config::{
    SettingChange,
    change::{SettingComparison, differing},
};

/// Settings that take effect immediately: [`DaemonSettings::take_over`].
const LIVE: &[SettingComparison<DaemonSettings>] = &[
    ("LOG", |a, b| a.log.filter == b.log.filter),
    ("TLS_CERT or TLS_KEY", |a, b| {
        a.listen.tls.is_none() || b.listen.tls.is_none() || a.listen.tls == b.listen.tls
    }),
    ("MAX_UNAUTHENTICATED or MAX_UNAUTHENTICATED_PER_ADDRESS", |a, b| a.pre_auth == b.pre_auth),
];

/// Settings that need a restart: bound sockets.
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
    /// The differences to other settings.
    pub fn changes(&self, new: &Self) -> Vec<SettingChange> {
        differing(LIVE, FIXED, self, new)
    }

    /// Takes over everything that takes effect immediately.
    pub fn take_over(&mut self, new: &Self) {
        self.log.filter.clone_from(&new.log.filter);
        if let (Some(files), Some(new)) = (&mut self.listen.tls, &new.listen.tls) {
            files.clone_from(new);
        }
        self.pre_auth.clone_from(&new.pre_auth);
    }
}
