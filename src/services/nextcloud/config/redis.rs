//! `redis`, `redis.cluster`, and `notify_push_redis*`, which take precedence.

use super::{
    keys::{ConfigEntry, ConfigKeys},
    redis_tls,
};
use crate::{
    client::redis::{REDIS_PORT, RedisAddress, RedisSettings, RedisTopology, plain_redis},
    config::{ConfigError, ConfigFileValue, SourcedValue},
};

/// Where Nextcloud looks for Redis when the section names no host.
const DEFAULT_HOST: &str = "127.0.0.1";

/// The first of the four sections that is there; a cluster before a single server, as Nextcloud has
/// it.
pub(super) fn redis(keys: &ConfigKeys) -> ConfigFileValue<RedisSettings> {
    for (name, read) in [
        ("notify_push_redis.cluster", cluster as fn(&ConfigEntry<'_>) -> _),
        ("notify_push_redis", single),
        ("redis.cluster", cluster),
        ("redis", single),
    ] {
        let Some(section) = keys.get(name)? else { continue };
        if section.array()?.is_empty() {
            continue;
        }
        let mut value: RedisSettings = read(&section)?;
        value.user = section.get_text("user")?;
        value.password = section.get_text("password")?.map(Into::into);
        return Ok(Some(SourcedValue { value, source: section.source }));
    }
    Ok(None)
}

fn single(section: &ConfigEntry<'_>) -> Result<RedisSettings, ConfigError> {
    let host = section.get("host")?;
    let text = host.as_ref().map(ConfigEntry::text).transpose()?.filter(|text| !text.is_empty());
    let port = section.get("port")?.map(|entry| entry.port()).transpose()?.flatten();
    let (address, secure) = address(text.as_deref().unwrap_or(DEFAULT_HOST), port)
        .ok_or_else(|| host.as_ref().unwrap_or(section).invalid(EXPECTED))?;
    let mut settings = plain_redis(RedisTopology::Single(address));
    settings.database = match section.get("dbindex")? {
        Some(entry) => database(&entry)?,
        None => 0,
    };
    settings.tls = secure.then(|| redis_tls::tls(section)).transpose()?;
    Ok(settings)
}

fn database(entry: &ConfigEntry<'_>) -> Result<i64, ConfigError> {
    let index = entry.number()?.unwrap_or_default();
    if index < 0 { Err(entry.invalid("expected a database index from 0 on")) } else { Ok(index) }
}

fn cluster(section: &ConfigEntry<'_>) -> Result<RedisSettings, ConfigError> {
    let seeds = section.get("seeds")?.ok_or_else(|| section.invalid(NO_SEEDS))?;
    let mut addresses = Vec::new();
    // phpredis speaks TLS to a cluster as soon as it is given a context for it.
    let mut secure = section.get("ssl_context")?.is_some_and(|context| context.value.as_bool());
    for seed in seeds.list()? {
        match address(&seed.text()?, None) {
            Some((address @ RedisAddress::Tcp(..), tls)) => {
                addresses.push(address);
                secure |= tls;
            }
            _ => return Err(seed.invalid("expected host:port")),
        }
    }
    if addresses.is_empty() {
        return Err(seeds.invalid(NO_SEEDS));
    }
    let tls = secure.then(|| redis_tls::tls(section)).transpose()?;
    Ok(RedisSettings { tls, ..plain_redis(RedisTopology::Cluster(addresses)) })
}

const NO_SEEDS: &str = "a cluster needs seeds, such as 'seeds' => ['host1:7000', 'host2:7000']";
const EXPECTED: &str = "expected a host such as 127.0.0.1, the path of a socket, or tls://host";

/// An address as phpredis understands it, and whether it asks for TLS. A port of 0 is none.
fn address(host: &str, port: Option<u16>) -> Option<(RedisAddress, bool)> {
    let host = host.trim();
    let (scheme, rest) = host.split_once("://").unwrap_or(("", host));
    let secure = match scheme.to_ascii_lowercase().as_str() {
        "" | "tcp" | "redis" => false,
        "tls" | "ssl" | "rediss" => true,
        "unix" if rest.starts_with('/') => return Some((RedisAddress::Unix(rest.into()), false)),
        _ => return None,
    };
    if rest.starts_with('/') {
        return (scheme.is_empty()).then(|| (RedisAddress::Unix(rest.into()), false));
    }
    let (name, own) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (name, behind) = rest.split_once(']')?;
            (name, behind.strip_prefix(':'))
        }
        None if rest.matches(':').count() > 1 => (rest, None),
        None => rest.split_once(':').map_or((rest, None), |(name, own)| (name, Some(own))),
    };
    let own =
        own.map(|own| own.parse().ok()).map_or(Some(None), |own: Option<u16>| own.map(Some))?;
    let port = port.or(own).filter(|port| *port != 0).unwrap_or(REDIS_PORT);
    let usable = !name.is_empty() && !name.contains(['/', '@', ' ']);
    usable.then(|| (RedisAddress::Tcp(name.to_owned(), port), secure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_as_phpredis_takes_them() {
        let tcp = |host: &str, port| RedisAddress::Tcp(host.into(), port);
        for (host, port, expected) in [
            ("r", None, Some((tcp("r", 6379), false))),
            ("r", Some(1), Some((tcp("r", 1), false))),
            ("r:7000", None, Some((tcp("r", 7000), false))),
            ("tls://r", Some(6380), Some((tcp("r", 6380), true))),
            ("tls://r:6381", None, Some((tcp("r", 6381), true))),
            ("rediss://r", None, Some((tcp("r", 6379), true))),
            ("[::1]:7000", None, Some((tcp("::1", 7000), false))),
            ("::1", Some(7000), Some((tcp("::1", 7000), false))),
            ("/run/r.sock", Some(0), Some((RedisAddress::Unix("/run/r.sock".into()), false))),
            ("unix:///run/r.sock", None, Some((RedisAddress::Unix("/run/r.sock".into()), false))),
            ("http://r", None, None),
            ("tls:///run/r.sock", None, None),
            ("r:port", None, None),
            ("u:p@r", None, None),
            ("", None, None),
        ] {
            assert_eq!(address(host, port), expected, "{host}");
        }
    }
}
