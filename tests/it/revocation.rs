//! Who is no longer entitled is sent away: at the next look at the database, or at once when asked.

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

/// Looks come so often here; what they lead to is the same.
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

/// A daemon in this process that looks at its sessions more often than an operator can ask for.
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

/// As the desktop client has one: 72 characters.
fn app_password(uid: &str) -> String {
    format!("{uid:x<72}")
}

async fn users(installation: &Installation, uids: &[&str]) {
    for uid in uids {
        installation.user(uid, "account password").await;
        installation.app_password(uid, &app_password(uid)).await;
    }
}

async fn is_sent_away(client: &mut Client) {
    assert_eq!(client.text().await, "err: Login revoked");
    assert_eq!(client.closed().await.map(|(code, _)| code), Some(4401));
}

async fn hears(installation: &Installation, uid: &str, client: &mut Client) {
    installation.custom(uid, "still_here").await;
    assert_eq!(client.text().await, "still_here");
}

#[tokio::test]
async fn whose_log_in_is_no_longer_good_is_sent_away_and_nobody_else() {
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
        hears(&installation, uid, &mut client).await;
        installation.database.execute(change).await;
        is_sent_away(&mut client).await;
        let mut again = Client::connect(&daemon.url).await;
        assert!(again.credentials(uid, &app_password(uid)).await.starts_with("err: "), "{uid}");
    }
    let mut by_account = Client::log_in(&daemon.url, "changed", "account password").await;
    let mut by_app = Client::log_in(&daemon.url, "changed", &app_password("changed")).await;
    let new = "UPDATE oc_users SET password = '3|$new' WHERE uid = 'changed'";
    installation.database.execute(new).await;
    is_sent_away(&mut by_account).await;
    hears(&installation, "changed", &mut by_app).await;
    hears(&installation, "carol", &mut carol).await;
}

#[tokio::test]
async fn a_database_that_is_away_sends_nobody_away_and_is_asked_again() {
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
    daemon.log.says("sessions not looked at again").await;
    hears(&installation, "alice", &mut alice).await;
    hears(&installation, "bob", &mut bob).await;
    proxy.set(Fault::None);
    is_sent_away(&mut alice).await;
    hears(&installation, "bob", &mut bob).await;
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
    assert_eq!(revoke.log().trim(), "2");
    for mut client in alice {
        is_sent_away(&mut client).await;
    }
    hears(&installation, "bob", &mut bob).await;
    let get = http::get(&format!("127.0.0.1:{port}"), "/revoke", &[]).await;
    assert_eq!(get.status, 405);
}

#[tokio::test]
async fn a_signal_over_redis_closes_the_sessions_of_one_user() {
    let (installation, daemon, alice, mut bob) = alice_twice_and_bob(&[]).await;
    installation.redis.publish("notify_signal", r#"{"revoke":"alice"}"#).await;
    for mut client in alice {
        is_sent_away(&mut client).await;
    }
    hears(&installation, "bob", &mut bob).await;
    // The log-in itself is still good: that is the database's to say.
    Client::log_in(&daemon.url(), "alice", &app_password("alice")).await;
}

#[tokio::test]
async fn whom_nextcloud_let_in_stays_as_long_as_nextcloud_says_so() {
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
    is_sent_away(&mut lars).await;
    hears(&installation, "lena", &mut lena).await;
    // A Nextcloud in trouble sends nobody away.
    let trouble = Answer::new(500, "");
    nextcloud.answer("/index.php/apps/notify_push/uid", Some(trouble));
    nextcloud.forget("lena", "from LDAP");
    within("lena is asked about", nextcloud.answered_as_told()).await;
    hears(&installation, "lena", &mut lena).await;
}

/// The time of day only says whether an app password has expired; nothing else goes by it.
#[tokio::test]
async fn a_clock_that_jumps_sends_away_only_whose_password_expires() {
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
        hears(&installation, "stays", &mut stays).await;
        hears(&installation, "expires", &mut expires).await;
    }
    ahead.store(10 * 365 * 86_400, Relaxed);
    is_sent_away(&mut expires).await;
    hears(&installation, "stays", &mut stays).await;
}
