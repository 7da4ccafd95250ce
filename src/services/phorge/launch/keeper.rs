//! What stays in the background: it runs the server, runs it again two seconds after it has ended by
//! itself, as the original did, and passes on what signals ask for.

use super::{Launch, LaunchError, SERVE};
use crate::lifecycle::{Signal, Signals};
use futures_util::StreamExt as _;
use rustix::process::{Pid, kill_process};
use std::{
    io::{self, Write as _},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram as Socket},
    },
    process::ExitStatus,
    time::Duration,
};
use tokio::{
    net::UnixDatagram,
    process::{Child, Command},
    runtime::Builder,
    time::sleep,
};

/// Before it is run again.
const PAUSE: Duration = Duration::from_secs(2);

/// How a server's life ended.
enum Ended {
    /// As it was asked to.
    Asked,
    /// By itself.
    Itself(ExitStatus),
}

/// Keeps a server until a signal ends it.
pub(super) fn keep(launch: &Launch<'_>) -> Result<String, LaunchError> {
    Builder::new_current_thread().enable_all().build()?.block_on(kept(launch))
}

async fn kept(launch: &Launch<'_>) -> Result<String, LaunchError> {
    let mut keeper = Keeper { launch, signals: Signals::listen()?, ear: Ear::new()?, ready: false };
    loop {
        let mut command = Command::from(launch.command(SERVE));
        command.env("NOTIFY_SOCKET", format!("@{}", keeper.ear.name)).kill_on_drop(true);
        let child = command.spawn().map_err(|source| launch.program(source))?;
        match keeper.life(child).await? {
            Ended::Itself(status) if keeper.ready => {
                say(&format!("the server has ended ({status}) and is run again in two seconds"));
            }
            // One that has never begun won't begin now; what it said is in the log.
            Ended::Itself(_) => return Ok(String::new()),
            Ended::Asked => {
                launch.pidfile.remove()?;
                return Ok(String::new());
            }
        }
        let signals = &mut keeper.signals;
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = asked_to_end(signals) => {
                launch.pidfile.remove()?;
                return Ok(String::new());
            }
        }
    }
}

struct Keeper<'a> {
    launch: &'a Launch<'a>,
    signals: Signals,
    ear: Ear,
    /// Whether a server has ever begun.
    ready: bool,
}

impl Keeper<'_> {
    async fn life(&mut self, mut child: Child) -> Result<Ended, LaunchError> {
        let mut asked = false;
        loop {
            tokio::select! {
                ended = child.wait() => {
                    let status = ended?;
                    return Ok(if asked { Ended::Asked } else { Ended::Itself(status) });
                }
                signal = self.signals.next() => {
                    asked |= !matches!(signal, Some(Signal::Hangup) | None);
                    pass_on(signal, &child);
                }
                // Listened to for ever: what nobody reads would hold the server up.
                () = self.ear.ready() => if !std::mem::replace(&mut self.ready, true) {
                    // Whoever started us waits for it.
                    self.launch.pidfile.write(std::process::id())?;
                }
            }
        }
    }
}

fn pass_on(signal: Option<Signal>, child: &Child) {
    let signal = match signal {
        Some(Signal::Terminate) => rustix::process::Signal::TERM,
        Some(Signal::Interrupt) => rustix::process::Signal::INT,
        Some(Signal::Hangup) => rustix::process::Signal::HUP,
        None => return,
    };
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(error) = pid.and_then(|pid| kill_process(pid, signal).err()) {
        say(&format!("a signal could not be passed on: {error}"));
    }
}

async fn asked_to_end(signals: &mut Signals) {
    while let Some(Signal::Hangup) = signals.next().await {}
}

/// Where the server says that it has begun, as it would to a service manager.
struct Ear {
    socket: UnixDatagram,
    name: String,
}

impl Ear {
    fn new() -> io::Result<Self> {
        // Nobody else on this machine can guess it, be there first, or say for the server that it began.
        let chance = fastrand::Rng::new().u128(..);
        let name = format!("notify_push-keeper-{}-{chance:032x}", std::process::id());
        let socket = Socket::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: UnixDatagram::from_std(socket)?, name })
    }

    async fn ready(&self) {
        let mut buffer = [0; 4096];
        loop {
            match self.socket.recv(&mut buffer).await {
                Ok(length) if buffer[..length].split(|byte| *byte == b'\n').any(is_ready) => return,
                Ok(_) => {}
                // Our own socket can't fail; if it does, nothing is heard of it.
                Err(_) => std::future::pending().await,
            }
        }
    }
}

fn is_ready(line: &[u8]) -> bool {
    line == b"READY=1"
}

/// Standard error is the log.
fn say(text: &str) {
    // Nowhere else to say it.
    let _ = writeln!(io::stderr(), "notify_push: {text}");
}
