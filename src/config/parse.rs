//! Parses the texts of settings. Each function fails with the format that it expected; only
//! [`ValueFault`] may name the faulty entry of a list.

use crate::telemetry::log::{LogFilter, LogFilterError, LogStyle};
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use std::{net::IpAddr, path::PathBuf, time::Duration};

/// The format that a parser expected.
pub type ExpectedFormat = String;

/// Why a text is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueFault {
    /// The faulty entry of a list; none if it is the whole text.
    pub entry: Option<String>,
    /// The format that was expected.
    pub expected: ExpectedFormat,
}

impl ValueFault {
    /// A fault of one entry of a list.
    pub fn entry(entry: &str, expected: &str) -> Self {
        Self { entry: Some(entry.to_owned()), expected: expected.to_owned() }
    }
}

impl From<ExpectedFormat> for ValueFault {
    fn from(expected: ExpectedFormat) -> Self {
        Self { entry: None, expected }
    }
}

impl From<&str> for ValueFault {
    fn from(expected: &str) -> Self {
        Self { entry: None, expected: expected.to_owned() }
    }
}

/// Parses a switch.
pub fn switch(text: &str) -> Result<bool, ExpectedFormat> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("expected true or false (or 1, 0, yes, no, on, off)".into()),
    }
}

/// Parses a port; 0 means any free one.
pub fn port(text: &str) -> Result<u16, ExpectedFormat> {
    text.trim().parse().map_err(|_| "expected a port number from 0 to 65535".into())
}

/// Parses a number from 0 on.
pub fn count<N: std::str::FromStr>(text: &str) -> Result<N, ExpectedFormat> {
    text.trim().parse().map_err(|_| "expected a number that is not negative, nor huge".into())
}

/// Parses a number from 1 on.
pub fn positive(text: &str) -> Result<usize, ExpectedFormat> {
    count(text).ok().filter(|number| *number > 0).ok_or("expected a number from 1 on".into())
}

/// Parses the length of an address prefix.
pub fn bits(text: &str, most: u8) -> Result<u8, ExpectedFormat> {
    let bits = text.trim().trim_start_matches('/').parse().ok();
    bits.filter(|bits| (1..=most).contains(bits))
        .ok_or_else(|| format!("expected a number of bits from 1 to {most}"))
}

/// Parses an IP address without a port.
pub fn address(text: &str) -> Result<IpAddr, ExpectedFormat> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| {
        "expected an IP address such as 127.0.0.1 or ::1; the port is a setting of its own".into()
    })
}

/// Parses permissions in octal: `0660`, `660`, `0o660`.
pub fn permissions(text: &str) -> Result<u32, ExpectedFormat> {
    let digits = text.trim().trim_start_matches("0o");
    let bits = u32::from_str_radix(digits, 8).ok().filter(|bits| *bits <= 0o777);
    bits.ok_or_else(|| "expected permissions in octal, such as 0660".into())
}

/// Takes a path as it is.
pub fn path(text: &str) -> Result<PathBuf, ExpectedFormat> {
    Ok(PathBuf::from(text))
}

/// The longest duration, in seconds: more than a hundred years.
const MAX_SECONDS: u64 = 1 << 32;

/// Parses a duration: seconds, or a number with `s`, `m`, `h` or `d`.
pub fn duration(text: &str) -> Result<Duration, ExpectedFormat> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(60 * 60),
        "d" => Some(24 * 60 * 60),
        _ => None,
    };
    let number = digits.trim_end().parse::<u64>().ok();
    let seconds = number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
    seconds
        .filter(|seconds| *seconds <= MAX_SECONDS)
        .map(Duration::from_secs)
        .ok_or_else(|| "expected a number of seconds, or a time such as 90s, 15m, 1h".into())
}

/// Parses a log filter.
pub fn filter(text: &str) -> Result<LogFilter, ExpectedFormat> {
    LogFilter::parse(text).map_err(|error: LogFilterError| error.to_string())
}

/// Parses the format of the log.
pub fn log_style(text: &str) -> Result<LogStyle, ExpectedFormat> {
    match text.trim() {
        "text" => Ok(LogStyle::Text),
        "json" => Ok(LogStyle::Json),
        _ => Err("expected text or json".into()),
    }
}

/// The entries of a list, separated by commas or blanks.
pub fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty())
}

/// Parses an address or a network (`10.0.0.0/8`).
pub fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let net = text.parse::<IpNet>().map(|net| net.trunc()).ok();
    net.or_else(|| text.parse::<IpAddr>().map(|address| address.to_canonical().into()).ok())
}

/// Parses a list of addresses and networks.
pub fn networks(text: &str) -> Result<Vec<IpNet>, ValueFault> {
    let parse = |entry: &str| network(entry).ok_or_else(|| ValueFault::entry(entry, NETWORKS));
    list(text).map(parse).collect()
}

const NETWORKS: &str = "expected addresses and networks such as 127.0.0.1, 10.0.0.0/8";

/// An entry of a list of proxies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyEntry {
    /// An address or a network.
    Network(IpNet),
    /// The name of a host or container, to be resolved.
    HostName(String),
}

