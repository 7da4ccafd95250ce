//! What stays in the background: it runs the server, runs it again two seconds after it has ended by
//! itself, as the original did, and passes on what signals ask for.

use super::{BackgroundServer, LaunchError, SERVE};
use crate::lifecycle::{ProcessSignal, SignalStream};
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
enum ChildExit {
    /// As it was asked to.
    Requested,
    /// By itself.
    Unexpected(ExitStatus),
}

/// Keeps a server until a signal ends it.
pub(super) fn keep(launch: &BackgroundServer<'_>) -> Result<String, LaunchError> {
    Builder::new_current_thread().enable_all().build()?.block_on(supervise_async(launch))
}

async fn supervise_async(launch: &BackgroundServer<'_>) -> Result<String, LaunchError> {
    let mut supervisor = ServerSupervisor {
        launch,
        signals: SignalStream::listen()?,
        readiness: ReadinessSocket::new()?,
        ready: false,
    };
    loop {
        let mut command = Command::from(launch.command(SERVE));
        command.env("NOTIFY_SOCKET", format!("@{}", supervisor.readiness.name)).kill_on_drop(true);
        let child = command.spawn().map_err(|source| launch.program(source))?;
        match supervisor.life(child).await? {
            ChildExit::Unexpected(status) if supervisor.ready => {
                say(&format!("the server has ended ({status}) and is run again in two seconds"));
            }
            // One that has never begun won't begin now; what it said is in the log.
            ChildExit::Unexpected(_) => return Ok(String::new()),
            ChildExit::Requested => {
                launch.pidfile.remove()?;
                return Ok(String::new());
            }
        }
        let signals = &mut supervisor.signals;
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = wait_for_termination(signals) => {
                launch.pidfile.remove()?;
                return Ok(String::new());
            }
        }
    }
}

struct ServerSupervisor<'a> {
    launch: &'a BackgroundServer<'a>,
    signals: SignalStream,
    readiness: ReadinessSocket,
    /// Whether a server has ever begun.
    ready: bool,
}

impl ServerSupervisor<'_> {
    async fn life(&mut self, mut child: Child) -> Result<ChildExit, LaunchError> {
        let mut asked = false;
        loop {
            tokio::select! {
                ended = child.wait() => {
                    let status = ended?;
                    return Ok(if asked { ChildExit::Requested } else { ChildExit::Unexpected(status) });
                }
                signal = self.signals.next() => {
                    asked |= !matches!(signal, Some(ProcessSignal::Hangup) | None);
                    forward_signal(signal, &child);
                }
                // Listened to for ever: what nobody reads would hold the server up.
                () = self.readiness.ready() => if !std::mem::replace(&mut self.ready, true) {
                    // Whoever started us waits for it.
                    self.launch.pidfile.write(std::process::id())?;
                }
            }
        }
    }
}

fn forward_signal(signal: Option<ProcessSignal>, child: &Child) {
    let signal = match signal {
        Some(ProcessSignal::Terminate) => rustix::process::Signal::TERM,
        Some(ProcessSignal::Interrupt) => rustix::process::Signal::INT,
        Some(ProcessSignal::Hangup) => rustix::process::Signal::HUP,
        None => return,
    };
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(error) = pid.and_then(|pid| kill_process(pid, signal).err()) {
        say(&format!("a signal could not be passed on: {error}"));
    }
}

async fn wait_for_termination(signals: &mut SignalStream) {
    while let Some(ProcessSignal::Hangup) = signals.next().await {}
}

/// Where the server says that it has begun, as it would to a service manager.
struct ReadinessSocket {
    socket: UnixDatagram,
    name: String,
}

impl ReadinessSocket {
    fn new() -> io::Result<Self> {
        // Nobody else on this machine can guess it, be there first, or say for the server that it began.
        let chance = fastrand::Rng::new().u128(..);
        let name = format!("notify_push-supervisor-{}-{chance:032x}", std::process::id());
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
