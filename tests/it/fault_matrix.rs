//! Redis, the database and Nextcloud absent, killed, frozen, slow or sending garbage, and clients that
//! flood: the daemon stays up, whatever doesn't need the broken part works, and the rest recovers by itself.

use crate::support::{
    client::Client,
    daemon::Daemon,
    database::Database,
    faults::{Fault, FaultProxy},
    installation::Installation,
    mariadb::MariaDb,
    nextcloud::{Nextcloud, NextcloudSetup},
    phorge::Aphlict,
    postgres::Postgres,
    until,
    webhook::Webhook,
};
use futures_util::future::join_all;
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

const APP_PASSWORD: &str =
    "0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ0123456789ab";
const INVALID: &str = "err: Invalid credentials";

/// The longest time that a client waits for a part that hangs.
const PATIENCE: Duration = Duration::from_secs(35);

async fn answer(daemon: &Daemon, user: &str, password: &str) -> String {
    Client::connect(&daemon.url()).await.credentials(user, password).await
}

/// The answer blames neither the client nor any part of the system.
fn blames_no_part(answer: &str) {
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

    /// Redis is broken now, and logins work. After `repair` every client is notified of every topic, and
    /// then everything is as usual.
    async fn outlives(&mut self, repair: impl AsyncFnOnce(&mut Installation, &FaultProxy)) {
        self.daemon.logs("no messages from Redis").await;
        let mut late = Client::log_in(&self.daemon.url(), "alice", APP_PASSWORD).await;
        repair(&mut self.installation, &self.proxy).await;
        for client in [&mut self.early, &mut late] {
            is_notified_of_every_topic(client).await;
        }
        self.installation.listened_to().await;
        self.installation.custom("alice", "as_usual").await;
        for client in [&mut self.early, &mut late] {
            client.texts_before("as_usual").await;
        }
        assert!(self.daemon.ended().is_none());
    }
}

async fn is_notified_of_every_topic(client: &mut Client) {
    let mut missing = BTreeSet::from(["notify_activity", "notify_file", "notify_notification"]);
    while !missing.is_empty() {
        missing.remove(client.text().await.as_str());
    }
}

#[tokio::test]
async fn a_killed_redis_costs_no_login_and_no_change() {
    let mut scene = BehindRedis::start().await;
    scene.installation.redis.kill();
    scene.outlives(async |installation, _| installation.redis.restart().await).await;
}

#[tokio::test]
async fn a_frozen_redis_costs_no_login_and_no_change() {
    let mut scene = BehindRedis::start().await;
    scene.installation.redis.pause();
    scene.outlives(async |installation, _| installation.redis.resume()).await;
}

#[tokio::test]
async fn a_redis_that_sends_garbage_costs_no_login_and_no_change() {
    let mut scene = BehindRedis::start().await;
    scene.proxy.set(Fault::Garbage);
    // Garbage must be recognised even in the middle of an event.
    scene.installation.custom("alice", "garbled").await;
    scene.outlives(async |_, proxy| proxy.set(Fault::None)).await;
}

#[tokio::test]
async fn a_redis_that_is_switched_off_costs_no_login_and_no_change() {
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

/// The test's own database behind a proxy, which stands for the machine that it runs on.
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

    /// The database is broken now, and whatever doesn't need it works. After `repair` all clients, also
    /// those that joined meanwhile, are notified of the changes, and password logins work.
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
            let mut received = BTreeSet::new();
            while received.len() < 3 {
                received.insert(client.text().await);
            }
            let expected = ["an_app", "notify_activity", "notify_notification"];
            assert_eq!(received, expected.map(str::to_owned).into());
        }
        repair(proxy).await;
        assert_eq!(alice.text().await, "notify_file_id [12]");
        assert_eq!(bob.text().await, "notify_file");
        until("password logins work", async || {
            let answer = answer(daemon, "bob", "bob-password").await;
            (answer == "authenticated").then_some(())
        })
        .await;
        assert!(daemon.ended().is_none());
    }
}

#[tokio::test]
async fn changes_during_a_mariadb_outage_are_delivered_afterwards() {
    // The rows must survive the kill, which the fixture doesn't ensure by default.
    let mut mariadb = MariaDb::start_with(&["--innodb-flush-log-at-trx-commit=2"]).await;
    let mut scene = BehindDatabase::start(mariadb.nextcloud().await, mariadb.port()).await;
    mariadb.kill();
    scene.outlives(async |_| mariadb.restart().await).await;
}