/// Parses a list of addresses, networks and host names.
pub fn proxy_entries(text: &str) -> Result<Vec<ProxyEntry>, ValueFault> {
    let parse = |entry: &str| match network(entry) {
        Some(network) => Ok(ProxyEntry::Network(network)),
        None if is_host_name(entry) => Ok(ProxyEntry::HostName(entry.to_owned())),
        None => Err(ValueFault::entry(
            entry,
            "expected addresses, networks and host names such as 127.0.0.1, 10.0.0.0/8, proxy",
        )),
    };
    list(text).map(parse).collect()
}

/// Whether a text can be the name of a host or container; digits and dots alone are a mistyped
/// address.
fn is_host_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let labels = |label: &str| !label.is_empty() && label.chars().all(plain);
    text.chars().any(|c| c.is_ascii_alphabetic())
        && text.trim_end_matches('.').split('.').all(labels)
}

/// Parses a header's name, also in PHP's form `HTTP_X_FORWARDED_FOR`.
pub fn header(text: &str) -> Option<HeaderName> {
    let text = text.trim();
    let name = match text.strip_prefix("HTTP_") {
        Some(php) => php.replace('_', "-"),
        None => text.to_owned(),
    };
    HeaderName::from_bytes(name.as_bytes()).ok()
}

/// Parses a list of at least one header's name.
pub fn headers(text: &str) -> Result<Vec<HeaderName>, ValueFault> {
    const EXPECTED: &str = "expected names of headers such as X-Forwarded-For";
    let parse = |entry: &str| header(entry).ok_or_else(|| ValueFault::entry(entry, EXPECTED));
    let names: Vec<_> = list(text).map(parse).collect::<Result<_, _>>()?;
    if names.is_empty() { Err(EXPECTED.into()) } else { Ok(names) }
}

/// Parses a text that is valid in a header.
pub fn user_agent(text: &str) -> Result<String, ExpectedFormat> {
    HeaderValue::from_str(text).map_err(|_| "expected text without line breaks".to_owned())?;
    Ok(text.to_owned())
}

/// Parses a version: `major.minor.patch`.
pub fn version(text: &str) -> Result<String, ExpectedFormat> {
    let text = text.trim();
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if text.split('.').count() == 3 && text.split('.').all(numeric) {
        Ok(text.to_owned())
    } else {
        Err("expected auto or a version such as 1.4.0".into())
    }
}

/// Parses the prefix of table names.
pub fn table_prefix(text: &str) -> Result<String, ExpectedFormat> {
    if text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        Ok(text.to_owned())
    } else {
        Err("expected letters, digits and _ only, such as oc_".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_accept_the_usual_words() {
        for text in ["true", "1", "YES", "on "] {
            assert_eq!(switch(text), Ok(true), "{text}");
        }
        for text in ["false", "0", "No", "OFF"] {
            assert_eq!(switch(text), Ok(false), "{text}");
        }
        assert!(switch("maybe").is_err() && switch("").is_err());
    }

    #[test]
    fn permissions_are_octal() {
        for text in ["0660", "660", "0o660"] {
            assert_eq!(permissions(text), Ok(0o660), "{text}");
        }
        assert!(permissions("999").is_err() && permissions("7777").is_err());
        assert!(permissions("rw-rw----").is_err());
    }

    #[test]
    fn durations_have_units_and_a_maximum() {
        assert_eq!(duration("15"), Ok(Duration::from_secs(15)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for text in ["", "h", "-1", "1.5", "1w", "99999999999999999999", "9999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn headers_may_be_written_as_php_does() {
        assert_eq!(header("HTTP_X_FORWARDED_FOR").unwrap().as_str(), "x-forwarded-for");
        assert_eq!(header("Forwarded").unwrap().as_str(), "forwarded");
        assert_eq!(header("a b"), None);
    }

    #[test]
    fn networks_are_addresses_or_prefixes() {
        let found = networks("10.1.2.3/8, ::ffff:192.0.2.1 fd00::/8").unwrap();
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.0.0.0/8", "192.0.2.1/32", "fd00::/8"]);
        let fault = networks("10.0.0.0/8, proxy.example.org").unwrap_err();
        assert_eq!(fault.entry.as_deref(), Some("proxy.example.org"));
    }

    #[test]
    fn proxies_may_be_host_names_but_not_mistyped_addresses() {
        let entries = proxy_entries("traefik 10.0.0.0/8,proxy_1.example").unwrap();
        let name = |name: &str| ProxyEntry::HostName(name.into());
        let network = ProxyEntry::Network("10.0.0.0/8".parse().unwrap());
        assert_eq!(entries, [name("traefik"), network, name("proxy_1.example")]);
        for wrong in ["10.0.0.300", "10.0.0.0/99", "a/b", "http://proxy", "a..b"] {
            let fault = proxy_entries(&format!("10.0.0.1,{wrong}")).unwrap_err();
            assert_eq!(fault.entry.as_deref(), Some(wrong));
        }
    }
}
