//! The supervisor in the background: it runs the server, restarts it two seconds after an unexpected exit,
//! as the original does, and forwards signals.

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

/// The pause before a restart.
const RESTART_PAUSE: Duration = Duration::from_secs(2);

/// How the server process ended.
enum ChildExit {
    /// After a signal asked it to.
    Requested,
    /// Without a request.
    Unexpected(ExitStatus),
}

/// Supervises a server until a signal ends it.
pub(super) fn supervise(launch: &BackgroundServer<'_>) -> Result<String, LaunchError> {
    Builder::new_current_thread().enable_all().build()?.block_on(restart_until_signal(launch))
}

async fn restart_until_signal(launch: &BackgroundServer<'_>) -> Result<String, LaunchError> {
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
        match supervisor.run_child(child).await? {
            ChildExit::Unexpected(status) if supervisor.ready => {
                log_line(&format!("the server exited ({status}); restarting in two seconds"));
            }
            // A server that never became ready would fail again; its reason is in the log.
            ChildExit::Unexpected(_) => return Ok(String::new()),
            ChildExit::Requested => {
                launch.pidfile.remove()?;
                return Ok(String::new());
            }
        }
        let signals = &mut supervisor.signals;
        tokio::select! {
            () = sleep(RESTART_PAUSE) => {}
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
    /// Whether a server was ever ready.
    ready: bool,
}

impl ServerSupervisor<'_> {
    async fn run_child(&mut self, mut child: Child) -> Result<ChildExit, LaunchError> {
        let mut requested = false;
        loop {
            tokio::select! {
                ended = child.wait() => {
                    let status = ended?;
                    return Ok(if requested { ChildExit::Requested } else { ChildExit::Unexpected(status) });
                }
                signal = self.signals.next() => {
                    requested |= !matches!(signal, Some(ProcessSignal::Hangup) | None);
                    forward_signal(signal, &child);
                }
                // Read to the end: an unread socket would block the server.
                () = self.readiness.ready() => if !std::mem::replace(&mut self.ready, true) {
                    // `start` waits for the pidfile.
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
        log_line(&format!("failed to forward a signal: {error}"));
    }
}

async fn wait_for_termination(signals: &mut SignalStream) {
    while let Some(ProcessSignal::Hangup) = signals.next().await {}
}

/// Receives the server's readiness, as a service manager would.
struct ReadinessSocket {
    socket: UnixDatagram,
    name: String,
}

impl ReadinessSocket {
    fn new() -> io::Result<Self> {
        // Random, so that no other process can bind it first or send readiness for the server.
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
                // A bound socket doesn't fail; if it does, readiness never arrives.
                Err(_) => std::future::pending().await,
            }
        }
    }
}

fn is_ready(line: &[u8]) -> bool {
    line == b"READY=1"
}

/// Writes to standard error, which is the log file.
fn log_line(text: &str) {
    // There is no other place for an error.
    let _ = writeln!(io::stderr(), "notify_push: {text}");
}
