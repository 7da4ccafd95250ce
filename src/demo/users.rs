//! The demo's users and the settings of its daemon and Nextcloud.

use crate::{
    client::{
        SourceEvent,
        database::{DatabaseEngine, DatabaseSettings},
        redis::{RedisAddress, RedisSettings, RedisTopology},
        websocket::{UpgradeRequest, WebSocketClient, WebSocketClientError},
    },
    config::ServiceEntry,
    runtime::settings::DaemonSettings,
    server::{BindAddress, ListenSettings, PreAuthLimits, proxy_settings::ProxySettings},
    services::{
        BoxedService,
        nextcloud::{
            NextcloudEventSource, NextcloudService,
            settings::{
                AuthSettings, AuthStep, CompatVersion, DeliverySettings, NextcloudHttpSettings,
                NextcloudServiceSettings, RECHECK_ROUND, ThrottleSettings, TokenCheck,
                TwoFactorPolicy,
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

/// A user's connection to the daemon.
pub type DemoClient = WebSocketClient<TcpStream>;

/// The demo's `secret` of config.php.
const SECRET: &str = "demo-secret";
/// The limit of unauthenticated connections; the demo has few clients.
const PRE_AUTH_LIMIT: usize = 100;

/// One of the demo's two users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DemoPerson {
    /// The owner of the files.
    Alice,
    /// A user that alice shares one folder with.
    Bob,
}

impl DemoPerson {
    /// The user id.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
        }
    }

    /// The app password. It is no secret: it is valid only in the demo, on a port of this machine.
    pub fn password(self) -> &'static str {
        match self {
            Self::Alice => "demo-app-password-of-alice",
            Self::Bob => "demo-app-password-of-bob",
        }
    }
}

/// Logs a user in and subscribes to file ids.
///
/// # Errors
/// [`WebSocketClientError`].
pub async fn log_in(
    address: SocketAddr,
    person: DemoPerson,
    rng: fastrand::Rng,
) -> Result<DemoClient, WebSocketClientError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let credentials = (person.name(), person.password());
    let mut client =
        WebSocketClient::log_in(stream, &UpgradeRequest::default(), credentials, rng).await?;
    client.send_text("listen notify_file_id").await?;
    Ok(client)
}

/// The default settings on loopback, clients at this port, the status page at a free one.
pub fn settings(port: u16) -> DaemonSettings {
    let listen = |port| {
        let bind = BindAddress::Tcp { address: Some(Ipv4Addr::LOCALHOST.into()), port };
        ListenSettings { bind, tls: None, proxy_protocol: false }
    };
    DaemonSettings {
        listen: listen(port),
        metrics: Vec::new(),
        admin: vec![listen(0)],
        log: LogSettings::default(),
        pre_auth: PreAuthLimits { total: PRE_AUTH_LIMIT, per_address: PRE_AUTH_LIMIT },
        drain_time: Duration::from_millis(200),
    }
}

/// A Nextcloud service on this database, with events from `queue`.
pub fn service(
    database: PathBuf,
    queue: mpsc::Receiver<SourceEvent>,
) -> Vec<ServiceEntry<BoxedService>> {
    let instance = NextcloudService {
        settings: instance(database),
        feed: NextcloudEventSource::Memory(queue),
    };
    vec![ServiceEntry::only(Box::new(instance))]
}

fn instance(database: PathBuf) -> NextcloudServiceSettings {
    // Never used: the demo's events come from memory.
    let redis = RedisTopology::Single(RedisAddress::Tcp("127.0.0.1".to_owned(), 6379));
    NextcloudServiceSettings {
        database: Some(DatabaseSettings {
            engine: DatabaseEngine::Sqlite(database),
            prefix: "oc_".to_owned(),
        }),
        redis: RedisSettings {
            topology: redis,
            user: None,
            password: None,
            database: 0,
            tls: None,
        },
        nextcloud: NextcloudHttpSettings {
            url: None,
            allow_self_signed: false,
            ca: None,
            user_agent: "notify_push demo".to_owned(),
            compat_version: CompatVersion::App,
        },
        delivery: DeliverySettings::default(),
        auth: AuthSettings {
            steps: vec![AuthStep::Database],
            secret: Some(SECRET.into()),
            token_auth_enforced: false,
            two_factor: TwoFactorPolicy::default(),
            throttle: ThrottleSettings::default(),
            reauth_interval: Duration::from_secs(3600),
            token_check: TokenCheck::First,
            recheck_round: RECHECK_ROUND,
        },
        proxies: ProxySettings { trusted: Vec::new(), headers: Vec::new() },
    }
}

#[cfg(test)]
mod tests {
    use super::{DemoPerson, SECRET};
    use sha2::{Digest as _, Sha512};
    use std::fmt::Write as _;

    #[test]
    fn the_tables_contain_the_app_passwords() {
        for person in [DemoPerson::Alice, DemoPerson::Bob] {
            let digest = Sha512::digest(format!("{}{SECRET}", person.password()));
            let mut hex = String::new();
            digest.iter().for_each(|byte| write!(hex, "{byte:02x}").unwrap());
            let row = format!("('{0}', '{0}', 1, 2, '{hex}')", person.name());
            assert!(super::super::TABLES.contains(&row), "{row}");
        }
    }
}
