//! Databases and Redis servers as URLs without their secrets, for `--dump-config`.

use crate::secret::Secret;
use crate::source::redis::{Address, RedisSettings, Topology};
use crate::store::{DatabaseTls, Engine, Server, ServerAddress, TlsMode};

/// `mysql://user:***@host:port/name?…`
pub fn show_engine(engine: &Engine) -> String {
    match engine {
        Engine::Sqlite(path) => format!("sqlite://{}", path.display()),
        Engine::MySql(server) => show_server("mysql", server),
        Engine::Postgres(server) => show_server("postgres", server),
    }
}

fn show_server(scheme: &str, server: &Server) -> String {
    let (host, first) = match &server.address {
        ServerAddress::Tcp(host, port) => (authority(host, *port), String::new()),
        ServerAddress::Unix(path, _) if scheme == "mysql" => {
            ("localhost".into(), format!("socket={}&", path.display()))
        }
        ServerAddress::Unix(path, port) => {
            (String::new(), format!("host={}&port={port}&", path.display()))
        }
    };
    let login = login(server.user.as_deref(), server.password.as_ref());
    let tls = show_tls(&server.tls);
    format!("{scheme}://{login}{host}/{}?{first}{tls}", server.database)
}

fn show_tls(tls: &DatabaseTls) -> String {
    let mode = match tls.mode {
        TlsMode::Disable => "disable",
        TlsMode::Prefer => "prefer",
        TlsMode::Require => "require",
        TlsMode::VerifyCa => "verify-ca",
        TlsMode::VerifyFull => "verify-full",
    };
    let mut text = format!("ssl-mode={mode}");
    for (name, path) in [("ssl-ca", &tls.ca), ("ssl-cert", &tls.cert), ("ssl-key", &tls.key)] {
        if let Some(path) = path {
            text.push_str(&format!("&{name}={}", path.display()));
        }
    }
    text
}

fn login(user: Option<&str>, password: Option<&Secret>) -> String {
    let user = user.unwrap_or_default();
    match password {
        Some(_) => format!("{user}:***@"),
        None if user.is_empty() => String::new(),
        None => format!("{user}@"),
    }
}

fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// `rediss://user:***@host:port/0`
pub fn show_redis(redis: &RedisSettings) -> String {
    let login = login(redis.user.as_deref(), redis.password.as_ref());
    let s = if redis.tls.is_some() { "s" } else { "" };
    let database = redis.database;
    let insecure = redis.tls.as_ref().is_some_and(|tls| !tls.verify_peer);
    let insecure = if insecure { "#insecure" } else { "" };
    match &redis.topology {
        Topology::Single(Address::Unix(path)) => {
            format!("unix://{login}{}?db={database}", path.display())
        }
        Topology::Single(address) => {
            format!(
                "redis{s}://{login}{}/{database}{insecure}",
                hosts(std::slice::from_ref(address))
            )
        }
        Topology::Cluster(seeds) => {
            format!("redis{s}://{login}{}{insecure}(cluster)", hosts(seeds))
        }
        Topology::Sentinel { sentinels, master, user, password } => {
            let user = user.as_ref().map(|user| format!("sentinel-user={user}"));
            let password = password.as_ref().map(|_| "sentinel-password=***".to_owned());
            let query = [user, password].into_iter().flatten().collect::<Vec<_>>().join("&");
            let query = if query.is_empty() { query } else { format!("?{query}") };
            let hosts = hosts(sentinels);
            format!("redis{s}+sentinel://{login}{hosts}/{master}/{database}{query}{insecure}")
        }
    }
}

fn hosts(addresses: &[Address]) -> String {
    let shown = addresses.iter().map(|address| match address {
        Address::Tcp(host, port) => authority(host, *port),
        Address::Unix(path) => path.display().to_string(),
    });
    shown.collect::<Vec<_>>().join(",")
}
