//! The service manager's watchdog bites: a daemon whose only worker is blocked is fed no longer.

use crate::support::in_process;
use notify_push::{
    config::ServiceEntry,
    lifecycle::ServiceManager,
    runtime::{Daemon, RuntimeEnvironment, settings::DaemonSettings},
    services::{
        BoxedService,
        nextcloud::{NextcloudEventSource, NextcloudService},
    },
};
use std::{
    os::unix::net::UnixDatagram,
    path::Path,
    sync::{Arc, mpsc},
    time::{Duration, SystemTime},
};
use tokio::sync::mpsc as channel;

/// The manager wants to hear of the daemon so often; it is fed twice as often.
const INTERVAL: &str = "400000";
/// Three times that: long enough to be missed.
const LONG: Duration = Duration::from_millis(1200);
/// A loaded machine may take its time.
const PATIENCE: Duration = Duration::from_secs(30);

fn settings(
    folder: &Path,
    feed: NextcloudEventSource,
) -> (DaemonSettings, Vec<ServiceEntry<BoxedService>>) {
    let database = format!("sqlite://{}", folder.join("none.db").display());
    let (settings, instance) = in_process::settings(&[], &[("DATABASE_URL", &database)]);
    (settings, vec![ServiceEntry::only(Box::new(NextcloudService { feed, ..instance }))])
}

fn environment(socket: &Path) -> RuntimeEnvironment {
    let variable = |name: &str| match name {
        "NOTIFY_SOCKET" => Some(socket.as_os_str().to_owned()),
        "WATCHDOG_USEC" => Some(INTERVAL.into()),
        _ => None,
    };
    let manager = ServiceManager::from_environment(variable, std::process::id()).unwrap();
    in_process::environment(manager, Arc::new(|| SystemTime::UNIX_EPOCH))
}

/// Waits until the daemon is fed; `false`: it was not in this time.
fn is_fed(manager: &UnixDatagram, within: Duration) -> bool {
    manager.set_read_timeout(Some(within)).unwrap();
    let mut buffer = [0; 256];
    while let Ok(length) = manager.recv(&mut buffer) {
        if &buffer[..length] == b"WATCHDOG=1" {
            return true;
        }
    }
    false
}

#[test]
fn a_blocked_worker_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (_source, queue) = channel::channel(16);
    let (settings, hosts) = settings(folder.path(), NextcloudEventSource::Memory(queue));
    let environment = environment(&socket);
    runtime.spawn(async move {
        let daemon = Daemon::start(&settings, hosts, environment).await.unwrap();
        daemon.run(futures_util::stream::pending()).await
    });
    assert!(is_fed(&manager, PATIENCE) && is_fed(&manager, PATIENCE), "it works and is not fed");

    let ((begun, blocked), (release, released)) = (mpsc::channel(), mpsc::channel::<()>());
    runtime.spawn(async move {
        begun.send(()).unwrap();
        // What no task may do: the worker is gone until the test lets it go.
        released.recv().unwrap();
    });
    blocked.recv_timeout(PATIENCE).unwrap();
    // What was said before.
    while is_fed(&manager, Duration::from_millis(1)) {}
    assert!(!is_fed(&manager, LONG), "it is blocked and fed");

    release.send(()).unwrap();
    assert!(is_fed(&manager, PATIENCE), "it works again and is not fed");
    runtime.shutdown_background();
}
