//! Redis, the database and Nextcloud absent, killed, frozen, slow or talking garbage: the daemon stays,
//! what does not need the broken part goes on, and all is well again by itself.

use crate::support::{
    client::Client,
    daemon::Daemon,
    database::Database,
    faults::{Fault, FaultProxy},
    installation::Installation,
    mariadb::MariaDb,
    nextcloud::{Nextcloud, NextcloudSetup},
    postgres::Postgres,
    until,
};
use std::{collections::BTreeSet, time::Duration};

const APP_PASSWORD: &str =
    "0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ0123456789ab";
const INVALID: &str = "err: Invalid credentials";

/// The longest that a client waits for somebody who hangs.
const PATIENCE: Duration = Duration::from_secs(35);

async fn answer(daemon: &Daemon, user: &str, password: &str) -> String {
    Client::connect(&daemon.url()).await.credentials(user, password).await
}

/// It is not the client's fault, and the client does not learn whose it is.
fn blames_nobody(answer: &str) {
    assert!(answer.starts_with("err: ") && answer != INVALID, "{answer}");
    for internal in ["127.0.0.1", "http", "sql", "atabase", "edis", "extcloud"] {
        assert!(!answer.contains(internal), "{answer}");
    }
}

/// An installation whose Redis is reached through a proxy.
struct BehindRedis {
    installation: Installation,
    proxy: FaultProxy,
    daemon: Daemon,
    early: Client,
}

impl BehindRedis {
    async fn start() -> Self {
        let installation = Installation::start().await;
        installation.user("alice", "unused").await;
        installation.app_password("alice", APP_PASSWORD).await;
        let proxy = FaultProxy::to(format!("127.0.0.1:{}", installation.redis.port())).await;
        let url = format!("redis://127.0.0.1:{}", proxy.port());
        let daemon = installation.daemon(&[("REDIS_URL", &url)]).await;
        let early = Client::log_in(&daemon.url(), "alice", APP_PASSWORD).await;
        Self { installation, proxy, daemon, early }
    }

    /// Redis is broken now: log-ins work. `repair` mends it: everybody is told that anything may have
    /// changed, and then all is as usual.
    async fn outlives(&mut self, repair: impl AsyncFnOnce(&mut Installation, &FaultProxy)) {
        self.daemon.logs("no messages from Redis").await;
        let mut late = Client::log_in(&self.daemon.url(), "alice", APP_PASSWORD).await;
        repair(&mut self.installation, &self.proxy).await;
        for client in [&mut self.early, &mut late] {
            is_told_everything(client).await;
        }
        self.installation.listened_to().await;
        self.installation.custom("alice", "as_usual").await;
        for client in [&mut self.early, &mut late] {
            client.texts_before("as_usual").await;
        }
        assert!(self.daemon.ended().is_none());
    }
}

async fn is_told_everything(client: &mut Client) {
    let mut lacking = BTreeSet::from(["notify_activity", "notify_file", "notify_notification"]);
    while !lacking.is_empty() {
        lacking.remove(client.text().await.as_str());
    }
}

#[tokio::test]
async fn a_killed_redis_costs_nobody_a_log_in_or_a_change() {
    let mut scene = BehindRedis::start().await;
    scene.installation.redis.kill();
    scene.outlives(async |installation, _| installation.redis.restart().await).await;
}

#[tokio::test]
async fn a_frozen_redis_costs_nobody_a_log_in_or_a_change() {
    let mut scene = BehindRedis::start().await;
    scene.installation.redis.pause();
    scene.outlives(async |installation, _| installation.redis.resume()).await;
}

#[tokio::test]
async fn a_redis_that_talks_garbage_costs_nobody_a_log_in_or_a_change() {
    let mut scene = BehindRedis::start().await;
    scene.proxy.set(Fault::Garbage);
    // What is garbled must be understood as such even in the middle of an event.
    scene.installation.custom("alice", "garbled").await;
    scene.outlives(async |_, proxy| proxy.set(Fault::None)).await;
}

#[tokio::test]
async fn a_redis_that_is_switched_off_costs_nobody_a_log_in_or_a_change() {
    let mut scene = BehindRedis::start().await;
    scene.proxy.set(Fault::HalfOpen);
    scene.outlives(async |_, proxy| proxy.set(Fault::None)).await;
}

