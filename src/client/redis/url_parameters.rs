//! Parameters of a Redis URL, in the spelling of the common clients.

use super::{
    RedisAddress, RedisSettings, RedisTls, RedisTopology,
    url::{DEFAULT_PORT, SENTINEL_PORT, verified},
};
use crate::config::url::{host, normalize_parameter, parameter_switch};
use std::path::PathBuf;

/// What the parameters say beyond the rest of the URL.
#[derive(Debug, Default)]
pub(super) struct RedisParameters {
    hosts: Vec<(String, Option<u16>)>,
    port: Option<u16>,
    database: Option<i64>,
    user: Option<String>,
    password: Option<String>,
    sentinel_user: Option<String>,
    sentinel_password: Option<String>,
    master: Option<String>,
    cluster: bool,
    tls: TlsParameters,
    /// Names of the parameters without an effect.
    pub(super) ignored: Vec<String>,
}

#[derive(Debug, Default)]
struct TlsParameters {
    wanted: bool,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    verify_peer: Option<bool>,
    verify_name: Option<bool>,
}

impl RedisParameters {
    /// Takes one parameter in.
    ///
    /// # Errors
    /// A known parameter has a value that can't be used.
    pub(super) fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        // PHP writes lists so: host[redis1:26379], stream[verify_peer], auth[0].
        let (outer, inner) = match name.split_once('[') {
            Some((outer, inner)) => (outer, inner.trim_end_matches(']')),
            None => (name, ""),
        };
        let key = match outer {
            "stream" | "ssl" | "ssl_context" if !inner.is_empty() => normalize_parameter(inner),
            "auth" if matches!(inner, "user" | "pass") => inner.to_owned(),
            _ => normalize_parameter(outer),
        };
        let given = if key == "host" && !inner.is_empty() { inner } else { value };
        let known = self.server(&key, given)? || self.login(&key, value) || self.tls(&key, value);
        if !known {
            self.ignored.push(name.to_owned());
        }
        Ok(())
    }

    fn server(&mut self, key: &str, value: &str) -> Result<bool, String> {
        match key {
            "db" | "database" | "dbindex" => self.database = Some(index(value)?),
            "host" | "hosts" => {
                for part in value.split(',').filter(|part| !part.is_empty()) {
                    self.hosts.push(host(part)?);
                }
            }
            "port" => {
                let port = value.parse().map_err(|_| "expected port to be a port number")?;
                self.port = Some(port);
            }
            "sentinelmaster" | "sentinelmasterid" | "sentinelmastername" | "redissentinel"
            | "mastername" | "mymaster" => self.master = Some(value.to_owned()),
            "rediscluster" | "cluster" => match parameter_switch(value) {
                Some(on) => self.cluster = on,
                None => return Ok(false),
            },
            // Both protocols carry all that is needed.
            "protocol" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn login(&mut self, key: &str, value: &str) -> bool {
        let target = match key {
            "user" | "username" => &mut self.user,
            "pass" | "password" | "auth" => &mut self.password,
            "sentineluser" | "sentinelusername" => &mut self.sentinel_user,
            "sentinelpassword" => &mut self.sentinel_password,
            _ => return false,
        };
        *target = Some(value.to_owned());
        true
    }

    fn tls(&mut self, key: &str, value: &str) -> bool {
        let (tls, switch) = (&mut self.tls, parameter_switch(value));
        match (key, switch) {
            ("tls" | "ssl" | "usessl", Some(on)) => tls.wanted |= on,
            ("verifypeer", Some(on)) => tls.verify_peer = Some(on),
            ("insecure" | "skipverify" | "tlsinsecure" | "insecureskipverify", Some(on)) => {
                tls.verify_peer = Some(!on);
            }
            ("verifypeername" | "sslcheckhostname" | "verifyhostname", Some(on)) => {
                tls.verify_name = Some(on);
            }
            ("sslcertreqs", _) => match value.to_ascii_lowercase().as_str() {
                "none" | "cert_none" => tls.verify_peer = Some(false),
                "required" | "cert_required" => tls.verify_peer = Some(true),
                _ => return false,
            },
            ("sslcacerts" | "cafile" | "sslcafile" | "sslca" | "tlsca", _) => {
                tls.ca = Some(value.into());
            }
            ("sslcertfile" | "localcert" | "sslcert" | "tlscert", _) => {
                tls.cert = Some(value.into());
            }
            ("sslkeyfile" | "localpk" | "sslkey" | "tlskey", _) => tls.key = Some(value.into()),
            _ => return false,
        }
        true
    }

    /// The port of a host in the URL that names none.
    pub(super) fn port_of_url(&self) -> u16 {
        if self.master.is_some() { SENTINEL_PORT } else { DEFAULT_PORT }
    }

    /// Adds the parameters to what the rest of the URL says; returns the names of those that don't
    /// fit it.
    ///
    /// # Errors
    /// The parameters contradict each other or the rest.
    pub(super) fn apply(self, settings: &mut RedisSettings) -> Result<Vec<String>, String> {
        let port = self.port.unwrap_or(self.port_of_url());
        let mut ignored = self.ignored;
        settings.database = self.database.unwrap_or(settings.database);
        settings.user = self.user.or_else(|| settings.user.take());
        settings.password = self.password.map(Into::into).or_else(|| settings.password.take());
        if !self.hosts.is_empty() {
            let addresses = self.hosts.into_iter();
            add_hosts(
                settings,
                addresses.map(|(host, own)| RedisAddress::Tcp(host, own.unwrap_or(port))),
            );
        } else if self.port.is_some() {
            ignored.push("port".to_owned());
        }
        if let Some(master) = self.master {
            make_sentinel(settings, master)?;
        }
        if self.cluster
            && let RedisTopology::Single(address @ RedisAddress::Tcp(..)) = &settings.topology
        {
            settings.topology = RedisTopology::Cluster(vec![address.clone()]);
        }
        match &mut settings.topology {
            RedisTopology::Sentinel { user, password, .. } => {
                *user = self.sentinel_user;
                *password = self.sentinel_password.map(Into::into);
            }
            _ if self.sentinel_user.is_some() || self.sentinel_password.is_some() => {
                ignored.push("sentinel-password".to_owned());
            }
            _ => {}
        }
        ignored.extend(self.tls.apply(settings)?);
        Ok(ignored)
    }
}

/// The hosts of the parameters; those of the URL's beginning stay.
fn add_hosts(settings: &mut RedisSettings, addresses: impl Iterator<Item = RedisAddress>) {
    let own = RedisAddress::Tcp("127.0.0.1".into(), DEFAULT_PORT);
    let mut all =
        match std::mem::replace(&mut settings.topology, RedisTopology::Single(own.clone())) {
            RedisTopology::Single(address) if address == own => Vec::new(),
            RedisTopology::Single(address) => vec![address],
            RedisTopology::Cluster(seeds) => seeds,
            RedisTopology::Sentinel { sentinels, master, user, password } => {
                let sentinels = sentinels.into_iter().chain(addresses).collect();
                settings.topology = RedisTopology::Sentinel { sentinels, master, user, password };
                return;
            }
        };
    all.extend(addresses);
    settings.topology = match <[RedisAddress; 1]>::try_from(all) {
        Ok([only]) => RedisTopology::Single(only),
        Err(several) => RedisTopology::Cluster(several),
    };
}

/// Hosts with the name of a master are sentinels.
fn make_sentinel(settings: &mut RedisSettings, master: String) -> Result<(), String> {
    let sentinels = match &settings.topology {
        RedisTopology::Single(address @ RedisAddress::Tcp(..)) => vec![address.clone()],
        RedisTopology::Cluster(seeds) => seeds.clone(),
        _ => return Err("expected sentinels on TCP with the name of a master".into()),
    };
    let (user, password) = (None, None);
    settings.topology = RedisTopology::Sentinel { sentinels, master, user, password };
    Ok(())
}

impl TlsParameters {
    fn apply(self, settings: &mut RedisSettings) -> Result<Vec<String>, String> {
        let client = match (self.cert, self.key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err("expected the client certificate and its key together".into()),
        };
        let given = self.ca.is_some()
            || client.is_some()
            || self.verify_peer.is_some()
            || self.verify_name.is_some();
        if self.wanted && settings.tls.is_none() {
            settings.tls = Some(verified());
        }
        let Some(RedisTls { ca, client: own, verify_peer, verify_name }) = &mut settings.tls else {
            let without = "the TLS parameters (the scheme is not rediss)".to_owned();
            return Ok(given.then_some(without).into_iter().collect());
        };
        *ca = self.ca;
        *own = client;
        *verify_peer = self.verify_peer.unwrap_or(*verify_peer);
        *verify_name = self.verify_name.unwrap_or(*verify_name);
        Ok(Vec::new())
    }
}

/// A database index.
pub(super) fn index(text: &str) -> Result<i64, String> {
    text.parse::<u16>().map(i64::from).map_err(|_| "expected the database to be a number".into())
}
