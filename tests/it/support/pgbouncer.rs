//! A real PgBouncer in front of a PostgreSQL server.

use super::{
    Folder, Server,
    database::{Database, PASSWORD, USER},
    find, folder, free_port,
    postgres::{Postgres, account},
    until,
};
use notify_push::client::database::{DatabaseAddress, DatabaseSettings};
use sqlx::postgres::PgConnectOptions;
use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    process::Command,
};
use tokio::net::TcpStream;

/// How often a start is tried with another port.
const TRIES: usize = 5;

/// A pooler with two server connections per database, or more in session mode.
pub(crate) struct PgBouncer {
    _server: Server,
    _folder: Folder,
    port: u16,
}

impl PgBouncer {
    /// Starts one in this mode: `session`, `transaction` or `statement`.
    pub(crate) async fn start(postgres: &Postgres, mode: &str) -> Self {
        for _ in 0..TRIES {
            let (folder, port) = (folder("pgbouncer"), free_port());
            let ini = configure(&folder, postgres, mode, port);
            let mut server =
                Server::start("pgbouncer", &folder.path().join("log"), move |command| {
                    unprivileged(command).arg(&ini);
                });
            let ready = until("PgBouncer listens or ends", async || match server.ended() {
                Some(_) => Some(false),
                None => TcpStream::connect(("127.0.0.1", port)).await.is_ok().then_some(true),
            });
            if ready.await {
                return Self { _server: server, _folder: folder, port };
            }
        }
        panic!("PgBouncer does not start");
    }

    /// The settings of a database of its server, through the pooler.
    pub(crate) fn settings(&self, database: &Database) -> DatabaseSettings {
        let mut settings = database.settings();
        super::settings::server_of(&mut settings).address =
            DatabaseAddress::Tcp("127.0.0.1".to_owned(), self.port);
        settings
    }

    /// Another client's way to the database, through the pooler.
    pub(crate) fn other_client(&self, database: &Database) -> PgConnectOptions {
        let Database::Postgres(options) = database else { panic!("a database of PostgreSQL") };
        options.clone().port(self.port).extra_float_digits(None)
    }
}

fn configure(folder: &Folder, postgres: &Postgres, mode: &str, port: u16) -> std::path::PathBuf {
    let (users, ini) = (folder.path().join("users"), folder.path().join("pgbouncer.ini"));
    let server = postgres.port();
    fs::write(&users, format!("\"{USER}\" \"{PASSWORD}\"\n")).unwrap();
    // In session mode each client keeps a server connection.
    let size = if mode == "session" { 20 } else { 2 };
    let text = format!(
        "[databases]\n* = host=127.0.0.1 port={server}\n[pgbouncer]\nlisten_addr=127.0.0.1\n\
         listen_port={port}\nauth_type=plain\nauth_file={}\npool_mode={mode}\n\
         default_pool_size={size}\nunix_socket_dir=\nserver_idle_timeout=600\n",
        users.display()
    );
    fs::write(&ini, text).unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    if let Some((user, group)) = account() {
        chown(folder.path(), Some(user), Some(group)).unwrap();
    }
    ini
}

/// PgBouncer refuses to run as root.
fn unprivileged(command: &mut Command) -> &mut Command {
    find("pgbouncer");
    match account() {
        Some((user, group)) => command.uid(user).gid(group),
        None => command,
    }
}
