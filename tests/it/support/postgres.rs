//! A real PostgreSQL server, and databases with Nextcloud's tables in it.

use super::{
    Folder, Server,
    certificates::Certificates,
    database::{Database, PASSWORD, USER},
    find, folder, free_port, until,
};
use rustix::process::getuid;
use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use std::{
    fs::Permissions,
    ops::{Deref, DerefMut},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};
use tokio::sync::OnceCell;

const SCHEMA: &str = include_str!("../../data/nextcloud-32/schema/postgresql.sql");

/// How often a start is tried with another port.
const TRIES: usize = 5;

/// The database that holds Nextcloud's tables and is copied for each test.
const TEMPLATE: &str = "template_nextcloud";

/// A PostgreSQL server on 127.0.0.1, with a unix socket beside.
pub(crate) struct Postgres {
    server: Server,
    folder: Folder,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// The server that all tests share which only need a database of their own.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A server of the test's own, to be paused and killed.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with more of postgresql.conf's settings: `&["max_connections=5"]`.
    pub(crate) async fn start_with(settings: &[&str]) -> Self {
        Self::launch(None, settings).await
    }

    /// A server that offers TLS.
    pub(crate) async fn start_tls(certificates: &Certificates) -> Self {
        Self::launch(Some(certificates), &["ssl=on"]).await
    }

    async fn launch(certificates: Option<&Certificates>, settings: &[&str]) -> Self {
        for _ in 0..TRIES {
            let (folder, port) = (folder("postgres"), free_port());
            initialise(folder.path());
            if let Some(certificates) = certificates {
                install(certificates, &folder.path().join("data"));
            }
            let arguments = arguments(folder.path(), port, settings);
            let server = Server::start("postgres", &folder.path().join("log"), move |command| {
                unprivileged(command).args(&arguments);
            });
            let mut postgres = Self { server, folder, port, databases: AtomicU32::new(0) };
            if postgres.ready().await {
                postgres.prepare().await;
                return postgres;
            }
        }
        panic!("PostgreSQL does not start");
    }

    /// A new database with Nextcloud's tables.
    pub(crate) async fn nextcloud(&self) -> Database {
        self.create(TEMPLATE).await
    }

    /// A new database without tables.
    pub(crate) async fn empty(&self) -> Database {
        self.create("template1").await
    }

    /// The `postgres` database as superuser.
    pub(crate) fn administrator(&self) -> Database {
        Database::Postgres(self.superuser("postgres"))
    }

    /// A database as superuser.
    pub(crate) fn in_database(&self, database: &Database) -> Database {
        let Database::Postgres(options) = database else { panic!("a database of this server") };
        Database::Postgres(self.superuser(options.get_database().expect("it has a name")))
    }

    /// The TCP port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The folder that holds the unix socket.
    pub(crate) fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills it if it runs, and starts it again on the same port, with its data.
    pub(crate) async fn restart(&mut self) {
        // What is left of a killed server may hold its data a moment longer; it ends at once then.
        until("PostgreSQL starts again", async || {
            self.server.start_again();
            self.ready().await.then_some(())
        })
        .await;
    }

    async fn create(&self, template: &str) -> Database {
        let name = format!("nextcloud{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let create = format!("CREATE DATABASE {name} TEMPLATE {template} OWNER {USER}");
        self.administrator().execute(&create).await;
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(self.port);
        Database::Postgres(options.username(USER).password(PASSWORD).database(&name))
    }

    fn superuser(&self, database: &str) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass().socket(self.socket_folder());
        options.port(self.port).username("postgres").database(database)
    }

    /// Waits until it answers; `false` when it ended, which it does when the port is taken.
    async fn ready(&mut self) -> bool {
        let options = self.superuser("postgres");
        until("PostgreSQL answers or ends", async || match self.server.ended() {
            Some(_) => Some(false),
            None => options.connect().await.is_ok().then_some(true),
        })
        .await
    }

    async fn prepare(&self) {
        let role = format!("CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'");
        self.administrator().execute(&role).await;
        self.administrator().execute(&format!("CREATE DATABASE {TEMPLATE}")).await;
        // pg_dump writes two commands for psql around the SQL, and clears the search path.
        let sql: Vec<&str> = SCHEMA.lines().filter(|line| !line.starts_with('\\')).collect();
        let grant = format!(
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO {USER}; \
            GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {USER}"
        );
        let template = Database::Postgres(self.superuser(TEMPLATE));
        template.execute(&sql.join("\n")).await;
        template.execute(&grant).await;
    }
}

impl Deref for Postgres {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl DerefMut for Postgres {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

fn arguments(folder: &Path, port: u16, settings: &[&str]) -> Vec<String> {
    let data = folder.join("data").display().to_string();
    let mut arguments = vec!["-D".to_owned(), data, "-p".to_owned(), port.to_string()];
    let sockets = format!("unix_socket_directories={}", folder.display());
    let ours = ["listen_addresses=127.0.0.1", &sockets, "fsync=off", "shared_buffers=4MB"];
    for setting in ours.iter().chain(settings) {
        arguments.extend(["-c".to_owned(), (*setting).to_owned()]);
    }
    arguments
}

fn initialise(folder: &Path) {
    if let Some((user, group)) = account() {
        chown(folder, Some(user), Some(group)).expect("root may give folders away");
    }
    let status = unprivileged(&mut Command::new(find("initdb")))
        .arg("-D")
        .arg(folder.join("data"))
        .args(["-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256"])
        .args(["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("initdb");
    assert!(status.success(), "initdb: {status}");
}

/// The files where PostgreSQL looks for them; it refuses a key that others can read.
fn install(certificates: &Certificates, data: &Path) {
    let server = certificates.server();
    let files =
        [(certificates.ca(), "root.crt"), (server.cert, "server.crt"), (server.key, "server.key")];
    for (from, name) in files {
        let to = data.join(name);
        std::fs::copy(from, &to).expect("a file of ours");
        std::fs::set_permissions(&to, Permissions::from_mode(0o600)).expect("a file of ours");
        if let Some((user, group)) = account() {
            chown(&to, Some(user), Some(group)).expect("root may give files away");
        }
    }
}

/// PostgreSQL refuses to run as root: it gets the account its package made, or nobody's.
fn unprivileged(command: &mut Command) -> &mut Command {
    match account() {
        Some((user, group)) => command.uid(user).gid(group),
        None => command,
    }
}

/// User and group to run as; `None` when this process is not root.
pub(crate) fn account() -> Option<(u32, u32)> {
    if !getuid().is_root() {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let find = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2);
        Some((ids.next()?.parse().ok()?, ids.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody"))
}
