//! Splits a URL into its parts; several hosts are allowed. Errors never contain any of its text.

use super::{SettingSource, secret::Secret};
use percent_encoding::percent_decode_str;

/// The parts of a URL, percent-decoded except the path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UrlParts {
    pub(crate) scheme: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    /// Hosts without the brackets of IPv6; none in `unix:///path`.
    pub(crate) hosts: Vec<(String, Option<u16>)>,
    /// The path with its slash, still encoded.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) fragment: Option<String>,
}

/// What a URL says, and its parameters that have no effect here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedUrl<T> {
    /// The settings of the URL.
    pub value: T,
    /// Names of the parameters that are ignored, as written.
    pub ignored: Vec<String>,
}

impl<T> ParsedUrl<T> {
    /// The same with another value.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> ParsedUrl<U> {
        ParsedUrl { value: change(self.value), ignored: self.ignored }
    }

    /// One warning for each ignored parameter of the URL from this source.
    pub(crate) fn warnings(&self, source: &SettingSource) -> Vec<String> {
        let warning = |name| format!("{source}: the URL's parameter {name} has no effect here");
        self.ignored.iter().map(warning).collect()
    }
}

/// A parameter's name in a form that doesn't depend on the driver it was written for: `sslMode`,
/// `ssl-mode` and `ssl_mode` are the same.
pub(crate) fn normalize_parameter(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '-' | '_'));
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a parameter's value means yes or no.
pub(crate) fn parameter_switch(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

const ENCODE: &str = "In user names and passwords write % as %25, @ as %40, : as %3A, / as %2F, \
                      # as %23, ? as %3F";

impl UrlParts {
    /// Parses a URL of the form `scheme://user:password@host:port,host:port/path?name=value#fragment`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.trim().split_once(':').ok_or("expected a URL with a scheme")?;
        let well_formed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        if scheme.is_empty() || !scheme.chars().all(well_formed) {
            return Err("expected a URL that begins with its scheme".into());
        }
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (rest, fragment) = cut(rest, '#');
        let (rest, query) = cut(rest, '?');
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, hosts) = split_login(authority)?;
        let behind = [Some(path), query, fragment];
        if behind.iter().flatten().any(|text| text.contains('@')) {
            return Err(format!("this URL has an @ in the wrong place. {ENCODE}"));
        }
        let (user, password) = login.map(|login| cut(login, ':')).unwrap_or_default();
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            user: Some(decode(user)?).filter(|user| !user.is_empty()),
            password: password.map(decode).transpose()?.filter(|password| !password.is_empty()),
            hosts: hosts.iter().map(|text| host(text)).collect::<Result<_, _>>()?,
            path: path.to_owned(),
            query: query.map(pairs).transpose()?.unwrap_or_default(),
            fragment: fragment.map(str::to_owned),
        })
    }

    /// The only host, or `default` if there is none.
    pub(crate) fn only_host(&self, default: &str) -> Result<(String, Option<u16>), String> {
        match self.hosts.as_slice() {
            [] => Ok((default.to_owned(), None)),
            [host] => Ok(host.clone()),
            _ => Err("expected one host".into()),
        }
    }

    /// The decoded path without its slash.
    pub(crate) fn name(&self) -> Result<String, String> {
        decode(self.path.strip_prefix('/').unwrap_or(&self.path))
    }
}

/// The login and the hosts in `user:password@host1,host2`, where each host may repeat the login.
fn split_login(authority: &str) -> Result<(Option<&str>, Vec<&str>), String> {
    let parts: Vec<&str> = authority.split(',').filter(|part| !part.is_empty()).collect();
    let logins: Vec<_> = parts.iter().filter_map(|part| part.rsplit_once('@')).collect();
    if logins.len() > 1 && logins.len() == parts.len() {
        let (first, _) = logins[0];
        if logins.iter().any(|(login, _)| *login != first) {
            return Err(format!("expected the same user and password for all hosts. {ENCODE}"));
        }
        return Ok((Some(first), logins.iter().map(|(_, host)| *host).collect()));
    }
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (Some(login), hosts),
        None => (None, authority),
    };
    // Otherwise the hosts before the login would be taken for a part of the user name.
    let is_host = |text: &str| match text.split_once(':') {
        Some((_, port)) => !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()),
        None => true,
    };
    if login.and_then(|login| login.split_once(',')).is_some_and(|(first, _)| is_host(first)) {
        return Err(format!(
            "expected user and password before the first host. {ENCODE}, and a comma as %2C"
        ));
    }
    Ok((login, hosts.split(',').filter(|host| !host.is_empty()).collect()))
}

