//! What a daemon needs around it: Redis, a database with users, a stand-in for Nextcloud.

mod database;
mod host;
mod redis;

pub use host::NextcloudStandIn;
pub use redis::Redis;

use crate::options::Options;
use database::Database;
use std::{error::Error, fmt::Write as _, fs, net::TcpListener, path::PathBuf};
use tempfile::TempDir;

/// The host's secret, which app passwords are hashed with.
const SECRET: &str = "the secret of the bench";
/// Storage that the first 5 000 users share.
pub const SHARED: i64 = 1;
/// How many users share it.
pub const SHARERS: usize = 5_000;
/// Storages with two thousand mounts each.
pub const BUSY: std::ops::Range<i64> = 100..110;
/// Mounts on each of them.
pub const BUSY_MOUNTS: usize = 2_000;
/// The user's own storage is this plus its number.
pub const HOMES: i64 = 1_000_000;

/// Servers started for one measurement; they stop when it is dropped.
pub struct ServerStack {
    /// The Redis.
    pub redis: Redis,
    /// The stand-in for Nextcloud.
    pub host: NextcloudStandIn,
    database: Database,
    folder: TempDir,
}

impl ServerStack {
    /// Starts everything, with so many users.
    pub fn start(options: &Options, users: usize) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let redis = Redis::start(folder.path())?;
        let database = Database::start(options.db, folder.path())?;
        database.fill(users)?;
        let host = NextcloudStandIn::start(options)?;
        Ok(Self { redis, host, database, folder })
    }

    /// Makes Nextcloud's last check of all app passwords old.
    pub fn age_tokens(&self) -> Result<(), Box<dyn Error>> {
        self.database.age_tokens()
    }

    /// Writes a config.php and says where.
    pub fn config(&self) -> Result<PathBuf, Box<dyn Error>> {
        let path = self.folder.path().join("config.php");
        let mut text = String::from("<?php\n$CONFIG = array (\n");
        writeln!(
            text,
            "  'secret' => '{SECRET}',\n  'overwrite.cli.url' => '{}',",
            self.host.url()
        )?;
        writeln!(text, "  'dbtableprefix' => 'oc_',\n{}", self.database.config())?;
        writeln!(
            text,
            "  'redis' => array ('host' => '127.0.0.1', 'port' => {}),\n);",
            self.redis.port
        )?;
        fs::write(&path, text)?;
        Ok(path)
    }
}

/// A user's name.
pub fn user(number: usize) -> String {
    format!("user{number:06}")
}

/// A user's app password.
pub fn app_password(number: usize) -> String {
    format!("app-password-of-user-{number:06}")
}

/// A port that was free a moment ago.
pub fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
