//! Splits a URL into its parts; several hosts are allowed. Errors never contain any of its text.

use super::secret::Secret;
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

const ENCODE: &str = "In user names and passwords write % as %25, @ as %40, : as %3A, / as %2F, \
                      # as %23, ? as %3F";

impl UrlParts {
    /// Cuts `scheme://user:password@host:port,host:port/path?name=value#fragment`.
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
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        let behind = [Some(path), query, fragment];
        if behind.iter().flatten().any(|text| text.contains('@')) {
            return Err(format!("this URL has an @ in the wrong place. {ENCODE}"));
        }
        let (user, password) = login.map(|login| cut(login, ':')).unwrap_or_default();
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            user: Some(decode(user)?).filter(|user| !user.is_empty()),
            password: password.map(decode).transpose()?.filter(|password| !password.is_empty()),
            hosts: hosts
                .split(',')
                .filter(|host| !host.is_empty())
                .map(host)
                .collect::<Result<_, _>>()?,
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

fn host(text: &str) -> Result<(String, Option<u16>), String> {
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
            Ok((decode(name)?.to_ascii_lowercase(), decode(value.unwrap_or_default())?))
        })
        .collect()
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
