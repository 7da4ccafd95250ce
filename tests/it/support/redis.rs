//! One real Redis server.

use super::{Folder, Server, certificates::Certificates, folder, free_port, until, wait::PATIENCE};
use std::{
    ops::{Deref, DerefMut},
    path::PathBuf,
};

/// The user the fixture itself logs in as, whatever a test sets up for others.
const FIXTURE: (&str, &str) = ("fixture", "fixture-password");

/// How often a start is tried with another port.
const TRIES: usize = 5;

/// A Redis server on 127.0.0.1, with a unix socket beside; nothing is written to disk.
pub(crate) struct Redis {
    server: Server,
    folder: Folder,
    port: u16,
    tls_port: Option<u16>,
}

impl Redis {
    /// A server without password.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server with more of redis.conf's directives, as on redis-server's command line:
    /// `&["--requirepass", "secret"]`, `&["--user", "push", "on", ">secret", "&*", "+subscribe"]`.
    pub(crate) async fn start_with(directives: &[&str]) -> Self {
        Self::launch(None, directives).await
    }

    /// A server that speaks TLS on a second port and asks for a client certificate; a directive
    /// `&["--tls-auth-clients", "no"]` spares it.
    pub(crate) async fn start_tls(certificates: &Certificates, directives: &[&str]) -> Self {
        Self::launch(Some(certificates), directives).await
    }

    async fn launch(certificates: Option<&Certificates>, directives: &[&str]) -> Self {
        for _ in 0..TRIES {
            let (folder, port) = (folder("redis"), free_port());
            let tls_port = certificates.map(|_| free_port());
            let mut arguments = arguments(port, directives);
            arguments.extend(certificates.zip(tls_port).into_iter().flat_map(tls));
            let place = folder.path().to_owned();
            let server =
                Server::start("redis-server", &folder.path().join("log"), move |command| {
                    command.current_dir(&place).args(&arguments);
                });
            let mut redis = Self { server, folder, port, tls_port };
            if redis.ready().await {
                return redis;
            }
        }
        panic!("Redis does not start");
    }

    /// The TCP port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:port`, without user and password.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port that speaks TLS.
    pub(crate) fn tls_port(&self) -> u16 {
        self.tls_port.expect("started with start_tls")
    }

    /// The unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Publishes and says how many subscribers heard it.
    pub(crate) async fn publish(&self, channel: &str, payload: impl AsRef<[u8]>) -> usize {
        let mut command = redis::cmd("PUBLISH");
        self.query(command.arg(channel).arg(payload.as_ref())).await
    }

    /// Waits until somebody listens on the channel.
    pub(crate) async fn subscribed(&self, channel: &str) {
        until("somebody subscribes", async || {
            let mut command = redis::cmd("PUBSUB");
            let (_, count): (String, usize) = self.query(command.arg("NUMSUB").arg(channel)).await;
            (count > 0).then_some(())
        })
        .await;
    }

    /// Sets a key.
    pub(crate) async fn set(&self, key: &str, value: &str) {
        self.query::<()>(redis::cmd("SET").arg(key).arg(value)).await;
    }

    /// Reads a key.
    pub(crate) async fn get(&self, key: &str) -> Option<String> {
        self.query(redis::cmd("GET").arg(key)).await
    }

    /// Any other command, as the fixture's own user, who may do everything.
    pub(crate) async fn query<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> T {
        let mut connection = self.connect().await.expect("a connection to Redis");
        command.query_async(&mut connection).await.expect("an answer of Redis")
    }

    /// Many commands at once.
    pub(crate) async fn pipe(&self, commands: &redis::Pipeline) {
        let mut connection = self.connect().await.expect("a connection to Redis");
        commands.query_async::<()>(&mut connection).await.expect("the answers of Redis");
    }

    /// Kills it if it runs, and starts it again on the same port, empty.
    pub(crate) async fn restart(&mut self) {
        self.server.start_again();
        assert!(self.ready().await, "Redis does not start again: {}", self.log());
    }

    async fn connect(&self) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
        let (user, password) = FIXTURE;
        let url = format!("redis://{user}:{password}@127.0.0.1:{}", self.port);
        patiently(&redis::Client::open(url)?).await
    }

    /// Waits until it answers; `false` when it ended, which it does when the port is taken.
    async fn ready(&mut self) -> bool {
        until("Redis answers or ends", async || match self.server.ended() {
            Some(_) => Some(false),
            None => self.connect().await.is_ok().then_some(true),
        })
        .await
    }
}

/// A connection that gives Redis the time it needs on a busy machine; the crate itself gives up after
/// half a second.
pub(crate) async fn patiently(
    client: &redis::Client,
) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    client.get_multiplexed_async_connection_with_config(&config).await
}

impl Deref for Redis {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl DerefMut for Redis {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

fn arguments(port: u16, directives: &[&str]) -> Vec<String> {
    let (user, password) = (FIXTURE.0, format!(">{}", FIXTURE.1));
    let port = port.to_string();
    let ours = [
        "--bind",
        "127.0.0.1",
        "--port",
        &port,
        "--unixsocket",
        "redis.sock",
        "--unixsocketperm",
        "777",
        "--save",
        "",
        "--appendonly",
        "no",
        "--user",
        user,
        "on",
        &password,
        "~*",
        "&*",
        "+@all",
    ];
    ours.iter().chain(directives).map(|&argument| argument.to_owned()).collect()
}

fn tls((certificates, port): (&Certificates, u16)) -> Vec<String> {
    let (server, path) = (certificates.server(), |path: PathBuf| path.display().to_string());
    let port = ["--tls-port".to_owned(), port.to_string()];
    let ca = ["--tls-ca-cert-file".to_owned(), path(certificates.ca())];
    let cert = ["--tls-cert-file".to_owned(), path(server.cert)];
    let key = ["--tls-key-file".to_owned(), path(server.key)];
    [port, ca, cert, key].concat()
}
