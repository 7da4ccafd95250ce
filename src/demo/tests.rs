//! The stage notices what is not as it should be.

use super::{
    Memory, Person, TABLES,
    people::{self, Client},
    screen::Screen,
    stage::{BRIEF, Fault, Stage},
    story,
};
use crate::{
    client::{database, websocket::VisitError},
    lifecycle::{ServiceManager, Signal},
    runtime::{Daemon, Rim},
    server::Local,
    telemetry::log::{Filter, LogFormat, build},
};
use futures_util::stream;
use std::{io, net::SocketAddr, sync::Arc, time::SystemTime};
use tokio::sync::mpsc;

/// The demo's daemon with nothing played; the folder goes with it.
async fn daemon() -> (Daemon, Memory, SocketAddr, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("owncloud.db");
    database::create(&database, TABLES).await.unwrap();
    let (sender, queue) = mpsc::channel(1);
    let (_, log) = build(Filter::default(), LogFormat::Json, io::sink);
    let rim = Rim {
        log,
        manager: ServiceManager::default(),
        clock: Arc::new(|| SystemTime::UNIX_EPOCH),
        rng: fastrand::Rng::with_seed(1),
        cores: 1,
        play: None,
    };
    let host = people::host(database, queue);
    let daemon = Daemon::start(&people::settings(), host, rim).await.unwrap();
    let Local::Tcp(address) = *daemon.local() else { panic!("not TCP") };
    (daemon, Memory::new(sender), address, folder)
}

async fn log_in(address: SocketAddr, person: Person) -> Result<Client, VisitError> {
    people::log_in(address, person, fastrand::Rng::with_seed(2)).await
}

#[tokio::test]
async fn a_message_that_misses_and_one_that_should_not_be_are_faults() {
    let (daemon, memory, address, _folder) = daemon().await;
    let alice = log_in(address, Person::Alice).await.unwrap();
    let bob = log_in(address, Person::Bob).await.unwrap();
    let screen = Screen::new(io::sink(), false);
    let mut stage = Stage { memory, alice, bob, screen };
    let mut step = story::everyday(1);
    assert_eq!(stage.play(&step, BRIEF).await.unwrap(), []);
    step.heard[0].0 = Person::Bob;
    let text = step.heard[0].1.clone();
    let faults = [Fault::Stray(Person::Alice, text.clone()), Fault::Missing(Person::Bob, text)];
    assert_eq!(stage.play(&step, BRIEF).await.unwrap(), faults);
    daemon.run(stream::iter([Signal::Terminate])).await;
}

#[tokio::test]
async fn a_client_that_is_told_to_go_says_so() {
    let (daemon, memory, address, _folder) = daemon().await;
    let mut bob = log_in(address, Person::Bob).await.unwrap();
    memory.publish("notify_signal", "\"reset\"").await.unwrap();
    assert!(matches!(bob.next().await, Err(VisitError::Closed)));
    daemon.run(stream::iter([Signal::Terminate])).await;
}