#[tokio::test]
async fn changes_while_mariadb_is_frozen_are_delivered_afterwards() {
    let mariadb = MariaDb::start().await;
    let mut scene = BehindDatabase::start(mariadb.nextcloud().await, mariadb.port()).await;
    mariadb.pause();
    scene.outlives(async |_| mariadb.resume()).await;
}

#[tokio::test]
async fn changes_during_a_postgres_outage_are_delivered_afterwards() {
    let mut postgres = Postgres::start().await;
    let mut scene = BehindDatabase::start(postgres.nextcloud().await, postgres.port()).await;
    postgres.kill();
    scene.outlives(async |_| postgres.restart().await).await;
}

#[tokio::test]
async fn changes_while_a_database_sends_garbage_are_delivered_afterwards() {
    let mariadb = MariaDb::shared().await;
    let mut scene = BehindDatabase::start(mariadb.nextcloud().await, mariadb.port()).await;
    scene.proxy.set(Fault::Garbage);
    scene.outlives(async |proxy| proxy.set(Fault::None)).await;
}

#[tokio::test]
async fn a_database_that_was_switched_off_is_found_again() {
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

    /// App passwords from the database are accepted, and their sessions work.
    async fn works_for_alice(&self) {
        let mut alice = Client::log_in(&self.daemon.url(), "alice", APP_PASSWORD).await;
        self.installation.custom("alice", "an_app").await;
        assert_eq!(alice.text().await, "an_app");
    }

    async fn works_for_lars(&self) {
        until("Nextcloud's logins work", async || {
            let answer = answer(&self.daemon, "lars", "from LDAP").await;
            (answer == "authenticated").then_some(())
        })
        .await;
    }
}

async fn survives_and_recovers_from(fault: Fault) {
    let scene = BehindNextcloud::start(fault).await;
    let mut lars = Client::connect(&scene.daemon.url()).await;
    for text in ["lars", "from LDAP"] {
        lars.say(text).await;
    }
    scene.works_for_alice().await;
    blames_no_part(&lars.text_within(PATIENCE).await);
    scene.proxy.set(Fault::None);
    scene.works_for_lars().await;
    assert!(scene.nextcloud.asked().iter().all(|asked| asked.user.as_deref() == Some("lars")));
    scene.proxy.set(fault);
    scene.works_for_alice().await;
    scene.proxy.set(Fault::None);
    scene.works_for_lars().await;
}

#[tokio::test]
async fn an_unreachable_nextcloud_affects_no_user_in_the_database() {
    survives_and_recovers_from(Fault::Cut).await;
}

#[tokio::test]
async fn a_nextcloud_that_sends_garbage_affects_no_user_in_the_database() {
    survives_and_recovers_from(Fault::Garbage).await;
}

/// Slow by nature: it waits for the documented time.
#[tokio::test]
async fn a_nextcloud_that_hangs_delays_no_other_login() {
    survives_and_recovers_from(Fault::Stall).await;
}

#[tokio::test]
async fn a_slow_nextcloud_is_a_nextcloud() {
    let scene = BehindNextcloud::start(Fault::None).await;
    scene.nextcloud.delay(Duration::from_secs(2));
    assert_eq!(answer(&scene.daemon, "lars", "from LDAP").await, "authenticated");
}

/// An event reaches an idle client within this time, whatever other clients send: SECURITY.md.
const PROMPT: Duration = Duration::from_millis(250);
/// Events in a row that must be prompt.
const IN_A_ROW: usize = 20;
/// Connections that send as much as they can.
const FLOODERS: usize = 128;

/// A masked frame of a client whose masking key is zero.
fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// Connects, sends `first` once and `again` without end, and reads nothing.
async fn flood(address: &str, path: &str, first: &[u8], again: &[u8]) {
    loop {
        let Ok(mut stream) = TcpStream::connect(address).await else { continue };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let mut head = request.into_bytes();
        head.extend_from_slice(first);
        // A client that is closed connects again.
        if stream.write_all(&head).await.is_ok() {
            while stream.write_all(again).await.is_ok() {}
        }
    }
}

/// Publishes until so many events in a row were prompt and the watchdog was fed as often.
async fn stays_prompt(
    daemon: &Daemon,
    probe: &mut Client,
    publish: impl AsyncFn(&str),
    is: impl Fn(&str, &str) -> bool,
) {
    let (mut prompt, mut number) = (0, 0);
    until("events are prompt", async || {
        number += 1;
        let mark = format!("event-{number}");
        let delivered = async {
            publish(&mark).await;
            while !is(&probe.text().await, &mark) {}
        };
        prompt = if timeout(PROMPT, delivered).await.is_ok() { prompt + 1 } else { 0 };
        (prompt >= IN_A_ROW).then_some(())
    })
    .await;
    for _ in 0..3 {
        daemon.notifies("WATCHDOG=1").await;
    }
}

