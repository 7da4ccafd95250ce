//! TLS with database servers: verified where that is asked for, and any certificate where it isn't.

use crate::{
    database_connections::{unavailable, users_with},
    support::{
        Folder,
        certificates::{CertificatePair, Certificates},
        database::Database,
        folder,
        mariadb::MariaDb,
        postgres::{Postgres, account},
        settings::{server_of, store},
    },
};
use notify_push::client::database::{DatabaseSettings, DatabaseTls, DatabaseTlsMode, SqlRow};
use std::{
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};

fn with_tls(database: &Database, mode: DatabaseTlsMode, ca: Option<PathBuf>) -> DatabaseSettings {
    let mut settings = database.settings();
    server_of(&mut settings).tls = DatabaseTls { mode, ca, cert: None, key: None };
    settings
}

fn with_client(mut settings: DatabaseSettings, client: CertificatePair) -> DatabaseSettings {
    let tls = &mut server_of(&mut settings).tls;
    (tls.cert, tls.key) = (Some(client.cert), Some(client.key));
    settings
}

/// What TLS must and must not accept from a server that insists on it.
async fn verifies(database: &Database, ours: &Certificates) {
    let others = Certificates::new();
    let asked = async |mode, ca: Option<&Certificates>| {
        users_with(&with_tls(database, mode, ca.map(Certificates::ca))).await
    };
    assert_eq!(asked(DatabaseTlsMode::VerifyFull, Some(ours)).await, Ok(0), "the CA alone");
    assert_eq!(asked(DatabaseTlsMode::VerifyCa, Some(ours)).await, Ok(0));
    assert_eq!(asked(DatabaseTlsMode::Require, None).await, Ok(0));
    assert_eq!(asked(DatabaseTlsMode::Prefer, None).await, Ok(0));
    for (mode, ca) in [
        (DatabaseTlsMode::VerifyFull, Some(&others)),
        (DatabaseTlsMode::VerifyCa, Some(&others)),
        (DatabaseTlsMode::VerifyFull, None),
    ] {
        let why = unavailable(asked(mode, ca).await);
        assert!(why.contains("certificate") && why.contains("CA file"), "{mode:?}: {why}");
    }
    unavailable(asked(DatabaseTlsMode::Disable, None).await);
}

/// A server whose certificate names somebody else.
async fn checks_the_name(database: &Database, ours: &Certificates) {
    let asked = async |mode| users_with(&with_tls(database, mode, Some(ours.ca()))).await;
    assert_eq!(asked(DatabaseTlsMode::VerifyCa).await, Ok(0));
    let why = unavailable(asked(DatabaseTlsMode::VerifyFull).await);
    assert!(why.contains("not valid for name"), "{why}");
}

async fn wants_a_client_certificate(database: &Database, ours: &Certificates) {
    let settings = with_tls(database, DatabaseTlsMode::VerifyFull, Some(ours.ca()));
    unavailable(users_with(&settings).await);
    assert_eq!(users_with(&with_client(settings, ours.client())).await, Ok(0));
}

async fn mariadb_with(pair: &CertificatePair, ca: &Path) -> MariaDb {
    let option = |name: &str, path: &Path| format!("--ssl-{name}={}", path.display());
    let options = [option("cert", &pair.cert), option("key", &pair.key), option("ca", ca)];
    let mut options: Vec<&str> = options.iter().map(String::as_str).collect();
    options.push("--require-secure-transport=ON");
    MariaDb::start_with(&options).await
}

#[tokio::test]
async fn mariadb_over_tls_is_verified() {
    let ours = Certificates::new();
    let mariadb = mariadb_with(&ours.server(), &ours.ca()).await;
    let database = mariadb.nextcloud().await;
    verifies(&database, &ours).await;
    mariadb.administrator().execute("ALTER USER nextcloud@'%' REQUIRE X509").await;
    wants_a_client_certificate(&database, &ours).await;
}

#[tokio::test]
async fn mariadb_under_another_name_is_refused() {
    let ours = Certificates::new();
    let other = ours.server_for("other", &["db.example.org"]);
    let mariadb = mariadb_with(&other, &ours.ca()).await;
    checks_the_name(&mariadb.nextcloud().await, &ours).await;
}

/// PostgreSQL takes a key only from a file that nobody else can read.
fn private_copy(key: &Path) -> (Folder, PathBuf) {
    let folder = folder("key");
    let copy = folder.path().join("server.key");
    std::fs::copy(key, &copy).unwrap();
    std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o600)).unwrap();
    if let Some((user, group)) = account() {
        chown(&copy, Some(user), Some(group)).unwrap();
    }
    (folder, copy)
}

