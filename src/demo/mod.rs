//! The demo: the real daemon with nothing installed, on a temporary database, with the events that Nextcloud
//! would publish and two real clients.

mod folder;
mod page_actions;
mod runner;
mod screen;
mod script;
mod users;
pub mod webhook;

pub use screen::DemoScreen;

use crate::{
    client::{
        database,
        database::DatabaseClientError,
        memory::{MemorySource, SourceClosed},
        websocket::WebSocketClientError,
    },
    lifecycle::{ExitReason, ProcessSignal, SignalStream},
    runtime::{Daemon, DaemonStartError, RuntimeEnvironment},
    server::LocalAddress,
};
use folder::DemoFolder;
use futures_util::{Stream, StreamExt, stream};
use runner::{ScriptFault, ScriptRunner};
use std::{future::Future, io, net::SocketAddr, path::Path, pin::pin};
use tokio::sync::mpsc;
use users::{DemoPerson, log_in};

/// Nextcloud's tables and the demo's users.
const TABLES: &str = include_str!("tables.sql");
/// The most messages that wait for the daemon.
const QUEUE: usize = 16;
/// The exit code after a complete demo with faults.
const FAULTY: u8 = 1;

/// How a demo runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DemoOptions {
    /// Whether it exits after one message of each kind.
    pub once: bool,
    /// The port for clients on 127.0.0.1; 0: any free one.
    pub port: u16,
}

/// Why the demo can't run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The temporary folder is not writable; TMPDIR names another.
    #[error("cannot create a folder for the demo's database in the temporary folder (TMPDIR)")]
    Folder(#[source] io::Error),
    /// The database could not be created.
    #[error(transparent)]
    Tables(#[from] DatabaseClientError),
    /// The system refuses signal handlers.
    #[error("the system refuses signal handlers")]
    Signals(#[source] io::Error),
    /// The daemon could not start.
    #[error(transparent)]
    Start(#[from] DaemonStartError),
    /// The daemon does not listen on a TCP port.
    #[error("the daemon listens on no TCP port: {0:?}")]
    Address(Option<LocalAddress>),
    /// A client lost its connection.
    #[error("a client of the demo lost its connection")]
    Client(#[from] WebSocketClientError),
    /// The daemon stopped reading events.
    #[error(transparent)]
    Ended(#[from] SourceClosed),
    /// The demo's own back end gets no answer from the daemon.
    #[error("the demo's back end does not reach the daemon")]
    BackEnd(#[source] io::Error),
    /// The output could not be written.
    #[error("cannot write the demo's output")]
    Screen(#[from] io::Error),
}

/// Runs the demo in a new folder in `temporary`: with `once` each kind of message once, else until a
/// signal. Returns the exit code: 0 without faults or after a signal.
///
/// # Errors
/// [`DemoError`].
pub async fn run(
    options: DemoOptions,
    mut environment: RuntimeEnvironment,
    temporary: &Path,
    screen: DemoScreen,
) -> Result<u8, DemoError> {
    let signals = SignalStream::listen().map_err(DemoError::Signals)?;
    let folder = DemoFolder::new(temporary, &mut environment.rng).map_err(DemoError::Folder)?;
    let database = folder.path().join("owncloud.db");
    database::create(&database, TABLES).await?;
    let (sender, queue) = mpsc::channel(QUEUE);
    let (memory, rng) = (MemorySource::new(sender), environment.rng.fork());
    let controls = page_actions::demo_controls(memory.clone());
    environment.play = Some(controls.clone());
    let service = users::service(database, queue);
    let daemon = Daemon::start(&users::settings(options.port), service, environment).await?;
    let address = tcp(daemon.local())?;
    let page = match daemon.admin() {
        Some(LocalAddress::Tcp(page)) => *page,
        _ => address,
    };
    // It is set only here.
    let _ = controls.socket.set(format!("ws://{address}/push/ws"));
    let mut end = None;
    let play = async {
        end = Some(play(options.once, DemoAddresses { address, page }, memory, screen, rng).await)
    };
    let exit = daemon.run(pin!(signals_or_end(Box::pin(play), signals))).await;
    match (exit, end) {
        (ExitReason::Clean, Some(played)) => {
            played.map(|faults| if faults.is_empty() { 0 } else { FAULTY })
        }
        (exit, _) => Ok(exit.code()),
    }
}

/// The TCP address that the daemon listens on.
fn tcp(local: Option<&LocalAddress>) -> Result<SocketAddr, DemoError> {
    match local {
        Some(LocalAddress::Tcp(address)) => Ok(*address),
        other => Err(DemoError::Address(other.cloned())),
    }
}

/// The signals, and the end of the demo as one more; the first of them ends it.
fn signals_or_end(
    play: impl Future<Output = ()> + Unpin,
    signals: SignalStream,
) -> impl Stream<Item = ProcessSignal> {
    stream::unfold((Some(play), signals), async |(play, mut signals)| {
        let signal = match play {
            None => signals.next().await?,
            Some(play) => tokio::select! {
                signal = signals.next() => signal?,
                () = play => ProcessSignal::Terminate,
            },
        };
        // A closed terminal sends SIGHUP; the demo has no files to reload.
        let signal =
            if signal == ProcessSignal::Hangup { ProcessSignal::Terminate } else { signal };
        Some((signal, (None, signals)))
    })
}

/// The address for clients and that of the status page.
#[derive(Debug, Clone, Copy)]
struct DemoAddresses {
    address: SocketAddr,
    page: SocketAddr,
}

async fn play(
    once: bool,
    addresses: DemoAddresses,
    memory: MemorySource,
    mut screen: DemoScreen,
    mut rng: fastrand::Rng,
) -> Result<Vec<ScriptFault>, DemoError> {
    let DemoAddresses { address, page } = addresses;
    screen.introduction(address, page)?;
    let alice = log_in(address, DemoPerson::Alice, rng.fork()).await?;
    let bob = log_in(address, DemoPerson::Bob, rng.fork()).await?;
    let mut runner = ScriptRunner { memory, alice, bob, screen };
    let mut faults = Vec::new();
    for step in script::tour() {
        faults.extend(runner.play(&step, runner::TOUR_PAUSE).await?);
    }
    if faults.is_empty() {
        runner.screen.success()?;
    }
    if once {
        return Ok(faults);
    }
    runner.screen.connect_instructions(address, page)?;
    let mut turn = 0;
    loop {
        runner.play(&script::recurring_step(turn), runner::LOOP_PAUSE).await?;
        turn += 1;
    }
}

#[cfg(test)]
mod tests;
