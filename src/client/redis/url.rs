//! `REDIS_URL`: one server, a cluster, sentinels.

use crate::{
    client::redis::{RedisAddress, RedisSettings, RedisTls, RedisTopology},
    config::{
        secret::Secret,
        url::{UrlParts, authority, decode, login},
    },
};
use std::path::PathBuf;

/// Redis' own port.
pub const DEFAULT_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

const SCHEMES: &str = "expected a URL that begins with redis://, rediss:// (TLS), unix://, \
                       redis+unix://, redis+sentinel:// or rediss+sentinel://";

/// Settings for a topology, without log-in and TLS.
pub fn plain_redis(topology: RedisTopology) -> RedisSettings {
    RedisSettings { topology, user: None, password: None, database: 0, tls: None }
}

/// TLS with everything verified.
pub fn verified() -> RedisTls {
    RedisTls { ca: None, client: None, verify_peer: true, verify_name: true }
}

/// Reads one URL, or several that are the seeds of one cluster; each may itself be several with
/// commas between. Fails with what was expected.
pub fn redis_urls(texts: &[String]) -> Result<RedisSettings, String> {
    let urls = texts.iter().flat_map(|text| split(text)).map(|url| redis_url(&url));
    let mut urls = urls.collect::<Result<Vec<_>, _>>()?;
    let settings = match urls.len() {
        0 | 1 => urls.pop().ok_or(SCHEMES)?,
        _ => cluster(urls)?,
    };
    if matches!(settings.topology, RedisTopology::Cluster(_)) && settings.database != 0 {
        return Err("expected no database index: a cluster has none".into());
    }
    Ok(settings)
}

/// One cluster out of several URLs, which may differ in nothing but their hosts.
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

/// Cuts at commas behind which a new URL begins.
fn split(text: &str) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        let begins =
            ["redis", "unix"].iter().any(|scheme| part.starts_with(scheme)) && part.contains("://");
        match urls.last_mut() {
            Some(url) if !begins => {
                url.push(',');
                url.push_str(part);
            }
            _ => urls.push(part.to_owned()),
        }
    }
    urls
}

fn redis_url(text: &str) -> Result<RedisSettings, String> {
    let parts = UrlParts::parse(text).map_err(|error| format!("{SCHEMES}; {error}"))?;
    let mut settings = match parts.scheme.as_str() {
        "redis" | "valkey" => network(&parts)?,
        "rediss" | "valkeys" => RedisSettings { tls: Some(verified()), ..network(&parts)? },
        "unix" | "redis+unix" => unix(&parts)?,
        "redis+sentinel" => sentinel(&parts)?,
        "rediss+sentinel" => RedisSettings { tls: Some(verified()), ..sentinel(&parts)? },
        _ => return Err(SCHEMES.into()),
    };
    settings.user = parts.user;
    settings.password = parts.password.map(Secret::from);
    for (name, value) in parts.query {
        parameter(&mut settings, &name, value)?;
    }
    match (parts.fragment.as_deref(), &mut settings.tls) {
        (None | Some(""), _) => {}
        (Some("insecure"), Some(tls)) => tls.verify_peer = false,
        _ => return Err("expected nothing behind # but insecure, and that only with TLS".into()),
    }
    Ok(settings)
}

fn parameter(settings: &mut RedisSettings, name: &str, value: String) -> Result<(), String> {
    match (name, &mut settings.topology) {
        ("db", _) => settings.database = index(&value)?,
        ("user" | "username", _) => settings.user = Some(value),
        ("pass" | "password", _) => settings.password = Some(value.into()),
        ("sentinel-user", RedisTopology::Sentinel { user, .. }) => *user = Some(value),
        ("sentinel-password", RedisTopology::Sentinel { password, .. }) => {
            *password = Some(value.into())
        }
        // Which of Redis' protocols is spoken changes nothing for whoever asks for one.
        ("protocol", _) => {}
        _ => {
            return Err("the URL holds a parameter that is not known; known are db, user, \
                        password, and for sentinels sentinel-user, sentinel-password"
                .into());
        }
    }
    Ok(())
}

fn index(text: &str) -> Result<i64, String> {
    text.parse::<u16>().map(i64::from).map_err(|_| "expected the database to be a number".into())
}

fn network(parts: &UrlParts) -> Result<RedisSettings, String> {
    let mut seeds = tcp(parts, DEFAULT_PORT);
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

/// `rediss://user:***@host:port/0`
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
    use crate::client::redis::show_redis;

    fn shown(texts: &[&str]) -> Result<String, String> {
        let texts: Vec<_> = texts.iter().map(|&text| text.to_owned()).collect();
        redis_urls(&texts).map(|settings| show_redis(&settings))
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
        ] {
            assert_eq!(shown(urls), Ok(expected.into()), "{urls:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (urls, says) in [
            (&["http://u:hunter2@r"][..], "rediss://"),
            (&["redis://u:hunter2@r/x"], "number"),
            (&["redis://u:hunter2@r#nope"], "insecure"),
            (&["redis://u:hunter2@r#insecure"], "TLS"),
            (&["redis://u:hunter2@r?nope=1"], "db"),
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
