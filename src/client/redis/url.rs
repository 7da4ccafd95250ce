//! Parses `REDIS_URL`: one server, a cluster, or sentinels.

use super::{
    RedisAddress, RedisSettings, RedisTls, RedisTopology,
    url_parameters::{RedisParameters, index},
};
use crate::config::{
    secret::Secret,
    url::{ParsedUrl, UrlParts, authority, decode, login},
};
use std::path::PathBuf;

/// Redis' default port.
pub const DEFAULT_PORT: u16 = 6379;
pub(super) const SENTINEL_PORT: u16 = 26379;

const SCHEMES: &str = "expected a URL that begins with redis://, rediss:// (TLS), unix://, \
                       redis+unix://, redis+sentinel:// or rediss+sentinel://";

/// Settings for a topology, without login and TLS.
pub fn plain_redis(topology: RedisTopology) -> RedisSettings {
    RedisSettings { topology, user: None, password: None, database: 0, tls: None }
}

/// TLS with everything verified.
pub fn verified() -> RedisTls {
    RedisTls { ca: None, client: None, verify_peer: true, verify_name: true }
}

/// Parses one URL, or several that are the seeds of one cluster; each may itself be a list separated by
/// commas. The error is what was expected.
///
/// # Errors
/// A URL can't be used.
pub fn redis_urls(texts: &[String]) -> Result<ParsedUrl<RedisSettings>, String> {
    let (mut urls, mut ignored) = (Vec::new(), Vec::new());
    for url in texts.iter().flat_map(|text| split(text)) {
        let parsed = redis_url(&url)?;
        urls.push(parsed.value);
        ignored.extend(parsed.ignored);
    }
    let value = match urls.len() {
        0 | 1 => urls.pop().ok_or(SCHEMES)?,
        _ => cluster(urls)?,
    };
    if matches!(value.topology, RedisTopology::Cluster(_)) && value.database != 0 {
        return Err("expected no database index: a cluster has none".into());
    }
    Ok(ParsedUrl { value, ignored })
}

/// Merges several URLs into one cluster; they may differ only in their hosts.
fn cluster(urls: Vec<RedisSettings>) -> Result<RedisSettings, String> {
    let mut seeds = Vec::new();
    let mut common: Option<RedisSettings> = None;
    for mut url in urls {
        match std::mem::replace(&mut url.topology, RedisTopology::Cluster(Vec::new())) {
            RedisTopology::Single(address @ RedisAddress::Tcp(..)) => seeds.push(address),
            RedisTopology::Cluster(several) => seeds.extend(several),
            _ => {
                return Err("expected only seeds of one cluster where there are several URLs, \
                            each beginning with redis:// or rediss://"
                    .into());
            }
        }
        if common.as_ref().is_some_and(|common| *common != url) {
            return Err("expected all URLs of one cluster to have the same scheme, user and \
                        password"
                .into());
        }
        common = Some(url);
    }
    let common = common.ok_or(SCHEMES)?;
    Ok(RedisSettings { topology: RedisTopology::Cluster(seeds), ..common })
}

/// What stands between two URLs.
const SEPARATORS: [char; 5] = [',', ';', ' ', '\t', '\n'];

/// Splits at separators that precede a new URL; a password may contain separators.
fn split(text: &str) -> Vec<String> {
    let begins = |rest: &str| {
        let scheme = rest.split("://").next().unwrap_or_default();
        scheme.len() < rest.len()
            && ["redis", "valkey", "unix"].iter().any(|known| scheme.starts_with(known))
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-'))
    };
    let mut urls = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(SEPARATORS) {
        let rest = text[at..].trim_start_matches(SEPARATORS);
        if at >= start && begins(rest) {
            urls.push(&text[start..at]);
            start = text.len() - rest.len();
        }
    }
    urls.push(text.get(start..).unwrap_or_default());
    let urls = urls.into_iter().map(|url| url.trim_matches(SEPARATORS));
    urls.filter(|url| !url.is_empty()).map(str::to_owned).collect()
}

