//! Where Redis is and how to log in there.

use crate::config::secret::Secret;
use std::path::PathBuf;

/// A place where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisAddress {
    /// Host name or address (no brackets around IPv6) and port.
    Tcp(String, u16),
    /// A unix socket.
    Unix(PathBuf),
}

/// How the Redis servers belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisTopology {
    /// One server.
    Single(RedisAddress),
    /// Redis Cluster: any seed that answers will do.
    Cluster(Vec<RedisAddress>),
    /// Sentinels that know where the master with this name is.
    Sentinel {
        /// The sentinels' addresses; any that answers will do.
        sentinels: Vec<RedisAddress>,
        /// The master's name (`mymaster`).
        master: String,
        /// The sentinels' own user and password, when they have one.
        user: Option<String>,
        /// See `user`.
        password: Option<Secret>,
    },
}

impl RedisTopology {
    /// The servers that are listened to, so that the same one has the same text however it is
    /// written: Redis publishes to all its databases, so the database is no part of it.
    pub fn servers(&self) -> Vec<String> {
        match self {
            Self::Single(at) => vec![at.server()],
            Self::Cluster(seeds) => seeds.iter().map(RedisAddress::server).collect(),
            Self::Sentinel { sentinels, master, .. } => {
                sentinels.iter().map(|at| format!("{master} of {}", at.server())).collect()
            }
        }
    }
}

impl RedisAddress {
    fn server(&self) -> String {
        match self {
            Self::Tcp(host, port) => {
                let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
                let ip = host.parse::<std::net::IpAddr>().ok().map(|ip| ip.to_canonical());
                let host = match ip {
                    Some(ip) if ip.is_loopback() => "localhost".to_owned(),
                    Some(ip) => ip.to_string(),
                    None => host,
                };
                format!("{host}:{port}")
            }
            Self::Unix(path) => path.display().to_string(),
        }
    }
}

/// TLS towards Redis. `specs/nextcloud.md` section 8: `redis.ssl_context` and `REDIS_TLS_*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisTls {
    /// CA file (PEM); `None` means the system's.
    pub ca: Option<PathBuf>,
    /// Client certificate and key (PEM).
    pub client: Option<(PathBuf, PathBuf)>,
    /// `false`: any certificate will do (`verify_peer=false`, `--redis-tls-insecure`).
    pub verify_peer: bool,
    /// `false`: the chain is verified, the name in it is not.
    pub verify_name: bool,
}

/// Everything needed to reach Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// Which servers.
    pub topology: RedisTopology,
    /// ACL user.
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Database index (0 in a cluster).
    pub database: i64,
    /// TLS, when the connection uses it.
    pub tls: Option<RedisTls>,
}

#[cfg(test)]
mod tests {
    use super::{RedisAddress, RedisTopology};

    #[test]
    fn one_server_has_one_text_however_it_is_written() {
        let server =
            |host: &str| RedisTopology::Single(RedisAddress::Tcp(host.to_owned(), 6379)).servers();
        for alike in [
            &["localhost", "127.0.0.1", "::1", "::ffff:127.0.0.1", "LOCALHOST."][..],
            &["10.0.0.1", "::ffff:10.0.0.1"],
            &["2001:db8::1", "2001:DB8:0:0::1", "[2001:db8::1]"],
            &["redis.example", "Redis.Example."],
        ] {
            for host in alike {
                assert_eq!(server(host), server(alike[0]), "{host}");
            }
        }
        assert_ne!(server("10.0.0.1"), server("10.0.0.2"));
    }
}
