//! Tests that the runner detects faults.

use super::{
    DemoPerson, MemorySource, TABLES,
    runner::{ScriptFault, ScriptRunner, TOUR_PAUSE},
    screen::DemoScreen,
    script, users,
    users::DemoClient,
};
use crate::{
    client::{database, websocket::WebSocketClientError},
    lifecycle::{ProcessSignal, ServiceManager},
    runtime::{Daemon, RuntimeEnvironment},
    server::LocalAddress,
    telemetry::log::{LogFilter, LogFormat, build},
};
use futures_util::stream;
use std::{io, net::SocketAddr, sync::Arc, time::SystemTime};
use tokio::sync::mpsc;

/// The demo's daemon without a script; the folder lives as long as the value.
async fn daemon() -> (Daemon, MemorySource, SocketAddr, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("owncloud.db");
    database::create(&database, TABLES).await.unwrap();
    let (sender, queue) = mpsc::channel(1);
    let (_, log) = build(LogFilter::default(), LogFormat::Json, io::sink);
    let environment = RuntimeEnvironment {
        log,
        manager: ServiceManager::default(),
        clock: Arc::new(|| SystemTime::UNIX_EPOCH),
        rng: fastrand::Rng::with_seed(1),
        cores: 1,
        play: None,
    };
    let service = users::service(database, queue);
    let daemon = Daemon::start(&users::settings(0), service, environment).await.unwrap();
    let LocalAddress::Tcp(address) = *daemon.local().unwrap() else { panic!("not TCP") };
    (daemon, MemorySource::new(sender), address, folder)
}

async fn log_in(
    address: SocketAddr,
    person: DemoPerson,
) -> Result<DemoClient, WebSocketClientError> {
    users::log_in(address, person, fastrand::Rng::with_seed(2)).await
}

#[tokio::test]
async fn missing_and_unexpected_messages_are_faults() {
    let (daemon, memory, address, _folder) = daemon().await;
    let alice = log_in(address, DemoPerson::Alice).await.unwrap();
    let bob = log_in(address, DemoPerson::Bob).await.unwrap();
    let screen = DemoScreen::new(io::sink(), false);
    let mut runner = ScriptRunner { memory, alice, bob, screen };
    let mut step = script::recurring_step(1);
    assert_eq!(runner.play(&step, TOUR_PAUSE).await.unwrap(), []);
    step.expected[0].0 = DemoPerson::Bob;
    let text = step.expected[0].1.clone();
    let faults = [
        ScriptFault::Unexpected(DemoPerson::Alice, text.clone()),
        ScriptFault::Missing(DemoPerson::Bob, text),
    ];
    assert_eq!(runner.play(&step, TOUR_PAUSE).await.unwrap(), faults);
    daemon.run(stream::iter([ProcessSignal::Terminate])).await;
}

#[tokio::test]
async fn a_closed_client_is_an_error() {
    let (daemon, memory, address, _folder) = daemon().await;
    let mut bob = log_in(address, DemoPerson::Bob).await.unwrap();
    memory.publish("notify_signal", "\"reset\"").await.unwrap();
    assert!(matches!(bob.next().await, Err(WebSocketClientError::Closed)));
    daemon.run(stream::iter([ProcessSignal::Terminate])).await;
}