/// Splits at the first `mark`.
fn cut(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(before, behind)| (before, Some(behind)))
}

/// Percent-decodes; a `%` without two digits behind it is a forgotten `%25`.
pub(crate) fn decode(text: &str) -> Result<String, String> {
    let encoded = text.split('%').skip(1).all(|rest| {
        rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let decoded = percent_decode_str(text).decode_utf8();
    match decoded {
        Ok(decoded) if encoded => Ok(decoded.into_owned()),
        _ => Err(format!("the percent-encoding in this URL is broken. {ENCODE}")),
    }
}

/// Parses `host:port`, with brackets around IPv6.
pub(crate) fn host(text: &str) -> Result<(String, Option<u16>), String> {
    let broken = || format!("the host or port in this URL can't be read. {ENCODE}");
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or_else(broken)?;
        address.parse::<std::net::Ipv6Addr>().map_err(|_| broken())?;
        let port = match port {
            "" => None,
            port => Some(port.strip_prefix(':').ok_or_else(broken)?),
        };
        return Ok((address.to_owned(), port.map(|p| number(p, broken)).transpose()?));
    }
    let (name, port) = cut(text, ':');
    let name = decode(name)?;
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@') {
        return Err(broken());
    }
    Ok((name, port.map(|port| number(port, broken)).transpose()?))
}

fn number(port: &str, broken: impl Fn() -> String) -> Result<u16, String> {
    port.parse().map_err(|_| broken())
}

fn pairs(query: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = cut(pair, '=');
            Ok((decode(name)?, decode(value.unwrap_or_default())?))
        })
        .collect()
}

pub(crate) fn login(user: Option<&str>, password: Option<&Secret>) -> String {
    let user = user.unwrap_or_default();
    match password {
        Some(_) => format!("{user}:***@"),
        None if user.is_empty() => String::new(),
        None => format!("{user}@"),
    }
}

pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_parsed() {
        let url = "redis+sentinel://u%40x:p%3A%2F@[::1]:26379,b/my%2Fmaster/2?db=1&x#insecure";
        let parts = UrlParts::parse(url).unwrap();
        assert_eq!(parts.scheme, "redis+sentinel");
        assert_eq!((parts.user.as_deref(), parts.password.as_deref()), (Some("u@x"), Some("p:/")));
        assert_eq!(parts.hosts, [("::1".into(), Some(26379)), ("b".into(), None)]);
        assert_eq!(parts.path, "/my%2Fmaster/2");
        assert_eq!(parts.query, [("db".into(), "1".into()), ("x".into(), String::new())]);
        assert_eq!(parts.fragment.as_deref(), Some("insecure"));
    }

    #[test]
    fn each_of_several_hosts_may_repeat_the_login() {
        let parts = UrlParts::parse("redis://u:p@a:1,u:p@b,u:p@[::1]:2/0").unwrap();
        assert_eq!((parts.user.as_deref(), parts.password.as_deref()), (Some("u"), Some("p")));
        let hosts = [("a".into(), Some(1)), ("b".into(), None), ("::1".into(), Some(2))];
        assert_eq!(parts.hosts, hosts);
        for url in ["redis://u:p@a,u:q@b", "redis://a:1,u:p@b", "redis://a,b,u:p@c"] {
            assert!(UrlParts::parse(url).is_err(), "{url}");
        }
        let parts = UrlParts::parse("redis://u:p,q@a,b").unwrap();
        assert_eq!((parts.password.as_deref(), parts.hosts.len()), (Some("p,q"), 2));
    }

    #[test]
    fn a_password_that_was_not_encoded_is_explained() {
        for mark in ["/", "#", "?", "%", "@/"] {
            let error = UrlParts::parse(&format!("mysql://u:hunter{mark}2@host/db")).unwrap_err();
            assert!(error.contains("%25") && !error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn an_at_sign_in_a_password_is_accepted() {
        let parts = UrlParts::parse("mysql://u:p@ss@host/db").unwrap();
        assert_eq!(parts.password.as_deref(), Some("p@ss"));
        assert_eq!(parts.hosts, [("host".into(), None)]);
    }
}
