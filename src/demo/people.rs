//! Who is in the demo, and what config.php would say of it.

use crate::{
    client::{
        Delivery,
        database::{DatabaseSettings, Engine},
        redis::{Address, RedisSettings, Topology},
        websocket::{Request, VisitError, Visitor},
    },
    config::Entry,
    runtime::settings::Settings,
    server::{Bind, ListenSettings, StrangerLimits, proxy_settings::ProxySettings},
    services::{
        Boxed,
        nextcloud::{
            Feed, Instance,
            settings::{
                AuthSettings, AuthStep, DeliverySettings, InstanceSettings, NextcloudSettings,
                RECHECK_ROUND, ThrottleSettings, TwoFactor,
            },
        },
    },
    telemetry::log::LogSettings,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};
use tokio::{net::TcpStream, sync::mpsc};

/// A person's connection to the daemon.
pub type Client = Visitor<TcpStream>;

/// config.php's `secret` in the demo.
const SECRET: &str = "demo-secret";
/// There is no crowd in the demo.
const STRANGERS: usize = 100;

/// One of the demo's two users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Person {
    /// Owns the files.
    Alice,
    /// Sees the folder that she shares with him, and nothing else of hers.
    Bob,
}

impl Person {
    /// The user id.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
        }
    }

    /// The app password. No secret: it opens a database that is gone when the demo ends, through a
    /// port that only this machine reaches.
    pub fn password(self) -> &'static str {
        match self {
            Self::Alice => "demo-app-password-of-alice",
            Self::Bob => "demo-app-password-of-bob",
        }
    }
}

/// Logs a person in and asks for file ids.
///
/// # Errors
/// [`VisitError`].
pub async fn log_in(
    address: SocketAddr,
    person: Person,
    rng: fastrand::Rng,
) -> Result<Client, VisitError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let credentials = (person.name(), person.password());
    let mut client = Visitor::log_in(stream, &Request::default(), credentials, rng).await?;
    client.say("listen notify_file_id").await?;
    Ok(client)
}

/// The defaults, on a free port that only this machine reaches.
pub fn settings() -> Settings {
    let bind = Bind::Tcp { address: Some(Ipv4Addr::LOCALHOST.into()), port: 0 };
    Settings {
        listen: ListenSettings { bind: bind.clone(), tls: None, proxy_protocol: false },
        metrics: Vec::new(),
        admin: vec![ListenSettings { bind, tls: None, proxy_protocol: false }],
        log: LogSettings::default(),
        strangers: StrangerLimits { total: STRANGERS, per_address: STRANGERS },
        drain_time: Duration::from_millis(200),
    }
}

/// A Nextcloud over this database, told what comes out of `queue`.
pub fn host(database: PathBuf, queue: mpsc::Receiver<Delivery>) -> Vec<Entry<Boxed>> {
    let instance = Instance { settings: instance(database), feed: Feed::Memory(queue) };
    vec![Entry::only(Box::new(instance))]
}

fn instance(database: PathBuf) -> InstanceSettings {
    // Never connected to: the demo feeds the pipeline itself.
    let redis = Topology::Single(Address::Tcp("127.0.0.1".to_owned(), 6379));
    InstanceSettings {
        database: Some(DatabaseSettings {
            engine: Engine::Sqlite(database),
            prefix: "oc_".to_owned(),
        }),
        redis: RedisSettings {
            topology: redis,
            user: None,
            password: None,
            database: 0,
            tls: None,
        },
        nextcloud: NextcloudSettings {
            url: None,
            allow_self_signed: false,
            ca: None,
            user_agent: "notify_push demo".to_owned(),
            compat_version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        delivery: DeliverySettings::default(),
        auth: AuthSettings {
            steps: vec![AuthStep::Database],
            secret: Some(SECRET.into()),
            token_auth_enforced: false,
            two_factor: TwoFactor::default(),
            throttle: ThrottleSettings::default(),
            reauth_interval: Duration::from_secs(3600),
            recheck_round: RECHECK_ROUND,
        },
        proxies: ProxySettings { trusted: Vec::new(), headers: Vec::new() },
    }
}

#[cfg(test)]
mod tests {
    use super::{Person, SECRET};
    use sha2::{Digest as _, Sha512};
    use std::fmt::Write as _;

    #[test]
    fn the_tables_hold_the_app_passwords() {
        for person in [Person::Alice, Person::Bob] {
            let digest = Sha512::digest(format!("{}{SECRET}", person.password()));
            let mut hex = String::new();
            digest.iter().for_each(|byte| write!(hex, "{byte:02x}").unwrap());
            let row = format!("('{0}', '{0}', 1, 2, '{hex}')", person.name());
            assert!(super::super::TABLES.contains(&row), "{row}");
        }
    }
}
