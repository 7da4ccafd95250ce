//! Reads the settings of the listeners and of their limits before authentication.

use crate::{
    config::{
        ConfigError, DEFAULT_PORT, SettingLayers, SettingsReport, SourcedValue, parse,
        read::switch, setting,
    },
    runtime::settings::DaemonSettings,
    server::{BindAddress, ListenSettings, PreAuthLimits, TlsFiles},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

const DEFAULT_PERMISSIONS: u32 = 0o660;
/// A user who may open the admin socket may change the log and close sessions.
const ADMIN_PERMISSIONS: u32 = 0o600;

/// Enough for all clients of a large installation that reconnect at once through one proxy.
const DEFAULT_PRE_AUTH_LIMITS: PreAuthLimits = PreAuthLimits { total: 16_384, per_address: 256 };

pub(super) fn listen(
    layers: &SettingLayers<'_>,
    port: u16,
    report: &mut SettingsReport,
) -> Result<ListenSettings, ConfigError> {
    let socket = layers.get(setting::SOCKET_PATH, parse::path)?;
    let port = layers.get(setting::PORT, parse::port)?.unwrap_or(SourcedValue::default(port));
    let permissions = permissions(layers)?;
    let bind = match socket {
        Some(socket) => {
            let path = report.keep(setting::SOCKET_PATH.name, socket, |path| shown(path));
            let permissions = report
                .keep(setting::SOCKET_PERMISSIONS.name, permissions, |bits| format!("{bits:04o}"));
            BindAddress::Unix { path, permissions }
        }
        None => {
            let port = report.keep(setting::PORT.name, port, u16::to_string);
            let address = layers.get(setting::BIND, parse::address)?;
            let address =
                report.keep_some(setting::BIND.name, address, ":: or 0.0.0.0", IpAddr::to_string);
            BindAddress::Tcp { address, port }
        }
    };
    let proxy_protocol = switch(layers, setting::PROXY_PROTOCOL, report)?;
    Ok(ListenSettings { bind, tls: tls(layers, report)?, proxy_protocol })
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn permissions(layers: &SettingLayers<'_>) -> Result<SourcedValue<u32>, ConfigError> {
    let given = layers.get(setting::SOCKET_PERMISSIONS, parse::permissions)?;
    Ok(given.unwrap_or(SourcedValue::default(DEFAULT_PERMISSIONS)))
}

fn tls(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<Option<TlsFiles>, ConfigError> {
    let mut file = |setting: setting::Setting| -> Result<_, ConfigError> {
        let path = layers.get(setting, parse::path)?;
        Ok(report.keep_some(setting.name, path, "off", |path| shown(path)))
    };
    match (file(setting::TLS_CERT)?, file(setting::TLS_KEY)?) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key, chain: None })),
        (None, None) => Ok(None),
        _ => Err(ConfigError::Missing {
            what: "TLS for clients needs both a certificate and its key",
            remedy: "Set both --tls-cert and --tls-key (TLS_CERT and TLS_KEY), or none",
        }),
    }
}

/// The metrics listeners: a port, a socket, or both.
pub(super) fn metrics(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<Vec<ListenSettings>, ConfigError> {
    let address = layers.get(setting::BIND, parse::address)?.map(|address| address.value);
    let names = (setting::METRICS_PORT, setting::METRICS_SOCKET_PATH);
    plain_listeners(layers, report, names, address, permissions(layers)?.value)
}

/// The admin listeners: a port on loopback, and a socket for the daemon's own user.
pub(super) fn admin(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<Vec<ListenSettings>, ConfigError> {
    let loopback = Some(Ipv4Addr::LOCALHOST.into());
    let names = (setting::ADMIN_PORT, setting::ADMIN_SOCKET);
    plain_listeners(layers, report, names, loopback, ADMIN_PERMISSIONS)
}

/// The admin socket of the shipped systemd unit, package and image. Commands try it where no admin
/// listener is configured.
pub const DEFAULT_ADMIN_SOCKET: &str = "/run/notify_push/admin.sock";

/// The listeners that accept control requests.
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
pub fn operator_listeners(layers: &SettingLayers<'_>) -> Result<Vec<ListenSettings>, ConfigError> {
    let mut unshown = SettingsReport::default();
    let mut listeners = admin(layers, &mut unshown)?;
    listeners.extend(metrics(layers, &mut unshown)?);
    Ok(listeners)
}

/// The listener for clients.
pub fn clients_listener(layers: &SettingLayers<'_>) -> Result<ListenSettings, ConfigError> {
    listen(layers, DEFAULT_PORT, &mut SettingsReport::default())
}

fn plain_listeners(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
    (port, socket): (setting::Setting, setting::Setting),
    address: Option<IpAddr>,
    permissions: u32,
) -> Result<Vec<ListenSettings>, ConfigError> {
    let number = layers.get(port, parse::port)?;
    let path = layers.get(socket, parse::path)?;
    let number = report.keep_some(port.name, number, "off", u16::to_string);
    let path = report.keep_some(socket.name, path, "off", |path| shown(path));
    let tcp = number.map(|port| BindAddress::Tcp { address, port });
    let unix = path.map(|path| BindAddress::Unix { path, permissions });
    let binds = tcp.into_iter().chain(unix);
    Ok(binds.map(|bind| ListenSettings { bind, tls: None, proxy_protocol: false }).collect())
}

/// No two listeners may have the same address.
pub(super) fn reject_duplicates(settings: &DaemonSettings) -> Result<(), ConfigError> {
    let all = || settings.metrics.iter().chain(&settings.admin).chain([&settings.listen]);
    let clash = |a: &ListenSettings, b: &ListenSettings| match (&a.bind, &b.bind) {
        (BindAddress::Tcp { port: a, .. }, BindAddress::Tcp { port: b, .. }) => a == b && *a != 0,
        (BindAddress::Unix { path: a, .. }, BindAddress::Unix { path: b, .. }) => a == b,
        _ => false,
    };
    let twice = all().enumerate().any(|(n, a)| all().skip(n + 1).any(|b| clash(a, b)));
    if !twice {
        return Ok(());
    }
    Err(ConfigError::Missing {
        what: "two listeners are to have the same port or socket",
        remedy: "Give PORT, METRICS_PORT and ADMIN_PORT different numbers, and SOCKET_PATH, \
                 METRICS_SOCKET_PATH and ADMIN_SOCKET_PATH different paths",
    })
}

pub(super) fn pre_auth(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<PreAuthLimits, ConfigError> {
    let mut limit = |setting: setting::Setting, default| -> Result<usize, ConfigError> {
        let given = layers.get(setting, parse::positive)?;
        Ok(report.keep(
            setting.name,
            given.unwrap_or(SourcedValue::default(default)),
            usize::to_string,
        ))
    };
    Ok(PreAuthLimits {
        total: limit(setting::MAX_UNAUTHENTICATED, DEFAULT_PRE_AUTH_LIMITS.total)?,
        per_address: limit(
            setting::MAX_UNAUTHENTICATED_PER_ADDRESS,
            DEFAULT_PRE_AUTH_LIMITS.per_address,
        )?,
    })
}