fn redis_url(text: &str) -> Result<ParsedUrl<RedisSettings>, String> {
    let mut parts = UrlParts::parse(text).map_err(|error| format!("{SCHEMES}; {error}"))?;
    let mut given = RedisParameters::default();
    for (name, value) in std::mem::take(&mut parts.query) {
        given.take(&name, &value)?;
    }
    let tls = || Some(verified());
    let mut settings = match parts.scheme.as_str() {
        "redis" | "valkey" => network(&parts, given.port_of_url())?,
        "rediss" | "valkeys" => {
            RedisSettings { tls: tls(), ..network(&parts, given.port_of_url())? }
        }
        "unix" | "redis+unix" | "redis+socket" | "redis-socket" => unix(&parts)?,
        "redis+sentinel" | "redis-sentinel" => sentinel(&parts)?,
        "rediss+sentinel" | "rediss-sentinel" => RedisSettings { tls: tls(), ..sentinel(&parts)? },
        _ => return Err(SCHEMES.into()),
    };
    settings.user = parts.user;
    settings.password = parts.password.map(Secret::from);
    let ignored = given.apply(&mut settings)?;
    match (parts.fragment.as_deref(), &mut settings.tls) {
        (None | Some(""), _) => {}
        (Some("insecure"), Some(tls)) => tls.verify_peer = false,
        _ => return Err("expected nothing behind # but insecure, and that only with TLS".into()),
    }
    Ok(ParsedUrl { value: settings, ignored })
}

fn network(parts: &UrlParts, port: u16) -> Result<RedisSettings, String> {
    let mut seeds = tcp(parts, port);
    let topology = match (seeds.pop(), seeds.is_empty()) {
        (None, _) => RedisTopology::Single(RedisAddress::Tcp("127.0.0.1".into(), DEFAULT_PORT)),
        (Some(only), true) => RedisTopology::Single(only),
        (Some(last), false) => {
            seeds.push(last);
            RedisTopology::Cluster(seeds)
        }
    };
    let database = match parts.name()?.trim_end_matches('/') {
        "" => 0,
        text => index(text)?,
    };
    Ok(RedisSettings { database, ..plain_redis(topology) })
}

fn tcp(parts: &UrlParts, port: u16) -> Vec<RedisAddress> {
    let hosts = parts.hosts.iter();
    hosts.map(|(host, own)| RedisAddress::Tcp(host.clone(), own.unwrap_or(port))).collect()
}

fn unix(parts: &UrlParts) -> Result<RedisSettings, String> {
    if !parts.hosts.is_empty() || parts.path.len() < 2 {
        return Err(
            "expected an absolute path behind unix://, such as unix:///run/redis.sock".into()
        );
    }
    Ok(plain_redis(RedisTopology::Single(RedisAddress::Unix(PathBuf::from(decode(&parts.path)?)))))
}

fn sentinel(parts: &UrlParts) -> Result<RedisSettings, String> {
    let path = parts.path.trim_matches('/');
    let (master, database) = path.split_once('/').unwrap_or((path, "0"));
    let sentinels = tcp(parts, SENTINEL_PORT);
    if master.is_empty() || sentinels.is_empty() {
        return Err("expected sentinels and the master's name, such as \
                    redis+sentinel://host1:26379,host2:26379/mymaster"
            .into());
    }
    let master = decode(master)?;
    let topology = RedisTopology::Sentinel { sentinels, master, user: None, password: None };
    Ok(RedisSettings { database: index(database)?, ..plain_redis(topology) })
}

/// Shows a Redis server without secrets: `rediss://user:***@host:port/0`
pub fn show_redis(redis: &RedisSettings) -> String {
    let login = login(redis.user.as_deref(), redis.password.as_ref());
    let s = if redis.tls.is_some() { "s" } else { "" };
    let database = redis.database;
    let insecure = redis.tls.as_ref().is_some_and(|tls| !tls.verify_peer);
    let insecure = if insecure { "#insecure" } else { "" };
    match &redis.topology {
        RedisTopology::Single(RedisAddress::Unix(path)) => {
            format!("unix://{login}{}?db={database}", path.display())
        }
        RedisTopology::Single(address) => {
            format!(
                "redis{s}://{login}{}/{database}{insecure}",
                hosts(std::slice::from_ref(address))
            )
        }
        RedisTopology::Cluster(seeds) => {
            format!("redis{s}://{login}{}{insecure}(cluster)", hosts(seeds))
        }
        RedisTopology::Sentinel { sentinels, master, user, password } => {
            let user = user.as_ref().map(|user| format!("sentinel-user={user}"));
            let password = password.as_ref().map(|_| "sentinel-password=***".to_owned());
            let query = [user, password].into_iter().flatten().collect::<Vec<_>>().join("&");
            let query = if query.is_empty() { query } else { format!("?{query}") };
            let hosts = hosts(sentinels);
            format!("redis{s}+sentinel://{login}{hosts}/{master}/{database}{query}{insecure}")
        }
    }
}

