//! The real binary, started as a service manager would start it.

use super::{Folder, Server, folder, free_port, http, http::Answer, until, within};
use rustix::process::Signal;
use std::{
    net::TcpListener,
    ops::{Deref, DerefMut},
    os::fd::OwnedFd,
    process::{Command, ExitStatus},
};
use tokio::net::UnixDatagram;

/// How often a start is tried with another port.
const TRIES: usize = 5;

/// Passes stdin on as sd_listen_fds(3) has it: descriptor 3 of the process that is named.
const ACTIVATE: &str = r#"exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0" "$@""#;

/// A running daemon on a free port of 127.0.0.1; killed when dropped.
pub(crate) struct Daemon {
    server: Server,
    _folder: Folder,
    port: u16,
    notifications: UnixDatagram,
}

impl Daemon {
    /// Starts it and waits until it says that it is ready. Its environment holds nothing but `PORT`,
    /// `BIND`, `NOTIFY_SOCKET` and what is given here; its working folder is its own.
    pub(crate) async fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        for _ in 0..TRIES {
            let mut daemon = Self::launch(arguments, environment);
            if daemon.ready().await {
                return daemon;
            }
            let log = daemon.log();
            assert!(log.to_lowercase().contains("address already in use"), "no start: {log}");
        }
        panic!("no free port for the daemon");
    }

    /// Starts it without waiting.
    pub(crate) fn launch(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::spawn(free_port(), env!("CARGO_BIN_EXE_notify_push"), arguments, environment, |_| {})
    }

    /// Starts it with a listening socket that outlives it, as systemd has one for it.
    pub(crate) async fn activated(
        socket: &TcpListener,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let port = socket.local_addr().expect("an address").port();
        let mut all = vec!["-c", ACTIVATE, env!("CARGO_BIN_EXE_notify_push")];
        all.extend(arguments);
        let socket = socket.try_clone().expect("a second handle");
        let mut daemon = Self::spawn(port, "sh", &all, environment, move |command| {
            command.stdin(socket.try_clone().map(OwnedFd::from).expect("a third handle"));
        });
        assert!(daemon.ready().await, "{}", daemon.log());
        daemon
    }

    fn spawn(
        port: u16,
        program: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
        set_up: impl Fn(&mut Command) + Send + Sync + 'static,
    ) -> Self {
        let folder = folder("daemon");
        let socket = folder.path().join("notify");
        let notifications = UnixDatagram::bind(&socket).expect("a socket in a folder of our own");
        let arguments = own(arguments.iter().copied());
        let mut variables = vec![("PORT".to_owned(), port.to_string())];
        variables.push(("BIND".to_owned(), "127.0.0.1".to_owned()));
        variables.push(("NOTIFY_SOCKET".to_owned(), socket.display().to_string()));
        variables
            .extend(environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let place = folder.path().to_owned();
        let server = Server::start(program, &folder.path().join("log"), move |command| {
            command.current_dir(&place).envs(variables.iter().cloned()).args(&arguments);
            set_up(command);
        });
        Self { server, _folder: folder, port, notifications }
    }

    /// Waits for its READY; `false` when it ended before.
    pub(crate) async fn ready(&mut self) -> bool {
        tokio::select! {
            () = notified(&self.notifications, "READY=1") => true,
            () = until("the daemon is ready or ends", async || self.server.ended().map(drop)) => false,
        }
    }

    /// Waits until it tells the service manager this: `STOPPING=1`, `WATCHDOG=1`.
    pub(crate) async fn notifies(&self, state: &str) {
        within(state, notified(&self.notifications, state)).await;
    }

    /// The port of its main listener.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where clients connect.
    pub(crate) fn url(&self) -> String {
        format!("ws://{}/ws", self.address())
    }

    /// GET on its main listener.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        http::get(&self.address(), path, headers).await
    }

    /// Waits until its log holds this text.
    pub(crate) async fn logs(&self, text: &str) {
        until(text, async || self.log().contains(text).then_some(())).await;
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ends(&mut self) -> ExitStatus {
        until("the daemon ends", async || self.server.ended()).await
    }

    /// Asks it to end, as `systemctl stop` does, and waits until it has.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ends().await
    }
}

impl Deref for Daemon {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl DerefMut for Daemon {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

async fn notified(notifications: &UnixDatagram, state: &str) {
    let mut buffer = [0; 4096];
    loop {
        let length = notifications.recv(&mut buffer).await.expect("our own socket");
        let text = String::from_utf8_lossy(&buffer[..length]);
        if text.lines().any(|line| line == state) {
            return;
        }
    }
}

fn own<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    texts.map(str::to_owned).collect()
}