fn subscriptions(command: &str, count: usize) -> Vec<u8> {
    let ids: Vec<String> = (0..count).map(|n| format!("PHID-TASK-{n:020}")).collect();
    let text = json!({ "command": command, "data": ids }).to_string();
    client_frame(0x81, text.as_bytes())
}

#[tokio::test]
async fn floods_at_a_phorge_service_delay_no_browser() {
    let server = Aphlict::with_environment(|_| {}, &[("WATCHDOG_USEC", "1000000")]).await;
    let mut probe = server.browser("").await;
    probe.subscribe(&["PHID-PROBE"]).await;
    for number in 0..2_000 {
        server.tell("", &["PHID-PROBE", "PHID-OTHER"], &format!("past-{number}")).await;
    }
    assert!(!probe.ping().await.is_empty());
    let looped = [subscriptions("subscribe", 8192), subscriptions("unsubscribe", 8192)].concat();
    let half_megabyte = subscriptions("ignored", 12_000);
    let replays = client_frame(0x81, br#"{"command":"replay","data":{"age":60000}}"#);
    let pings = client_frame(0x89, b"x").repeat(10_000);
    let floods = [looped, half_megabyte, replays.repeat(100), pings];
    let address = server.clients();
    let flooders = floods.iter().cycle().take(FLOODERS);
    let flooding = join_all(flooders.map(|again| flood(&address, "/ws/", b"", again)));
    let publish = async |mark: &str| server.tell("", &["PHID-PROBE"], mark).await;
    let probing = stays_prompt(&server.daemon, &mut probe.0, publish, |text, mark| {
        text.contains(&format!("\"{mark}\""))
    });
    tokio::select! {
        _ = flooding => unreachable!("floods are without end"),
        () = probing => {}
    }
}

#[tokio::test]
async fn floods_of_logged_in_clients_delay_no_notification() {
    let installation = Installation::start().await;
    installation.user("alice", "unused").await;
    installation.app_password("alice", APP_PASSWORD).await;
    installation.user("bob", "bob-password").await;
    let daemon = installation.daemon(&[("WATCHDOG_USEC", "1000000")]).await;
    let mut bob = Client::log_in(&daemon.url(), "bob", "bob-password").await;
    let login =
        [client_frame(0x81, b"alice"), client_frame(0x81, APP_PASSWORD.as_bytes())].concat();
    let pings = client_frame(0x89, b"x").repeat(10_000);
    let texts = client_frame(0x81, b"listen notify_file_id").repeat(5_000);
    let floods = [pings, texts];
    let address = daemon.address();
    let flooders = floods.iter().cycle().take(FLOODERS);
    let flooding = join_all(flooders.map(|again| flood(&address, "/ws", &login, again)));
    let publish = async |mark: &str| installation.custom("bob", mark).await;
    let probing = stays_prompt(&daemon, &mut bob, publish, |text, mark| text == mark);
    tokio::select! {
        _ = flooding => unreachable!("floods are without end"),
        () = probing => {}
    }
}

#[tokio::test]
async fn floods_at_a_webhook_service_delay_no_push() {
    const PAIRS: usize = 32;
    let service = Webhook::start_with(&[("WATCHDOG_USEC", "1000000")]).await;
    service.register("probe", "c").await;
    let mut probe = service.client("probe", "c").await;
    let pings = client_frame(0x89, b"x").repeat(10_000);
    let hooks = client_frame(0x81, br#"{"hook":{"seconds":1}}"#).repeat(5_000);
    let floods = [pings, hooks];
    let address = service.daemon.address();
    let mut flooders = Vec::new();
    for (number, again) in floods.iter().cycle().take(PAIRS).enumerate() {
        service.register("attacker", &number.to_string()).await;
        let path = format!("/ws/attacker?connectionId={number}");
        let address = &address;
        flooders.push(async move { flood(address, &path, b"", again).await });
    }
    let publish = async |mark: &str| drop(service.push("probe", &json!(mark).to_string()).await);
    let probing = stays_prompt(&service.daemon, &mut probe, publish, |text, mark| {
        text.contains(&format!("\"{mark}\""))
    });
    tokio::select! {
        _ = join_all(flooders) => unreachable!("floods are without end"),
        () = probing => {}
    }
}