fn hosts(addresses: &[RedisAddress]) -> String {
    let shown = addresses.iter().map(|address| match address {
        RedisAddress::Tcp(host, port) => authority(host, *port),
        RedisAddress::Unix(path) => path.display().to_string(),
    });
    shown.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(texts: &[&str]) -> Result<String, String> {
        let texts: Vec<_> = texts.iter().map(|&text| text.to_owned()).collect();
        redis_urls(&texts).map(|url| show_redis(&url.value))
    }

    #[test]
    fn urls_become_topologies() {
        for (urls, expected) in [
            (&["redis://r"][..], "redis://r:6379/0"),
            (&["redis://u:p%2F@r:1/3"], "redis://u:***@r:1/3"),
            (&["redis://:p@r?db=4"], "redis://:***@r:6379/4"),
            (&["rediss://r#insecure"], "rediss://r:6379/0#insecure"),
            (&["unix:///run/r.sock?db=2&pass=x"], "unix://:***@/run/r.sock?db=2"),
            (&["redis+unix://u:p@/run/r.sock"], "unix://u:***@/run/r.sock?db=0"),
            (&["redis://a:7000", "redis://b:7001"], "redis://a:7000,b:7001(cluster)"),
            (&["redis://u:p@a:7000,redis://u:p@b"], "redis://u:***@a:7000,b:6379(cluster)"),
            (&["rediss://u:p@a:7000,b:7001"], "rediss://u:***@a:7000,b:7001(cluster)"),
            (
                &["redis+sentinel://u:p@h1,[::1]:26380/mymaster/2?sentinel-password=s"],
                "redis+sentinel://u:***@h1:26379,[::1]:26380/mymaster/2?sentinel-password=***",
            ),
            (&["rediss+sentinel://h/m"], "rediss+sentinel://h:26379/m/0"),
            (&["redis://u:p@a:1,u:p@b:2"], "redis://u:***@a:1,b:2(cluster)"),
            (&["redis://a:1 redis://b:2"], "redis://a:1,b:2(cluster)"),
            (&["redis://:p,;q@a:1 , redis://:p,;q@b:2,"], "redis://:***@a:1,b:2(cluster)"),
            (&["redis://a:1?host=b:2"], "redis://a:1,b:2(cluster)"),
            (&["redis://a?redis_cluster=1"], "redis://a:6379(cluster)"),
            (&["redis:?host[a:1]&host[b]&redis_sentinel=m"], "redis+sentinel://a:1,b:26379/m/0"),
            (&["redis://a,b:2?master_name=m&db=3"], "redis+sentinel://a:26379,b:2/m/3"),
            (&["redis://r?auth=p&ssl=true&skip_verify=true"], "rediss://:***@r:6379/0#insecure"),
            (&["rediss://r?ssl_cert_reqs=none"], "rediss://r:6379/0#insecure"),
            (&["rediss://r?ssl_cert_reqs=CERT_REQUIRED"], "rediss://r:6379/0"),
            (&["rediss://r?stream[verify_peer]=0"], "rediss://r:6379/0#insecure"),
        ] {
            assert_eq!(shown(urls), Ok(expected.into()), "{urls:?}");
        }
    }

    #[test]
    fn parameters_without_an_effect_are_named() {
        for (url, ignored) in [
            (
                "redis://r?timeout=5&prefix=nc&read_timeout=1",
                &["timeout", "prefix", "read_timeout"][..],
            ),
            ("redis://r?protocol=3", &[]),
            ("redis://r?ssl_cert_reqs=none", &["the TLS parameters (the scheme is not rediss)"]),
            ("redis://r?sentinel-password=x", &["sentinel-password"]),
            ("redis://r?nope", &["nope"]),
        ] {
            assert_eq!(redis_urls(&[url.to_owned()]).unwrap().ignored, ignored, "{url}");
        }
    }

    #[test]
    fn errors_do_not_contain_the_password() {
        for (urls, says) in [
            (&["http://u:hunter2@r"][..], "rediss://"),
            (&["redis://u:hunter2@r/x"], "number"),
            (&["redis://u:hunter2@r#nope"], "insecure"),
            (&["redis://u:hunter2@r#insecure"], "TLS"),
            (&["redis://u:hunter2@a", "redis://u:hunter3@b"], "same"),
            (&["redis://u:hunter2@a/1", "redis://u:hunter2@b/1"], "index"),
            (&["redis://a,unix:///s"], "seeds"),
            (&["redis+sentinel://u:hunter2@a"], "mymaster"),
            (&["redis+sentinel://a/m", "redis://b"], "seeds"),
            (&["unix://run/r.sock"], "absolute"),
        ] {
            let error = shown(urls).unwrap_err();
            assert!(error.contains(says) && !error.contains("hunter"), "{urls:?}: {error}");
        }
    }
}
