//! The section on proxies.

use crate::config::{
    ConfigError, ConfigFileValue, SettingLayers, SettingsReport, SourcedValue, parse,
    read::or_warn, report::listed, setting,
};
use http::HeaderName;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies in front of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxySettings {
    /// Networks whose forwarded headers are believed.
    pub trusted: Vec<IpNet>,
    /// Headers that hold the forwarded chain, in the order in which they are looked for.
    pub headers: Vec<HeaderName>,
}

impl ProxySettings {
    /// Whether this address is a proxy to be believed (IPv4-mapped IPv6 counts as IPv4).
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// `TRUSTED_PROXIES` as it is; without it, what the file says and loopback.
pub fn proxies(
    layers: &SettingLayers<'_>,
    trusted: ConfigFileValue<Vec<IpNet>>,
    headers: ConfigFileValue<Vec<HeaderName>>,
    report: &mut SettingsReport,
) -> Result<ProxySettings, ConfigError> {
    let given = layers.get(setting::TRUSTED_PROXIES, parse::networks)?;
    let trusted = match given {
        Some(given) => given,
        None => {
            or_warn(trusted, report).unwrap_or(SourcedValue::default(Vec::new())).map(with_loopback)
        }
    };
    let given = layers.get(setting::FORWARDED_FOR_HEADERS, parse::headers)?;
    let headers = given.or_else(|| or_warn(headers, report));
    let headers = headers.unwrap_or(SourcedValue::default(vec![X_FORWARDED_FOR]));
    let none = "none";
    Ok(ProxySettings {
        trusted: report.keep(setting::TRUSTED_PROXIES.name, trusted, |nets| listed(nets, none)),
        headers: report.keep(setting::FORWARDED_FOR_HEADERS.name, headers, |names| {
            listed(&names.iter().map(HeaderName::as_str).collect::<Vec<_>>(), none)
        }),
    })
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
