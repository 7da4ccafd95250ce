//! A real MariaDB server, and databases with Nextcloud's tables in it.

use super::{
    Folder, Server,
    certificates::Certificates,
    database::{Database, PASSWORD, USER},
    folder, free_port, until,
};
use rustix::process::getuid;
use sqlx::{
    ConnectOptions,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};
use std::{
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};
use tokio::sync::OnceCell;

const SCHEMA: &str = include_str!("../../data/nextcloud-32/schema/mariadb.sql");

/// How often a start is tried with another port.
const TRIES: usize = 5;

/// Small and careless of power cuts: it lives for a test.
const ARGUMENTS: [&str; 9] = [
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--performance-schema=OFF",
    "--innodb-log-file-size=4M",
    "--innodb-buffer-pool-size=16M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-fast-shutdown=2",
];

/// A MariaDB server on 127.0.0.1, with a unix socket beside.
pub(crate) struct MariaDb {
    server: Server,
    folder: Folder,
    port: u16,
    databases: AtomicU32,
}

impl MariaDb {
    /// The server that all tests share which only need a database of their own.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<MariaDb> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A server of the test's own, to be paused and killed.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with more of mariadbd's options: `&["--require-secure-transport=ON"]`.
    pub(crate) async fn start_with(options: &[&str]) -> Self {
        for _ in 0..TRIES {
            let (folder, port) = (folder("mariadb"), free_port());
            copy(template().await, &folder.path().join("data"));
            let mut arguments = own(folder.path(), port);
            arguments.extend(options.iter().map(|&option| option.to_owned()));
            let server = Server::start("mariadbd", &folder.path().join("log"), move |command| {
                command.args(&arguments);
            });
            let mut mariadb = Self { server, folder, port, databases: AtomicU32::new(0) };
            if mariadb.ready().await {
                mariadb.accept_nextcloud().await;
                return mariadb;
            }
        }
        panic!("MariaDB does not start");
    }

    /// A server that offers TLS.
    pub(crate) async fn start_tls(certificates: &Certificates) -> Self {
        let (ca, server) = (certificates.ca(), certificates.server());
        let ca = format!("--ssl-ca={}", ca.display());
        let cert = format!("--ssl-cert={}", server.cert.display());
        Self::start_with(&[&ca, &cert, &format!("--ssl-key={}", server.key.display())]).await
    }

    /// A new database with Nextcloud's tables.
    pub(crate) async fn nextcloud(&self) -> Database {
        let database = self.empty().await;
        database.execute(SCHEMA).await;
        database
    }

    /// A new database without tables.
    pub(crate) async fn empty(&self) -> Database {
        let name = format!("nextcloud{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let grant = format!("CREATE DATABASE {name}; GRANT ALL ON {name}.* TO '{USER}'@'%'");
        self.administrator().execute(&grant).await;
        Database::MySql(self.options().username(USER).password(PASSWORD).database(&name))
    }

    /// The `mysql` database as root.
    pub(crate) fn administrator(&self) -> Database {
        let options =
            MySqlConnectOptions::new().socket(self.socket()).ssl_mode(MySqlSslMode::Disabled);
        Database::MySql(options.username("root").database("mysql"))
    }

    /// The TCP port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("mariadb.sock")
    }

    /// Kills it if it runs, and starts it again on the same port, with its data.
    pub(crate) async fn restart(&mut self) {
        self.server.start_again();
        assert!(self.ready().await, "MariaDB does not start again: {}", self.log());
    }

    fn options(&self) -> MySqlConnectOptions {
        MySqlConnectOptions::new().host("127.0.0.1").port(self.port)
    }

    /// Waits until it answers; `false` when it ended, which it does when the port is taken.
    async fn ready(&mut self) -> bool {
        let root = MySqlConnectOptions::new()
            .socket(self.socket())
            .ssl_mode(MySqlSslMode::Disabled)
            .username("root");
        until("MariaDB answers or ends", async || match self.server.ended() {
            Some(_) => Some(false),
            None => root.connect().await.is_ok().then_some(true),
        })
        .await
    }

    async fn accept_nextcloud(&self) {
        let user = format!("CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'");
        self.administrator().execute(&user).await;
    }
}

impl Deref for MariaDb {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl DerefMut for MariaDb {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

fn own(folder: &Path, port: u16) -> Vec<String> {
    let mut arguments = vec!["--no-defaults".to_owned()];
    arguments.extend(user().map(str::to_owned));
    arguments.extend(ARGUMENTS.map(str::to_owned));
    arguments.push(format!("--port={port}"));
    arguments.push(format!("--datadir={}", folder.join("data").display()));
    arguments.push(format!("--socket={}", folder.join("mariadb.sock").display()));
    arguments.push(format!("--pid-file={}", folder.join("mariadb.pid").display()));
    arguments
}

/// MariaDB runs as root only when told so.
fn user() -> Option<&'static str> {
    getuid().is_root().then_some("--user=root")
}

/// The system tables, made once for this process.
async fn template() -> &'static Path {
    static TEMPLATE: OnceCell<PathBuf> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(async || {
            let folder = folder("mariadb-template").keep();
            let status = Command::new(super::find("mariadb-install-db"))
                .arg("--no-defaults")
                .args(user())
                .arg(format!("--datadir={}", folder.display()))
                .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
                .args(["--skip-name-resolve", "--innodb-log-file-size=4M"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .expect("mariadb-install-db");
            assert!(status.success(), "mariadb-install-db: {status}");
            folder
        })
        .await
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status().expect("cp");
    assert!(status.success(), "cp: {status}");
}
