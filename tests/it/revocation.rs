//! Sessions that are no longer valid are closed: at the next check of the database, or at once on
//! request.

use crate::{
    database_logins::{NOW, clock},
    support::{
        client::Client,
        daemon::Daemon,
        faults::{Fault, FaultProxy},
        free_port, http, in_process,
        installation::Installation,
        mariadb::MariaDb,
        nextcloud::{Answer, Nextcloud, NextcloudSetup},
        until, within,
    },
};
use futures_util::stream;
use notify_push::{
    config::ServiceEntry,
    lifecycle::{ServiceManager, TaskGroup},
    runtime,
    runtime::RuntimeEnvironment,
    server::LocalAddress,
    services::{BoxedService, WallClock, nextcloud::settings::RECHECK_ROUND},
    telemetry::log::{LogFilter, LogFormat, build},
};
use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// Checks are this frequent here.
const ROUND: Duration = Duration::from_millis(300);

/// A log that a test reads.
#[derive(Clone, Default)]
struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for CapturedLog {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl CapturedLog {
    async fn says(&self, text: &str) {
        until(text, async || {
            String::from_utf8_lossy(&self.0.lock().unwrap()).contains(text).then_some(())
        })
        .await;
    }
}

/// A daemon in this process that checks its sessions more often than an operator can configure.
struct FastRecheckDaemon {
    url: String,
    log: CapturedLog,
    tasks: TaskGroup,
    _logging: DefaultGuard,
}

impl Drop for FastRecheckDaemon {
    fn drop(&mut self) {
        self.tasks.stopping().cancel();
    }
}

impl FastRecheckDaemon {
    async fn start(installation: &Installation, environment: &[(&str, &str)]) -> Self {
        Self::start_by(clock(), installation, environment).await
    }

    /// The same, by this clock.
    async fn start_by(
        clock: WallClock,
        installation: &Installation,
        environment: &[(&str, &str)],
    ) -> Self {
        let config = installation.config_php("").display().to_string();
        let at_once = [("MAX_DEBOUNCE_TIME", "0")];
        let environment: Vec<_> = at_once.iter().chain(environment).copied().collect();
        let (settings, mut instance) = in_process::settings(&[&config], &environment);
        assert_eq!(instance.settings.auth.recheck_round, RECHECK_ROUND);
        instance.settings.auth.recheck_round = ROUND;
        let host = ServiceEntry::<BoxedService>::only(Box::new(instance));
        let (written, filter) =
            (CapturedLog::default(), LogFilter::parse("notify_push=debug").unwrap());
        let (subscriber, log) = build(filter, LogFormat::Json, written.clone());
        let logging = tracing::subscriber::set_default(subscriber);
        let environment = RuntimeEnvironment {
            log,
            cores: 2,
            ..in_process::environment(ServiceManager::default(), clock)
        };
        let daemon = runtime::Daemon::start(&settings, vec![host], environment).await.unwrap();
        let LocalAddress::Tcp(address) = daemon.local().unwrap().clone() else { panic!("not TCP") };
        let tasks = TaskGroup::default();
        let stop = tasks.stopping().clone();
        tasks.spawn(async move {
            stop.run_until_cancelled(daemon.run(stream::pending())).await;
        });
        installation.listened_to().await;
        Self { url: format!("ws://{address}/ws"), log: written, tasks, _logging: logging }
    }
}

/// An app password as long as the desktop client's: 72 characters.
fn app_password(uid: &str) -> String {
    format!("{uid:x<72}")
}

async fn users(installation: &Installation, uids: &[&str]) {
    for uid in uids {
        installation.user(uid, "account password").await;
        installation.app_password(uid, &app_password(uid)).await;
    }
}

async fn is_closed(client: &mut Client) {
    assert_eq!(client.text().await, "err: Login revoked");
    assert_eq!(client.closed().await.map(|(code, _)| code), Some(4401));
}

async fn receives(installation: &Installation, uid: &str, client: &mut Client) {
    installation.custom(uid, "still_here").await;
    assert_eq!(client.text().await, "still_here");
}

#[tokio::test]
async fn sessions_whose_login_is_no_longer_valid_are_closed_and_no_others() {
    let installation = Installation::start().await;
    let token =
        |change: &str, uid: &str| format!("UPDATE oc_authtoken SET {change} WHERE uid = '{uid}'");
    let disabled = "INSERT INTO oc_preferences (userid, appid, configkey, configvalue) \
                    VALUES ('disabled', 'core', 'enabled', 'false')";
    let changes = [
        ("gone", "DELETE FROM oc_authtoken WHERE uid = 'gone'".to_owned()),
        ("expired", token(&format!("expires = {}", NOW - 1), "expired")),
        ("wiped", token("type = 2", "wiped")),
        ("invalid", token("password_invalid = TRUE", "invalid")),
        ("disabled", disabled.to_owned()),
        ("deleted", "DELETE FROM oc_users WHERE uid = 'deleted'".to_owned()),
    ];
    users(&installation, &changes.each_ref().map(|(uid, _)| *uid)).await;
    users(&installation, &["carol", "changed"]).await;
    let daemon = FastRecheckDaemon::start(&installation, &[]).await;
    let mut carol = Client::log_in(&daemon.url, "carol", &app_password("carol")).await;
    for (uid, change) in &changes {
        let mut client = Client::log_in(&daemon.url, uid, &app_password(uid)).await;
        receives(&installation, uid, &mut client).await;
        installation.database.execute(change).await;
        is_closed(&mut client).await;
        let mut again = Client::connect(&daemon.url).await;
        assert!(again.credentials(uid, &app_password(uid)).await.starts_with("err: "), "{uid}");
    }
    let mut by_account = Client::log_in(&daemon.url, "changed", "account password").await;
    let mut by_app = Client::log_in(&daemon.url, "changed", &app_password("changed")).await;
    let new = "UPDATE oc_users SET password = '3|$new' WHERE uid = 'changed'";
    installation.database.execute(new).await;
    is_closed(&mut by_account).await;
    receives(&installation, "changed", &mut by_app).await;
    receives(&installation, "carol", &mut carol).await;
}

#[tokio::test]
async fn an_unavailable_database_closes_no_session_and_is_asked_again() {
    let mariadb = MariaDb::shared().await;
    let installation = Installation::on(mariadb.nextcloud().await).await;
    users(&installation, &["alice", "bob"]).await;
    let proxy = FaultProxy::to(format!("127.0.0.1:{}", mariadb.port())).await;
    let url = installation.database.url();
    let url = url.replace(&format!(":{}/", mariadb.port()), &format!(":{}/", proxy.port()));
    let daemon = FastRecheckDaemon::start(&installation, &[("DATABASE_URL", &url)]).await;
    let mut alice = Client::log_in(&daemon.url, "alice", &app_password("alice")).await;
    let mut bob = Client::log_in(&daemon.url, "bob", &app_password("bob")).await;
    proxy.set(Fault::Cut);
    installation.database.execute("DELETE FROM oc_authtoken WHERE uid = 'alice'").await;
    daemon.log.says("sessions not checked").await;
    receives(&installation, "alice", &mut alice).await;
    receives(&installation, "bob", &mut bob).await;
    proxy.set(Fault::None);
    is_closed(&mut alice).await;
    receives(&installation, "bob", &mut bob).await;
}

async fn alice_twice_and_bob(
    environment: &[(&str, &str)],
) -> (Installation, Daemon, [Client; 2], Client) {
    let installation = Installation::start().await;
    users(&installation, &["alice", "bob"]).await;
    let daemon = installation.daemon(environment).await;
    let url = daemon.url();
    let alice = [
        Client::log_in(&url, "alice", &app_password("alice")).await,
        Client::log_in(&url, "alice", "account password").await,
    ];
    let bob = Client::log_in(&url, "bob", &app_password("bob")).await;
    (installation, daemon, alice, bob)
}

#[tokio::test]
async fn the_operator_closes_the_sessions_of_one_user() {
    let port = free_port().to_string();
    let admin = [("ADMIN_PORT", port.as_str())];
    let (installation, _daemon, alice, mut bob) = alice_twice_and_bob(&admin).await;
    let mut revoke = Daemon::launch(&["revoke", "alice"], &admin);
    assert_eq!(revoke.ends().await.code(), Some(0), "{}", revoke.log());
    assert_eq!(revoke.log().trim(), "closed 2 connections of alice");
    let mut again = Daemon::launch(&["revoke", "carol"], &admin);
    assert_eq!(again.ends().await.code(), Some(1), "{}", again.log());
    assert_eq!(again.log().trim(), "closed 0 connections of carol");
    for mut client in alice {
        is_closed(&mut client).await;
    }
    receives(&installation, "bob", &mut bob).await;
    let get = http::get(&format!("127.0.0.1:{port}"), "/revoke", &[]).await;
    assert_eq!(get.status, 405);
}

#[tokio::test]
async fn a_signal_over_redis_closes_the_sessions_of_one_user() {
    let (installation, daemon, alice, mut bob) = alice_twice_and_bob(&[]).await;
    installation.redis.publish("notify_signal", r#"{"revoke":"alice"}"#).await;
    for mut client in alice {
        is_closed(&mut client).await;
    }
    receives(&installation, "bob", &mut bob).await;
    // The login itself is still valid.
    Client::log_in(&daemon.url(), "alice", &app_password("alice")).await;
}

#[tokio::test]
async fn a_session_accepted_by_nextcloud_stays_as_long_as_nextcloud_accepts_it() {
    let (installation, nextcloud) =
        (Installation::start().await, Nextcloud::start(NextcloudSetup::default()).await);
    let url = nextcloud.url();
    let daemon = installation
        .daemon(&[
            ("AUTH", "database,nextcloud"),
            ("NEXTCLOUD_URL", &url),
            ("REAUTH_INTERVAL", "2"),
        ])
        .await;
    nextcloud.account("lars", "from LDAP", "lars");
    nextcloud.account("lena", "from LDAP", "lena");
    let mut lars = Client::log_in(&daemon.url(), "lars", "from LDAP").await;
    let mut lena = Client::log_in(&daemon.url(), "lena", "from LDAP").await;
    nextcloud.forget("lars", "from LDAP");
    is_closed(&mut lars).await;
    receives(&installation, "lena", &mut lena).await;
    // A Nextcloud that fails closes no session.
    let trouble = Answer::new(500, "");
    nextcloud.answer("/index.php/apps/notify_push/uid", Some(trouble));
    nextcloud.forget("lena", "from LDAP");
    within("lena is asked about", nextcloud.answered_as_told()).await;
    receives(&installation, "lena", &mut lena).await;
}

/// The time of day only says whether an app password has expired; nothing else goes by it.
#[tokio::test]
async fn a_clock_that_jumps_ends_only_sessions_whose_password_expires() {
    let installation = Installation::start().await;
    users(&installation, &["stays", "expires"]).await;
    let expiry = format!("UPDATE oc_authtoken SET expires = {} WHERE uid = 'expires'", NOW + 3600);
    installation.database.execute(&expiry).await;
    let ahead = Arc::new(AtomicI64::new(0));
    let (jumping, steady) = (Arc::clone(&ahead), clock());
    let jumping: WallClock = Arc::new(move || {
        let seconds = jumping.load(Relaxed);
        let by = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 { steady() - by } else { steady() + by }
    });
    let daemon = FastRecheckDaemon::start_by(jumping, &installation, &[]).await;
    let mut stays = Client::log_in(&daemon.url, "stays", &app_password("stays")).await;
    let mut expires = Client::log_in(&daemon.url, "expires", &app_password("expires")).await;
    for seconds in [-10 * 365 * 86_400, 0, -86_400, 60] {
        ahead.store(seconds, Relaxed);
        receives(&installation, "stays", &mut stays).await;
        receives(&installation, "expires", &mut expires).await;
    }
    ahead.store(10 * 365 * 86_400, Relaxed);
    is_closed(&mut expires).await;
    receives(&installation, "stays", &mut stays).await;
}

async fn ticket(installation: &Installation, url: &str, user: &str, ticket: &str) -> Client {
    let payload = format!(r#"{{"user":"{user}","token":"{ticket}"}}"#);
    let (client, _) = tokio::join!(
        Client::log_in(url, "", ticket),
        installation.redis.publish("notify_pre_auth", payload),
    );
    client
}

/// A new user with the same name must not share its messages with the old one's browser.
#[tokio::test]
async fn a_ticket_session_of_a_deleted_user_is_closed() {
    let installation = Installation::start().await;
    users(&installation, &["alice", "bob"]).await;
    let last_login = "INSERT INTO oc_preferences (userid, appid, configkey, configvalue) \
                      VALUES ('lars', 'login', 'lastLogin', '1')";
    installation.database.execute(last_login).await;
    let daemon = FastRecheckDaemon::start(&installation, &[]).await;
    let mut alice = ticket(&installation, &daemon.url, "alice", "ticket-1").await;
    let mut bob = ticket(&installation, &daemon.url, "bob", "ticket-2").await;
    let mut lars = ticket(&installation, &daemon.url, "lars", "ticket-3").await;
    installation.database.execute("DELETE FROM oc_users WHERE uid = 'alice'").await;
    installation.user("alice", "another password").await;
    is_closed(&mut alice).await;
    receives(&installation, "lars", &mut lars).await;
    installation.database.execute("DELETE FROM oc_preferences WHERE userid = 'lars'").await;
    is_closed(&mut lars).await;
    receives(&installation, "bob", &mut bob).await;
}

#[tokio::test]
async fn a_second_factor_closes_sessions_with_an_account_password() {
    let installation = Installation::start().await;
    users(&installation, &["alice", "bob"]).await;
    let daemon = FastRecheckDaemon::start(&installation, &[]).await;
    let mut by_account = Client::log_in(&daemon.url, "alice", "account password").await;
    let mut by_app = Client::log_in(&daemon.url, "alice", &app_password("alice")).await;
    let mut bob = Client::log_in(&daemon.url, "bob", "account password").await;
    let enable = "INSERT INTO oc_twofactor_providers (provider_id, uid, enabled) \
                  VALUES ('backup_codes', 'bob', 1), ('totp', 'alice', 1)";
    installation.database.execute(enable).await;
    is_closed(&mut by_account).await;
    receives(&installation, "alice", &mut by_app).await;
    receives(&installation, "bob", &mut bob).await;
}

/// Nextcloud checks the account password stored with an app password only when it is used.
#[tokio::test]
async fn an_app_password_that_nextcloud_refuses_after_the_login_is_closed() {
    let (installation, nextcloud) =
        (Installation::start().await, Nextcloud::start(NextcloudSetup::default()).await);
    for user in ["alice", "bob"] {
        installation.user(user, "account password").await;
        installation.unchecked_app_password(user, &app_password(user)).await;
    }
    nextcloud.account("bob", &app_password("bob"), "bob");
    let url = nextcloud.url();
    let environment = [
        ("AUTH", "database,nextcloud"),
        ("NEXTCLOUD_URL", url.as_str()),
        ("TOKEN_CHECK_RATE", "50"),
    ];
    let daemon = installation.daemon(&environment).await;
    let mut bob = Client::log_in(&daemon.url(), "bob", &app_password("bob")).await;
    let mut alice = Client::log_in(&daemon.url(), "alice", &app_password("alice")).await;
    is_closed(&mut alice).await;
    receives(&installation, "bob", &mut bob).await;

    let environment = [&environment[..2], &[("TOKEN_CHECK_RATE", "first")]].concat();
    let strict = installation.daemon(&environment).await;
    let mut alice = Client::connect(&strict.url()).await;
    let refused = alice.credentials("alice", &app_password("alice")).await;
    assert_eq!(refused, "err: Invalid credentials");
    Client::log_in(&strict.url(), "bob", &app_password("bob")).await;
}