#[tokio::test]
async fn a_slow_redis_is_a_redis() {
    let mut scene = BehindRedis::start().await;
    scene.proxy.set(Fault::Slow(16));
    for message in ["one", "two", "three"] {
        scene.installation.custom("alice", message).await;
        assert_eq!(scene.early.text().await, message);
    }
}

/// A database of the test's own, behind a proxy. The proxy stands for the machine it runs on.
struct BehindDatabase {
    installation: Installation,
    proxy: FaultProxy,
    daemon: Daemon,
    alice: Client,
}

impl BehindDatabase {
    async fn start(database: Database, port: u16) -> Self {
        let installation = Installation::on(database).await;
        installation.user_with_home("alice", 1, 1).await;
        installation.user_with_home("bob", 2, 2).await;
        let proxy = FaultProxy::to(format!("127.0.0.1:{port}")).await;
        let url = installation.database.url();
        let url = url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port()));
        let daemon = installation.daemon(&[("DATABASE_URL", &url)]).await;
        let mut alice = Client::log_in(&daemon.url(), "alice", "alice-password").await;
        alice.wants_ids().await;
        Self { installation, proxy, daemon, alice }
    }

    /// The database is broken now: all that needs none works. `repair` mends it: what changed is told to
    /// those who were here and those who came meanwhile, and password log-ins work.
    async fn outlives(&mut self, repair: impl AsyncFnOnce(&FaultProxy)) {
        let Self { installation, daemon, alice, proxy } = self;
        let url = daemon.url();
        let (mut bob, ()) = tokio::join!(
            Client::log_in(&url, "", "bobs-ticket"),
            installation.ticket("bob", "bobs-ticket"),
        );
        installation.changed(1, "files/a", 12).await;
        installation.changed(2, "files/b", 22).await;
        for (client, uid) in [(&mut *alice, "alice"), (&mut bob, "bob")] {
            let user = format!(r#"{{"user":"{uid}"}}"#);
            installation.redis.publish("notify_activity", &user).await;
            installation.redis.publish("notify_notification", &user).await;
            installation.custom(uid, "an_app").await;
            let mut heard = BTreeSet::new();
            while heard.len() < 3 {
                heard.insert(client.text().await);
            }
            let expected = ["an_app", "notify_activity", "notify_notification"];
            assert_eq!(heard, expected.map(str::to_owned).into());
        }
        repair(proxy).await;
        assert_eq!(alice.text().await, "notify_file_id [12]");
        assert_eq!(bob.text().await, "notify_file");
        until("password log-ins work", async || {
            let said = answer(daemon, "bob", "bob-password").await;
            (said == "authenticated").then_some(())
        })
        .await;
        assert!(daemon.ended().is_none());
    }
}

#[tokio::test]
async fn what_changes_while_mariadb_is_away_is_told_once_it_is_back() {
    // Rows are to outlive the kill: the fixture is careless otherwise.
    let mut mariadb = MariaDb::start_with(&["--innodb-flush-log-at-trx-commit=2"]).await;
    let mut scene = BehindDatabase::start(mariadb.nextcloud().await, mariadb.port()).await;
    mariadb.kill();
    scene.outlives(async |_| mariadb.restart().await).await;
}

#[tokio::test]
async fn what_changes_while_mariadb_is_frozen_is_told_once_it_goes_on() {
    let mariadb = MariaDb::start().await;
    let mut scene = BehindDatabase::start(mariadb.nextcloud().await, mariadb.port()).await;
    mariadb.pause();
    scene.outlives(async |_| mariadb.resume()).await;
}

#[tokio::test]
async fn what_changes_while_postgres_is_away_is_told_once_it_is_back() {
    let mut postgres = Postgres::start().await;
    let mut scene = BehindDatabase::start(postgres.nextcloud().await, postgres.port()).await;
    postgres.kill();
    scene.outlives(async |_| postgres.restart().await).await;
}

#[tokio::test]
async fn what_changes_while_a_database_talks_garbage_is_told_once_it_talks_sense() {
    let mariadb = MariaDb::shared().await;
    let mut scene = BehindDatabase::start(mariadb.nextcloud().await, mariadb.port()).await;
    scene.proxy.set(Fault::Garbage);
    scene.outlives(async |proxy| proxy.set(Fault::None)).await;
}

