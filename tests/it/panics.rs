//! A defect ends what it is in: one connection, or a daemon that can't do without the part.
//!
//! The defect here is a clock that panics: the time of day comes from outside, logins with app
//! passwords ask for it, and so does who looks at the sessions again.

use crate::support::{
    client::Client, free_port, http, in_process, installation::Installation, until,
};
use notify_push::{
    client::memory::MemorySource,
    config::ServiceEntry,
    lifecycle::{ExitReason, ServiceManager, TaskGroup},
    runtime::Daemon,
    server::LocalAddress,
    services::{
        BoxedService, WallClock,
        nextcloud::{NextcloudEventSource, NextcloudService},
    },
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::{sync::mpsc, task::JoinHandle};

const APP_PASSWORD: &str =
    "0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ0123456789ab";
const NEVER: Duration = Duration::from_secs(3600);

/// A daemon that knows alice, whose clock can be broken.
struct BrokenClockFixture {
    _installation: Installation,
    memory: MemorySource,
    url: String,
    metrics: String,
    broken: Arc<AtomicBool>,
    exit: JoinHandle<ExitReason>,
}

impl BrokenClockFixture {
    async fn start(recheck_round: Duration) -> Self {
        let installation = Installation::start().await;
        installation.user("alice", "unused").await;
        installation.app_password("alice", APP_PASSWORD).await;
        let (config, port) = (installation.config_php(""), free_port().to_string());
        let config = config.display().to_string();
        let metrics = [("METRICS_PORT", port.as_str())];
        let (settings, mut instance) = in_process::settings(&[&config], &metrics);
        instance.settings.auth.recheck_round = recheck_round;
        let (inlet, queue) = mpsc::channel(16);
        let instance = NextcloudService { feed: NextcloudEventSource::Memory(queue), ..instance };
        let hosts = vec![ServiceEntry::<BoxedService>::only(Box::new(instance))];
        let broken = Arc::new(AtomicBool::new(false));
        let environment = in_process::environment(ServiceManager::default(), clock(&broken));
        let daemon = Daemon::start(&settings, hosts, environment).await.unwrap();
        let LocalAddress::Tcp(address) = daemon.local().unwrap() else { panic!("not TCP") };
        let url = format!("ws://{address}/ws");
        Self {
            _installation: installation,
            memory: MemorySource::new(inlet),
            url,
            metrics: format!("127.0.0.1:{port}"),
            broken,
            exit: TaskGroup::default().spawn(daemon.run(futures_util::stream::pending())),
        }
    }

    async fn alice(&self) -> Client {
        Client::log_in(&self.url, "alice", APP_PASSWORD).await
    }

    async fn hears(&self, client: &mut Client) {
        let message = r#"{"user":"alice","message":"still_here"}"#;
        self.memory.publish("notify_custom", message.to_owned()).await.unwrap();
        client.texts_before("still_here").await;
    }
}

/// Tells the time of day, but panics once when it is broken.
fn clock(broken: &Arc<AtomicBool>) -> WallClock {
    let broken = Arc::clone(broken);
    Arc::new(move || {
        assert!(!broken.swap(false, Ordering::SeqCst), "a clock that a test has broken");
        SystemTime::UNIX_EPOCH
    })
}

#[tokio::test]
async fn a_panic_in_one_connection_ends_that_connection_alone() {
    let scene = BrokenClockFixture::start(NEVER).await;
    let mut alice = scene.alice().await;
    scene.broken.store(true, Ordering::SeqCst);
    let mut unlucky = Client::connect(&scene.url).await;
    unlucky.say("alice").await;
    unlucky.say(APP_PASSWORD).await;
    assert!(unlucky.next().await.is_none(), "it ends without a word");
    assert!(!scene.broken.load(Ordering::SeqCst), "the clock was not asked");
    until("it is counted out", async || {
        let page = http::get(&scene.metrics, "/metrics", &[]).await.body;
        page.contains("\nnotify_push_unauthenticated_connections 0\n").then_some(())
    })
    .await;
    let mut late = scene.alice().await;
    for client in [&mut alice, &mut late] {
        scene.hears(client).await;
    }
    assert!(!scene.exit.is_finished());
}

#[tokio::test]
async fn a_panic_in_a_part_that_is_needed_ends_the_daemon_with_an_error() {
    let scene = BrokenClockFixture::start(Duration::from_millis(100)).await;
    let mut alice = scene.alice().await;
    scene.hears(&mut alice).await;
    scene.broken.store(true, Ordering::SeqCst);
    assert!(alice.closed().await.is_some_and(|(code, _)| [1001, 1012].contains(&code)));
    let exit = scene.exit.await.unwrap();
    assert_eq!((exit, exit.code()), (ExitReason::CoreTaskFailed("recheck"), 1));
}
