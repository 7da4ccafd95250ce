//! Reads the settings of the listeners and the limits for unauthenticated connections.

use crate::{
    config::{
        ConfigError, Setting, SettingLayers, SettingsReport, parse,
        read::{optional_path, switch},
        setting,
    },
    runtime::settings::DaemonSettings,
    server::{BindAddress, ListenSettings, PreAuthLimits, TlsFiles},
};
use std::net::{IpAddr, Ipv4Addr};

/// Permissions of the control socket: its users may change the log and close connections.
const ADMIN_PERMISSIONS: u32 = 0o600;

pub(super) fn listen(
    layers: &SettingLayers<'_>,
    port: Setting,
    report: &mut SettingsReport,
) -> Result<ListenSettings, ConfigError> {
    let socket = optional_path(layers, setting::SOCKET_PATH, report)?;
    let port = layers.get_or_default(port, parse::port)?;
    let port = report.keep(setting::PORT.name, port, u16::to_string);
    let address = layers.get(setting::BIND, parse::address)?;
    let absent = setting::BIND.shown_default();
    let address = report.keep_some(setting::BIND.name, address, absent, IpAddr::to_string);
    let permissions = permissions(layers, report)?;
    let bind = match socket {
        Some(path) => BindAddress::Unix { path, permissions },
        None => BindAddress::Tcp { address, port },
    };
    let proxy_protocol = switch(layers, setting::PROXY_PROTOCOL, report)?;
    Ok(ListenSettings { bind, tls: tls(layers, report)?, proxy_protocol })
}

fn permissions(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<u32, ConfigError> {
    let given = layers.get_or_default(setting::SOCKET_PERMISSIONS, parse::permissions)?;
    Ok(report.keep(setting::SOCKET_PERMISSIONS.name, given, |bits| format!("{bits:04o}")))
}

fn tls(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<Option<TlsFiles>, ConfigError> {
    let cert = optional_path(layers, setting::TLS_CERT, report)?;
    match (cert, optional_path(layers, setting::TLS_KEY, report)?) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key, chain: None })),
        (None, None) => Ok(None),
        _ => Err(ConfigError::Missing {
            what: "TLS for clients needs both a certificate and its key",
            remedy: "Set both --tls-cert and --tls-key (TLS_CERT and TLS_KEY), or none",
        }),
    }
}

/// The listeners for metrics: a port, a socket, or both.
pub(super) fn metrics(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<Vec<ListenSettings>, ConfigError> {
    let address = layers.get(setting::BIND, parse::address)?.map(|address| address.value);
    let settings = (setting::METRICS_PORT, setting::METRICS_SOCKET_PATH);
    let permissions = permissions(layers, &mut SettingsReport::default())?;
    plain_listeners(layers, report, settings, address, permissions)
}

/// The listeners for control: a port on loopback, a socket for the daemon's own user, or both.
pub(super) fn admin(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<Vec<ListenSettings>, ConfigError> {
    let loopback = Some(Ipv4Addr::LOCALHOST.into());
    let settings = (setting::ADMIN_PORT, setting::ADMIN_SOCKET);
    plain_listeners(layers, report, settings, loopback, ADMIN_PERMISSIONS)
}

/// The admin socket of the shipped systemd unit, package and image. Commands try it where no admin
/// listener is configured.
pub const DEFAULT_ADMIN_SOCKET: &str = "/run/notify_push/admin.sock";

/// The listeners that accept control requests.
///
/// # Errors
/// [`ConfigError`].
pub fn admin_listeners(layers: &SettingLayers<'_>) -> Result<Vec<ListenSettings>, ConfigError> {
    let listeners = admin(layers, &mut SettingsReport::default())?;
    if !listeners.is_empty() {
        return Ok(listeners);
    }
    let bind =
        BindAddress::Unix { path: DEFAULT_ADMIN_SOCKET.into(), permissions: ADMIN_PERMISSIONS };
    Ok(vec![ListenSettings { bind, tls: None, proxy_protocol: false }])
}

/// The listeners that serve metrics and health: those of the metrics settings, then the admin ones.
///
/// # Errors
/// [`ConfigError`].
pub fn operator_listeners(layers: &SettingLayers<'_>) -> Result<Vec<ListenSettings>, ConfigError> {
    let mut unshown = SettingsReport::default();
    let mut listeners = admin(layers, &mut unshown)?;
    listeners.extend(metrics(layers, &mut unshown)?);
    Ok(listeners)
}

/// The listener for clients.
///
/// # Errors
/// [`ConfigError`].
pub fn clients_listener(layers: &SettingLayers<'_>) -> Result<ListenSettings, ConfigError> {
    listen(layers, setting::PORT, &mut SettingsReport::default())
}

fn plain_listeners(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
    (port, socket): (Setting, Setting),
    address: Option<IpAddr>,
    permissions: u32,
) -> Result<Vec<ListenSettings>, ConfigError> {
    let number = layers.get(port, parse::port)?;
    let number = report.keep_some(port.name, number, port.shown_default(), u16::to_string);
    let path = optional_path(layers, socket, report)?;
    let tcp = number.map(|port| BindAddress::Tcp { address, port });
    let unix = path.map(|path| BindAddress::Unix { path, permissions });
    let binds = tcp.into_iter().chain(unix);
    Ok(binds.map(|bind| ListenSettings { bind, tls: None, proxy_protocol: false }).collect())
}

/// Rejects listeners that have the same port or socket.
pub(super) fn reject_duplicates(settings: &DaemonSettings) -> Result<(), ConfigError> {
    let clients = (&settings.listen, setting::PORT, setting::SOCKET_PATH);
    let metrics = settings.metrics.iter();
    let metrics = metrics.map(|one| (one, setting::METRICS_PORT, setting::METRICS_SOCKET_PATH));
    let admin = settings.admin.iter();
    let admin = admin.map(|one| (one, setting::ADMIN_PORT, setting::ADMIN_SOCKET));
    let all: Vec<_> = [clients].into_iter().chain(metrics).chain(admin).collect();
    for (n, &(a, port, socket)) in all.iter().enumerate() {
        for &(b, other_port, other_socket) in &all[n + 1..] {
            let (first, second, place) = match (&a.bind, &b.bind) {
                (BindAddress::Tcp { port: a, .. }, BindAddress::Tcp { port: b, .. })
                    if a == b && *a != 0 =>
                {
                    (port, other_port, a.to_string())
                }
                (BindAddress::Unix { path: a, .. }, BindAddress::Unix { path: b, .. })
                    if a == b =>
                {
                    (socket, other_socket, a.display().to_string())
                }
                _ => continue,
            };
            let (first, second) = (first.variable, second.variable);
            return Err(ConfigError::Conflict { first, second, place });
        }
    }
    Ok(())
}

pub(super) fn pre_auth(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<PreAuthLimits, ConfigError> {
    let mut limit = |setting: Setting| -> Result<usize, ConfigError> {
        let given = layers.get_or_default(setting, parse::positive)?;
        Ok(report.keep(setting.name, given, usize::to_string))
    };
    Ok(PreAuthLimits {
        total: limit(setting::MAX_UNAUTHENTICATED)?,
        per_address: limit(setting::MAX_UNAUTHENTICATED_PER_ADDRESS)?,
    })
}
