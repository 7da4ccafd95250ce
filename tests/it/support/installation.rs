//! What a daemon finds beside a Nextcloud: Redis, a database with its tables and rows, and config.php.

use super::{Folder, daemon::Daemon, database::Database, folder, redis::Redis};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use sha2::{Digest, Sha512};
use std::{
    fmt::Write,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

/// The `secret` of config.php.
pub(crate) const SECRET: &str = "fakeFAKEfakeFAKEsecret000000000000000000000000+/";

/// The channels a daemon listens on.
pub(crate) const CHANNELS: [&str; 11] = [
    "notify_storage_update",
    "notify_group_membership_update",
    "notify_user_share_created",
    "notify_activity",
    "notify_notification",
    "notify_pre_auth",
    "notify_custom",
    "notify_test_cookie",
    "notify_config",
    "notify_query",
    "notify_signal",
];

const SQLITE: &str = include_str!("../../data/nextcloud-32/schema/sqlite.sql");

/// An installation of a test's own.
pub(crate) struct Installation {
    pub(crate) redis: Redis,
    pub(crate) database: Database,
    folder: Folder,
    rows: AtomicU32,
}

impl Installation {
    /// With its data in SQLite.
    pub(crate) async fn start() -> Self {
        let folder = folder("installation");
        let database = Database::Sqlite(folder.path().join("owncloud.db"));
        database.execute(SQLITE).await;
        Self { redis: Redis::start().await, database, folder, rows: AtomicU32::new(1) }
    }

    /// With its data in this database, which has Nextcloud's tables.
    pub(crate) async fn on(database: Database) -> Self {
        let (redis, folder) = (Redis::start().await, folder("installation"));
        Self { redis, database, folder, rows: AtomicU32::new(1) }
    }

    /// Adds a user of Nextcloud's own back end. The hash costs next to nothing.
    pub(crate) async fn user(&self, uid: &str, password: &str) {
        let hash = hash(password);
        let lower = uid.to_lowercase();
        let sql = format!(
            "INSERT INTO oc_users (uid, uid_lower, password) VALUES ('{uid}', '{lower}', '{hash}')"
        );
        self.database.execute(&sql).await;
    }

    /// Adds an app password, as the desktop client has one.
    pub(crate) async fn app_password(&self, uid: &str, password: &str) {
        let (id, token) = (self.next(), token(password));
        let sql = format!(
            "INSERT INTO oc_authtoken (id, uid, login_name, name, token, type, version) \
             VALUES ({id}, '{uid}', '{uid}', 'desktop', '{token}', 1, 2)"
        );
        self.database.execute(&sql).await;
    }

    /// Adds an app password that holds the account password, as those of the login flow do;
    /// Nextcloud last checked it long ago.
    pub(crate) async fn unchecked_app_password(&self, uid: &str, password: &str) {
        self.app_password(uid, password).await;
        let sql = format!(
            "UPDATE oc_authtoken SET password = 'encrypted', last_check = 1 WHERE uid = '{uid}'"
        );
        self.database.execute(&sql).await;
    }

    /// Adds many users with an app password each, fast.
    pub(crate) async fn people(&self, people: &[(String, String)]) {
        let (mut users, mut tokens) = (Vec::new(), Vec::new());
        for (uid, password) in people {
            let (id, token) = (self.next(), hex(&Sha512::digest(format!("{password}{SECRET}"))));
            users.push(format!("('{uid}', '{uid}', '')"));
            tokens.push(format!("({id}, '{uid}', '{uid}', 'desktop', '{token}', 1, 2)"));
        }
        let sql = format!(
            "INSERT INTO oc_users (uid, uid_lower, password) VALUES {}; \
             INSERT INTO oc_authtoken (id, uid, login_name, name, token, type, version) VALUES {}",
            users.join(","),
            tokens.join(",")
        );
        self.database.execute(&sql).await;
    }

    /// Disables a user.
    pub(crate) async fn disable(&self, uid: &str) {
        let sql = format!(
            "INSERT INTO oc_preferences (userid, appid, configkey, configvalue) \
             VALUES ('{uid}', 'core', 'enabled', 'false')"
        );
        self.database.execute(&sql).await;
    }

    /// What Nextcloud publishes when a client asks for a ticket.
    pub(crate) async fn ticket(&self, uid: &str, ticket: &str) {
        let payload = format!(r#"{{"user":"{uid}","token":"{ticket}"}}"#);
        self.redis.publish("notify_pre_auth", payload).await;
    }

    /// Adds a file or folder to a storage.
    pub(crate) async fn file(&self, storage: i64, id: i64, path: &str) {
        let sql = format!(
            "INSERT INTO oc_filecache (fileid, storage, path, path_hash) \
             VALUES ({id}, {storage}, '{path}', '{id}')"
        );
        self.database.execute(&sql).await;
    }

    /// Lets a user see the part of a storage that lies below a file or folder of it.
    pub(crate) async fn mount(&self, uid: &str, storage: i64, root: i64) {
        let id = self.next();
        let sql = format!(
            "INSERT INTO oc_mounts (id, storage_id, root_id, user_id, mount_point) \
             VALUES ({id}, {storage}, {root}, '{uid}', '/{uid}/{id}/')"
        );
        self.database.execute(&sql).await;
    }

    /// Shares a file or folder of a storage with a user, who has visited since.
    pub(crate) async fn share_mount(&self, uid: &str, storage: i64, root: i64) {
        let id = self.next();
        let class = match &self.database {
            // MariaDB takes a backslash in a text for an escape.
            Database::MySql(_) => r"OCA\\Files_Sharing\\MountProvider",
            _ => r"OCA\Files_Sharing\MountProvider",
        };
        let sql = format!(
            "INSERT INTO oc_mounts (id, storage_id, root_id, user_id, mount_point, mount_provider_class) \
             VALUES ({id}, {storage}, {root}, '{uid}', '/{uid}/{id}/', '{class}'); \
             INSERT INTO oc_share (id, share_type, share_with, file_source) VALUES ({id}, 0, '{uid}', {root})"
        );
        self.database.execute(&sql).await;
    }

    /// Adds a user whose home is this storage with this root, and who logs in as `<uid>-password`.
    pub(crate) async fn user_with_home(&self, uid: &str, storage: i64, root: i64) {
        self.user(uid, &format!("{uid}-password")).await;
        self.file(storage, root, "").await;
        self.mount(uid, storage, root).await;
    }

    /// What Nextcloud publishes when a file changes.
    pub(crate) async fn changed(&self, storage: i64, path: &str, id: i64) {
        self.redis.publish("notify_storage_update", change(storage, path, id)).await;
    }

    /// Several changes at once, as one upload makes them: what is published one by one may be further
    /// apart than the merge window on a busy machine.
    pub(crate) async fn changed_at_once(&self, storage: i64, changes: &[(&str, i64)]) {
        let mut pipeline = redis::pipe();
        for (path, id) in changes {
            pipeline.publish("notify_storage_update", change(storage, path, *id));
        }
        self.redis.pipe(&pipeline).await;
    }

    /// What an app publishes to send a message of its own: a marker in the order of a test.
    pub(crate) async fn custom(&self, uid: &str, message: &str) {
        let payload = format!(r#"{{"user":"{uid}","message":"{message}"}}"#);
        self.redis.publish("notify_custom", payload).await;
    }

    /// Writes config.php, with `more` lines of its array.
    pub(crate) fn config_php(&self, more: &str) -> PathBuf {
        let file = self.folder.path().join("config.php");
        let text = format!(
            "<?php\n$CONFIG = array (\n  'secret' => '{SECRET}',\n  'dbtableprefix' => 'oc_',\n{}  \
             'redis' =>\n  array (\n    'host' => '127.0.0.1',\n    'port' => {},\n  ),\n{more});\n",
            self.database_in_php(),
            self.redis.port(),
        );
        std::fs::write(&file, text).expect("a file in a folder of our own");
        file
    }

    /// A daemon for this installation, listening for its events. It tells everything as soon as the
    /// merge window of 100 ms is over, and decides logins from the database alone, unless
    /// `environment` says otherwise.
    pub(crate) async fn daemon(&self, environment: &[(&str, &str)]) -> Daemon {
        let config = self.config_php("").display().to_string();
        let usual =
            [("MAX_DEBOUNCE_TIME", "0"), ("AUTH", "database"), ("LOG", "notify_push=debug")];
        let environment: Vec<_> = usual.iter().chain(environment).copied().collect();
        let daemon = Daemon::start(&[&config], &environment).await;
        self.listened_to().await;
        daemon
    }

    /// Waits until a daemon listens on all channels.
    pub(crate) async fn listened_to(&self) {
        for channel in CHANNELS {
            self.redis.subscribed(channel).await;
        }
    }

    fn database_in_php(&self) -> String {
        let server = |kind: &str, host: &str, port: u16, name: Option<&str>| {
            format!(
                "  'dbtype' => '{kind}',\n  'dbhost' => '{host}:{port}',\n  'dbname' => '{}',\n  \
                 'dbuser' => '{}',\n  'dbpassword' => '{}',\n",
                name.unwrap_or_default(),
                super::database::USER,
                super::database::PASSWORD,
            )
        };
        match &self.database {
            Database::MySql(at) => server("mysql", at.get_host(), at.get_port(), at.get_database()),
            Database::Postgres(at) => {
                server("pgsql", at.get_host(), at.get_port(), at.get_database())
            }
            Database::Sqlite(file) => {
                let folder = file.parent().expect("a file in a folder").display();
                format!("  'dbtype' => 'sqlite3',\n  'datadirectory' => '{folder}',\n")
            }
        }
    }

    fn next(&self) -> u32 {
        self.rows.fetch_add(1, Ordering::Relaxed)
    }
}

/// What Nextcloud keeps of an app password.
pub(crate) fn token(password: &str) -> String {
    hex(&Sha512::digest(format!("{password}{SECRET}")))
}

/// As Nextcloud writes it, at the lowest price the algorithm allows.
fn hash(password: &str) -> String {
    let (salt, mut key) = (b"salt of the test", [0; 32]);
    let params = Params::new(8, 1, 1, Some(key.len())).expect("the lowest parameters");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, &mut key)
        .expect("a hash");
    let (salt, key) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(key));
    format!("3|$argon2id$v=19$m=8,t=1,p=1${salt}${key}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("memory");
        text
    })
}

/// A change in Nextcloud's own words.
fn change(storage: i64, path: &str, id: i64) -> String {
    let path = path.replace('/', "\\/");
    format!(r#"{{"storage":{storage},"path":"{path}","file_id":{id}}}"#)
}