/// A PostgreSQL whose TCP clients are matched by this line of `pg_hba.conf`.
async fn postgres_with(pair: &CertificatePair, ca: &Path, rule: &str) -> (Postgres, Folder) {
    let (folder, key) = private_copy(&pair.key);
    let rules = folder.path().join("pg_hba.conf");
    std::fs::write(&rules, format!("local all all trust\n{rule}\n")).unwrap();
    let setting = |name: &str, path: &Path| format!("{name}={}", path.display());
    let settings = [
        setting("ssl_cert_file", &pair.cert),
        setting("ssl_key_file", &key),
        setting("ssl_ca_file", ca),
        setting("hba_file", &rules),
        "ssl=on".to_owned(),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    (Postgres::start_with(&settings).await, folder)
}

#[tokio::test]
async fn postgresql_over_tls_is_verified() {
    let ours = Certificates::new();
    let rule = "hostssl all all 127.0.0.1/32 scram-sha-256";
    let (postgres, _folder) = postgres_with(&ours.server(), &ours.ca(), rule).await;
    verifies(&postgres.nextcloud().await, &ours).await;
}

#[tokio::test]
async fn postgresql_under_another_name_is_refused() {
    let ours = Certificates::new();
    let other = ours.server_for("other", &["db.example.org"]);
    let rule = "hostssl all all 127.0.0.1/32 scram-sha-256";
    let (postgres, _folder) = postgres_with(&other, &ours.ca(), rule).await;
    checks_the_name(&postgres.nextcloud().await, &ours).await;
}

#[tokio::test]
async fn postgresql_is_shown_the_client_certificate() {
    let ours = Certificates::new();
    let rule = "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca";
    let (postgres, _folder) = postgres_with(&ours.server(), &ours.ca(), rule).await;
    wants_a_client_certificate(&postgres.nextcloud().await, &ours).await;
}

/// Whether the connection is encrypted, according to PostgreSQL.
async fn is_encrypted(settings: &DatabaseSettings) -> bool {
    let (store, mut encrypted) = (store(settings), None);
    let mut each = |row: &SqlRow<'_>| {
        encrypted = row.int(0)?;
        Ok(())
    };
    let sql = store.statement("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    store.query(&sql, &[], &mut each).await.unwrap();
    encrypted == Some(1)
}

#[tokio::test]
async fn postgresql_with_an_unreadable_certificate_is_encrypted_unless_verified() {
    let ours = Certificates::new();
    let rule = "host all all 127.0.0.1/32 scram-sha-256";
    let (postgres, _folder) = postgres_with(&ours.version_1(), &ours.ca(), rule).await;
    let database = postgres.nextcloud().await;
    for mode in [DatabaseTlsMode::Prefer, DatabaseTlsMode::Require] {
        assert!(is_encrypted(&with_tls(&database, mode, None)).await, "{mode:?}");
    }
    for mode in [DatabaseTlsMode::VerifyCa, DatabaseTlsMode::VerifyFull] {
        unavailable(users_with(&with_tls(&database, mode, Some(ours.ca()))).await);
    }
}

#[tokio::test]
async fn mariadb_with_an_unreadable_certificate_is_reached_unless_verified() {
    let ours = Certificates::new();
    // Only connections with TLS are accepted.
    let mariadb = mariadb_with(&ours.version_1(), &ours.ca()).await;
    let database = mariadb.empty().await;
    let Database::MySql(options) = &database else { panic!("MariaDB") };
    let name = options.get_database().unwrap();
    let create = format!("CREATE TABLE {name}.oc_users (uid VARCHAR(64))");
    mariadb.administrator().execute(&create).await;
    for mode in [DatabaseTlsMode::Prefer, DatabaseTlsMode::Require] {
        assert_eq!(users_with(&with_tls(&database, mode, None)).await, Ok(0), "{mode:?}");
    }
    unavailable(users_with(&with_tls(&database, DatabaseTlsMode::VerifyCa, Some(ours.ca()))).await);
    let mut wrong = with_tls(&database, DatabaseTlsMode::Require, None);
    server_of(&mut wrong).password = Some("wrong-one".into());
    let why = unavailable(users_with(&wrong).await);
    assert!(why.contains("certificate") || why.contains("dbpassword"), "{why}");
}

#[tokio::test]
async fn a_server_that_wants_no_tls_is_reached_unless_tls_is_required() {
    let ours = Certificates::new();
    let rule = "hostnossl all all 127.0.0.1/32 scram-sha-256";
    let (postgres, _folder) = postgres_with(&ours.server(), &ours.ca(), rule).await;
    let database = postgres.nextcloud().await;
    assert!(!is_encrypted(&with_tls(&database, DatabaseTlsMode::Prefer, None)).await);
    unavailable(users_with(&with_tls(&database, DatabaseTlsMode::Require, None)).await);
}

#[tokio::test]
async fn a_self_signed_certificate_is_its_own_ca() {
    let (ours, others) = (Certificates::new(), Certificates::new());
    let pair = ours.self_signed();
    let rule = "hostssl all all 127.0.0.1/32 scram-sha-256";
    let (postgres, _folder) = postgres_with(&pair, &pair.cert, rule).await;
    let database = postgres.nextcloud().await;
    let full = |ca: PathBuf| with_tls(&database, DatabaseTlsMode::VerifyFull, Some(ca));
    assert_eq!(users_with(&full(pair.cert.clone())).await, Ok(0));
    unavailable(users_with(&full(others.self_signed().cert)).await);
}
