//! Reads the settings of the reverse proxies.

use crate::config::{
    ConfigError, ConfigFileValue, SettingLayers, SettingsReport, SourcedValue, parse,
    parse::ProxyEntry,
    read::{or_default, or_warn},
    report::listed,
    setting,
};
use http::HeaderName;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The reverse proxies in front of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxySettings {
    /// Networks whose forwarded headers are trusted.
    pub trusted: Vec<IpNet>,
    /// Headers with the chain of forwarded addresses, in the order of preference.
    pub headers: Vec<HeaderName>,
}

impl ProxySettings {
    /// Whether this address is a trusted proxy (IPv4-mapped IPv6 counts as IPv4).
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// Reads the settings. `TRUSTED_PROXIES` replaces the list of the service's own file and loopback.
///
/// # Errors
/// [`ConfigError`].
pub fn proxies(
    layers: &SettingLayers<'_>,
    trusted: ConfigFileValue<Vec<IpNet>>,
    headers: ConfigFileValue<Vec<HeaderName>>,
    report: &mut SettingsReport,
) -> Result<ProxySettings, ConfigError> {
    let trusted = trusted_networks(layers, trusted, report)?;
    let given = layers.get(setting::FORWARDED_FOR_HEADERS, parse::headers)?;
    let headers = given.or_else(|| or_warn(headers, report));
    let headers = or_default(headers, setting::FORWARDED_FOR_HEADERS, parse::headers)?;
    let headers = report.keep(setting::FORWARDED_FOR_HEADERS.name, headers, |names| {
        listed(&names.iter().map(HeaderName::as_str).collect::<Vec<_>>(), "none")
    });
    Ok(ProxySettings { trusted, headers })
}

/// Reads the networks of trusted proxies. Host names, such as those of containers, are resolved now
/// and on every reload; one that doesn't resolve isn't trusted.
///
/// # Errors
/// [`ConfigError`].
pub fn trusted_networks(
    layers: &SettingLayers<'_>,
    file: ConfigFileValue<Vec<IpNet>>,
    report: &mut SettingsReport,
) -> Result<Vec<IpNet>, ConfigError> {
    let trusted = match layers.get(setting::TRUSTED_PROXIES, parse::proxy_entries)? {
        Some(SourcedValue { value, source }) => {
            let mut networks = Vec::new();
            for entry in value {
                match entry {
                    ProxyEntry::Network(network) => networks.push(network),
                    ProxyEntry::HostName(name) => {
                        let addresses = layers.resolve(&name);
                        if addresses.is_empty() {
                            report.warn(format!(
                                "{source}: {name} doesn't resolve to an address, so this proxy is \
                                 not trusted. Reload once it does, or write its network"
                            ));
                        }
                        let addresses = addresses.iter().map(IpAddr::to_canonical);
                        networks.extend(addresses.map(IpNet::from));
                    }
                }
            }
            SourcedValue { value: networks, source }
        }
        None => {
            or_warn(file, report).unwrap_or(SourcedValue::default(Vec::new())).map(with_loopback)
        }
    };
    Ok(report.keep(setting::TRUSTED_PROXIES.name, trusted, |networks| listed(networks, "none")))
}

fn with_loopback(mut networks: Vec<IpNet>) -> Vec<IpNet> {
    let v4 = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
    let v6 = Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128);
    for loopback in [IpNet::from(v4), IpNet::from(v6)] {
        if !networks.contains(&loopback) {
            networks.push(loopback);
        }
    }
    networks
}
