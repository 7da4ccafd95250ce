//! Settings of a Redis connection: address, topology, login, TLS.

use crate::config::secret::Secret;
use std::path::PathBuf;

/// The address of a Redis server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisAddress {
    /// Host name or address (no brackets around IPv6) and port.
    Tcp(String, u16),
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// How the servers form one Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisTopology {
    /// A single server.
    Single(RedisAddress),
    /// Redis Cluster: the daemon connects to any seed.
    Cluster(Vec<RedisAddress>),
    /// Sentinels that know the address of a master.
    Sentinel {
        /// The sentinels' addresses; the daemon queries any.
        sentinels: Vec<RedisAddress>,
        /// The master's name (`mymaster`).
        master: String,
        /// The sentinels' own user and password, when they have one.
        user: Option<String>,
        /// The password for `user`.
        password: Option<Secret>,
    },
}

impl RedisTopology {
    /// The servers in a normal form, so that the same server has the same text however it is written.
    /// The database is no part of it, since Redis publishes to all its databases.
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

/// TLS settings for Redis. `specs/nextcloud.md` section 8: `redis.ssl_context` and `REDIS_TLS_*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisTls {
    /// CA file (PEM); `None`: the system's authorities.
    pub ca: Option<PathBuf>,
    /// Client certificate and key (PEM).
    pub client: Option<(PathBuf, PathBuf)>,
    /// `false`: any certificate is accepted (`verify_peer=false`, `--redis-tls-insecure`).
    pub verify_peer: bool,
    /// `false`: the chain is verified, the name in it is not.
    pub verify_name: bool,
}

/// All settings of a Redis connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// The sentinels' addresses.
    pub topology: RedisTopology,
    /// The ACL user.
    pub user: Option<String>,
    /// The password of that user.
    pub password: Option<Secret>,
    /// Database index (0 in a cluster).
    pub database: i64,
    /// TLS settings, if the connection uses TLS.
    pub tls: Option<RedisTls>,
}

#[cfg(test)]
mod tests {
    use super::{RedisAddress, RedisTopology};

    #[test]
    fn one_server_has_one_normal_form() {
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
