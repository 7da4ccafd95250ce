//! The main job with nothing installed: the daemon as it is, over a database made for the purpose,
//! told what Nextcloud would publish, with two real clients.

mod folder;
mod people;
mod screen;
mod stage;
mod story;
mod visit;
pub mod webhook;

pub use screen::Screen;

use crate::{
    client::{
        database,
        database::StoreError,
        memory::{Ended, Memory},
        websocket::VisitError,
    },
    lifecycle::{Exit, Signal, Signals},
    runtime::{Daemon, Rim, StartError},
    server::Local,
};
use folder::Folder;
use futures_util::{Stream, StreamExt, stream};
use people::{Person, log_in};
use stage::{Fault, Stage};
use std::{future::Future, io, net::SocketAddr, path::Path, pin::pin};
use tokio::sync::mpsc;

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
    /// See [`StoreError`].
    #[error(transparent)]
    Tables(#[from] StoreError),
    /// The system refuses signal handlers.
    #[error("the system refuses signal handlers")]
    Signals(#[source] io::Error),
    /// See [`StartError`].
    #[error(transparent)]
    Start(#[from] StartError),
    /// The daemon does not listen where it was told to.
    #[error("the daemon listens on {0}, not on a TCP port")]
    Address(Local),
    /// See [`VisitError`].
    #[error("a client of the demo hears nothing more")]
    Client(#[from] VisitError),
    /// See [`Ended`].
    #[error(transparent)]
    Ended(#[from] Ended),
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
    mut rim: Rim,
    temporary: &Path,
    screen: Screen,
) -> Result<u8, DemoError> {
    let signals = Signals::listen().map_err(DemoError::Signals)?;
    let folder = Folder::new(temporary, &mut rim.rng).map_err(DemoError::Folder)?;
    let database = folder.path().join("owncloud.db");
    database::create(&database, TABLES).await?;
    let (sender, queue) = mpsc::channel(QUEUE);
    let (memory, rng) = (Memory::new(sender), rim.rng.fork());
    let visit = visit::play(memory.clone());
    rim.play = Some(visit.clone());
    let host = people::host(database, queue);
    let daemon = Daemon::start(&people::settings(), host, rim).await?;
    let address = tcp(daemon.local())?;
    let page = match daemon.watched() {
        Some(Local::Tcp(page)) => *page,
        _ => address,
    };
    // Set here and nowhere else.
    let _ = visit.socket.set(format!("ws://{address}/push/ws"));
    let mut end = None;
    let play =
        async { end = Some(play(once, Places { address, page }, memory, screen, rng).await) };
    let exit = daemon.run(pin!(until(Box::pin(play), signals))).await;
    match (exit, end) {
        (Exit::Clean, Some(played)) => {
            played.map(|faults| if faults.is_empty() { 0 } else { WRONG })
        }
        (exit, _) => Ok(exit.code()),
    }
}

/// The port the daemon listens on.
fn tcp(local: &Local) -> Result<SocketAddr, DemoError> {
    match local {
        Local::Tcp(address) => Ok(*address),
        other => Err(DemoError::Address(other.clone())),
    }
}

/// The signals, with the end of the play among them. The first of all ends the play.
fn until(play: impl Future<Output = ()> + Unpin, signals: Signals) -> impl Stream<Item = Signal> {
    stream::unfold((Some(play), signals), async |(play, mut signals)| {
        let signal = match play {
            None => signals.next().await?,
            Some(play) => tokio::select! {
                signal = signals.next() => signal?,
                () = play => Signal::Terminate,
            },
        };
        // A terminal that is closed sends SIGHUP; there are no files here to be read again.
        let signal = if signal == Signal::Hangup { Signal::Terminate } else { signal };
        Some((signal, (None, signals)))
    })
}

/// Where clients connect, and where the page is.
#[derive(Debug, Clone, Copy)]
struct Places {
    address: SocketAddr,
    page: SocketAddr,
}

async fn play(
    once: bool,
    places: Places,
    memory: Memory,
    mut screen: Screen,
    mut rng: fastrand::Rng,
) -> Result<Vec<Fault>, DemoError> {
    let Places { address, page } = places;
    screen.introduction(address, page)?;
    let alice = log_in(address, Person::Alice, rng.fork()).await?;
    let bob = log_in(address, Person::Bob, rng.fork()).await?;
    let mut stage = Stage { memory, alice, bob, screen };
    let mut faults = Vec::new();
    for step in story::tour() {
        faults.extend(stage.play(&step, stage::BRIEF).await?);
    }
    if faults.is_empty() {
        stage.screen.success()?;
    }
    if once {
        return Ok(faults);
    }
    stage.screen.invitation(address, page)?;
    let mut turn = 0;
    loop {
        stage.play(&story::everyday(turn), stage::LONG).await?;
        turn += 1;
    }
}

#[cfg(test)]
mod tests;
