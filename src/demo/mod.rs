//! The main job with nothing installed: the daemon as it is, over a database made for the purpose,
//! told what Nextcloud would publish, with two real clients.

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
/// Messages that may wait for the pipeline.
const QUEUE: usize = 16;
/// Exit code when the demo was played to its end and something was wrong.
const WRONG: u8 = 1;

/// Why the demo can't be played.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No place for the database: give another one with TMPDIR.
    #[error("no folder for the demo's database can be made in the temporary folder (TMPDIR)")]
    Folder(#[source] io::Error),
    /// See [`DatabaseClientError`].
    #[error(transparent)]
    Tables(#[from] DatabaseClientError),
    /// The system refuses signal handlers.
    #[error("the system refuses signal handlers")]
    Signals(#[source] io::Error),
    /// See [`DaemonStartError`].
    #[error(transparent)]
    Start(#[from] DaemonStartError),
    /// The daemon does not listen where it was told to.
    #[error("the daemon listens on {0}, not on a TCP port")]
    Address(LocalAddress),
    /// See [`WebSocketClientError`].
    #[error("a client of the demo hears nothing more")]
    Client(#[from] WebSocketClientError),
    /// See [`SourceClosed`].
    #[error(transparent)]
    Ended(#[from] SourceClosed),
    /// The demo's own back end gets no answer.
    #[error("the demo's back end does not reach the daemon")]
    BackEnd(#[source] io::Error),
    /// Nobody can see it.
    #[error("the demo can't be shown")]
    Screen(#[from] io::Error),
}

/// Plays the demo in a folder of its own in `temporary`: with `once` each kind of message and then
/// the end, else on until a signal comes. Returns the process's exit code: 0 when all went as it
/// should or somebody ended it.
///
/// # Errors
/// [`DemoError`].
pub async fn run(
    once: bool,
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
    let visit = page_actions::demo_controls(memory.clone());
    environment.play = Some(visit.clone());
    let host = users::host(database, queue);
    let daemon = Daemon::start(&users::settings(), host, environment).await?;
    let address = tcp(daemon.local())?;
    let page = match daemon.watched() {
        Some(LocalAddress::Tcp(page)) => *page,
        _ => address,
    };
    // Set here and nowhere else.
    let _ = visit.socket.set(format!("ws://{address}/push/ws"));
    let mut end = None;
    let play = async {
        end = Some(play(once, DemoAddresses { address, page }, memory, screen, rng).await)
    };
    let exit = daemon.run(pin!(until(Box::pin(play), signals))).await;
    match (exit, end) {
        (ExitReason::Clean, Some(played)) => {
            played.map(|faults| if faults.is_empty() { 0 } else { WRONG })
        }
        (exit, _) => Ok(exit.code()),
    }
}

/// The port the daemon listens on.
fn tcp(local: &LocalAddress) -> Result<SocketAddr, DemoError> {
    match local {
        LocalAddress::Tcp(address) => Ok(*address),
        other => Err(DemoError::Address(other.clone())),
    }
}

/// The signals, with the end of the play among them. The first of all ends the play.
fn until(
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
        // A terminal that is closed sends SIGHUP; there are no files here to be read again.
        let signal =
            if signal == ProcessSignal::Hangup { ProcessSignal::Terminate } else { signal };
        Some((signal, (None, signals)))
    })
}

/// Where clients connect, and where the page is.
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
