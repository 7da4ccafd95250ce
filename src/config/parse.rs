//! Texts into values. Each function fails with what it expected, never with what it got.

use crate::telemetry::log::{LogFilter, LogFilterError, LogStyle};
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use std::{net::IpAddr, path::PathBuf, time::Duration};

/// What was expected.
pub type ExpectedFormat = String;

/// Yes or no.
pub fn switch(text: &str) -> Result<bool, ExpectedFormat> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("expected true or false (or 1, 0, yes, no, on, off)".into()),
    }
}

/// A port; 0: any.
pub fn port(text: &str) -> Result<u16, ExpectedFormat> {
    text.trim().parse().map_err(|_| "expected a port number from 0 to 65535".into())
}

/// A number from 0 on.
pub fn count<N: std::str::FromStr>(text: &str) -> Result<N, ExpectedFormat> {
    text.trim().parse().map_err(|_| "expected a number that is not negative, nor huge".into())
}

/// A number from 1 on.
pub fn positive(text: &str) -> Result<usize, ExpectedFormat> {
    count(text).ok().filter(|number| *number > 0).ok_or("expected a number from 1 on".into())
}

/// A prefix length.
pub fn bits(text: &str, most: u8) -> Result<u8, ExpectedFormat> {
    let bits = text.trim().trim_start_matches('/').parse().ok();
    bits.filter(|bits| (1..=most).contains(bits))
        .ok_or_else(|| format!("expected a number of bits from 1 to {most}"))
}

/// An address without a port.
pub fn address(text: &str) -> Result<IpAddr, ExpectedFormat> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| {
        "expected an IP address such as 127.0.0.1 or ::1; the port is a setting of its own".into()
    })
}

/// `0660`, `660`, `0o660`.
pub fn permissions(text: &str) -> Result<u32, ExpectedFormat> {
    let digits = text.trim().trim_start_matches("0o");
    let bits = u32::from_str_radix(digits, 8).ok().filter(|bits| *bits <= 0o777);
    bits.ok_or_else(|| "expected permissions in octal, such as 0660".into())
}

/// A path, as it is.
pub fn path(text: &str) -> Result<PathBuf, ExpectedFormat> {
    Ok(PathBuf::from(text))
}

/// The longest time that can be set: a hundred years and more.
const MAX_SECONDS: u64 = 1 << 32;

/// Seconds; with `s`, `m`, `h` or `d` behind the number, what they say.
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

/// What to log.
pub fn filter(text: &str) -> Result<LogFilter, ExpectedFormat> {
    LogFilter::parse(text).map_err(|error: LogFilterError| error.to_string())
}

/// How the log looks.
pub fn log_style(text: &str) -> Result<LogStyle, ExpectedFormat> {
    match text.trim() {
        "text" => Ok(LogStyle::Text),
        "json" => Ok(LogStyle::Json),
        _ => Err("expected text or json".into()),
    }
}

/// The parts of a list with commas or blanks between.
pub fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty())
}

/// An address or a network (`10.0.0.0/8`).
pub fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let net = text.parse::<IpNet>().map(|net| net.trunc()).ok();
    net.or_else(|| text.parse::<IpAddr>().map(|address| address.to_canonical().into()).ok())
}

/// Several of them.
pub fn networks(text: &str) -> Result<Vec<IpNet>, ExpectedFormat> {
    let networks = list(text).map(network).collect::<Option<Vec<_>>>();
    networks.ok_or_else(|| "expected addresses and networks such as 127.0.0.1, 10.0.0.0/8".into())
}

/// A header's name, also as PHP and config.php write it: `HTTP_X_FORWARDED_FOR`.
pub fn header(text: &str) -> Option<HeaderName> {
    let text = text.trim();
    let name = match text.strip_prefix("HTTP_") {
        Some(php) => php.replace('_', "-"),
        None => text.to_owned(),
    };
    HeaderName::from_bytes(name.as_bytes()).ok()
}

/// Several of them, one at least.
pub fn headers(text: &str) -> Result<Vec<HeaderName>, ExpectedFormat> {
    let names = list(text).map(header).collect::<Option<Vec<_>>>();
    names
        .filter(|names| !names.is_empty())
        .ok_or_else(|| "expected names of headers such as X-Forwarded-For".into())
}

/// What can stand in a header.
pub fn user_agent(text: &str) -> Result<String, ExpectedFormat> {
    HeaderValue::from_str(text).map_err(|_| "expected text without line breaks".to_owned())?;
    Ok(text.to_owned())
}

/// `major.minor.patch`
pub fn version(text: &str) -> Result<String, ExpectedFormat> {
    let text = text.trim();
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if text.split('.').count() == 3 && text.split('.').all(numeric) {
        Ok(text.to_owned())
    } else {
        Err("expected a version such as 1.4.0".into())
    }
}

/// What names of tables begin with.
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
    fn switches_take_what_people_write() {
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
    fn durations_have_units_and_an_end() {
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
        assert!(networks("proxy.example.org").is_err());
    }
}