#[tokio::test]
async fn a_database_that_is_switched_off_is_found_again() {
    let mariadb = MariaDb::shared().await;
    let mut scene = BehindDatabase::start(mariadb.nextcloud().await, mariadb.port()).await;
    scene.proxy.set(Fault::HalfOpen);
    scene.outlives(async |proxy| proxy.set(Fault::None)).await;
}

#[tokio::test]
async fn a_slow_database_is_a_database() {
    let mariadb = MariaDb::shared().await;
    let mut scene = BehindDatabase::start(mariadb.nextcloud().await, mariadb.port()).await;
    scene.proxy.set(Fault::Slow(256));
    scene.installation.changed(1, "files/a", 12).await;
    assert_eq!(scene.alice.text().await, "notify_file_id [12]");
    let mut bob = Client::log_in(&scene.daemon.url(), "bob", "bob-password").await;
    scene.installation.changed(2, "files/b", 22).await;
    assert_eq!(bob.text().await, "notify_file");
}

/// A Nextcloud behind a proxy that is broken from the start, and a daemon that asks it after the
/// database.
struct BehindNextcloud {
    installation: Installation,
    nextcloud: Nextcloud,
    proxy: FaultProxy,
    daemon: Daemon,
}

impl BehindNextcloud {
    async fn start(fault: Fault) -> Self {
        let installation = Installation::start().await;
        installation.user("alice", "unused").await;
        installation.app_password("alice", APP_PASSWORD).await;
        let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
        nextcloud.account("lars", "from LDAP", "lars");
        let server = nextcloud.url().trim_start_matches("http://").to_owned();
        let proxy = FaultProxy::to(server).await;
        proxy.set(fault);
        let url = format!("http://127.0.0.1:{}", proxy.port());
        let environment = [("AUTH", "database,nextcloud"), ("NEXTCLOUD_URL", url.as_str())];
        let daemon = installation.daemon(&environment).await;
        Self { installation, nextcloud, proxy, daemon }
    }

    /// The app passwords of the database are good, and their sessions work.
    async fn works_for_alice(&self) {
        let mut alice = Client::log_in(&self.daemon.url(), "alice", APP_PASSWORD).await;
        self.installation.custom("alice", "an_app").await;
        assert_eq!(alice.text().await, "an_app");
    }

    async fn works_for_lars(&self) {
        until("Nextcloud's log-ins work", async || {
            let said = answer(&self.daemon, "lars", "from LDAP").await;
            (said == "authenticated").then_some(())
        })
        .await;
    }
}

async fn nextcloud_is_broken_and_mended(fault: Fault) {
    let scene = BehindNextcloud::start(fault).await;
    let mut lars = Client::connect(&scene.daemon.url()).await;
    for text in ["lars", "from LDAP"] {
        lars.say(text).await;
    }
    scene.works_for_alice().await;
    blames_nobody(&lars.text_within(PATIENCE).await);
    scene.proxy.set(Fault::None);
    scene.works_for_lars().await;
    assert!(scene.nextcloud.asked().iter().all(|asked| asked.user.as_deref() == Some("lars")));
    scene.proxy.set(fault);
    scene.works_for_alice().await;
    scene.proxy.set(Fault::None);
    scene.works_for_lars().await;
}

#[tokio::test]
async fn a_nextcloud_that_is_away_is_missed_by_nobody_the_database_knows() {
    nextcloud_is_broken_and_mended(Fault::Cut).await;
}

#[tokio::test]
async fn a_nextcloud_that_talks_garbage_is_missed_by_nobody_the_database_knows() {
    nextcloud_is_broken_and_mended(Fault::Garbage).await;
}

/// Slow by nature: it waits for the promised time.
#[tokio::test]
async fn a_nextcloud_that_hangs_delays_nobody_else_and_who_waits_is_told() {
    nextcloud_is_broken_and_mended(Fault::Stall).await;
}

#[tokio::test]
async fn a_slow_nextcloud_is_a_nextcloud() {
    let scene = BehindNextcloud::start(Fault::None).await;
    scene.nextcloud.delay(Duration::from_secs(2));
    assert_eq!(answer(&scene.daemon, "lars", "from LDAP").await, "authenticated");
}
