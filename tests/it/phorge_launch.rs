//! `notify_push phorge start|stop|restart|status`: what `bin/aphlict` does, with Aphlict's own file.

use crate::support::{
    Folder, folder, http,
    phorge::{AphlictPorts, write},
    until,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    process::{Command, Output},
};
use tokio::net::TcpListener;

/// How often a start is tried with other ports.
const TRIES: usize = 5;

/// A server in the background, stopped when dropped.
struct BackgroundServer {
    folder: Folder,
    file: PathBuf,
    ports: AphlictPorts,
}

impl BackgroundServer {
    fn new(change: impl Fn(&mut Value)) -> Self {
        let (folder, ports) = (folder("background"), AphlictPorts::free());
        let file = write(folder.path(), ports, &change);
        Self { folder, file, ports }
    }

    /// One that runs. Somebody may have been quicker to take a port: then with others.
    fn started() -> Self {
        for _ in 0..TRIES {
            let server = Self::new(|_| {});
            let (code, said) = server.run("start");
            if code == 0 {
                assert!(said.contains("Aphlict started"), "{said}");
                return server;
            }
            assert!(said.to_lowercase().contains("address already in use"), "{said}");
        }
        panic!("no free ports for a server");
    }

    fn run_with(&self, action: &str, environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_notify_push"));
        command
            .args(["phorge", action, "--config"])
            .arg(&self.file)
            .current_dir(self.folder.path());
        command.env_clear().envs(environment.iter().copied()).output().unwrap()
    }

    /// Exit code and everything that was said.
    fn run(&self, action: &str) -> (i32, String) {
        let output = self.run_with(action, &[("ALLOW_ROOT", "true")]);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    fn pid(&self) -> Option<i32> {
        let text = std::fs::read_to_string(self.folder.path().join("pid/aphlict.pid")).ok()?;
        Some(text.trim().parse().unwrap())
    }

    /// The server itself, which the process in the pidfile looks after.
    fn server(&self) -> Option<Pid> {
        let pid = self.pid()?;
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
    }

    async fn serves(&self) {
        let address = format!("127.0.0.1:{}", self.ports.client);
        until("the server answers", async || {
            tokio::net::TcpStream::connect(&address).await.ok().map(drop)
        })
        .await;
        assert_eq!(http::get(&address, "/", &[]).await.status, 501);
    }
}

impl Drop for BackgroundServer {
    fn drop(&mut self) {
        self.run("stop");
    }
}

#[tokio::test]
async fn start_status_restart_and_stop() {
    let server = BackgroundServer::started();
    let first = server.pid().unwrap();
    server.serves().await;
    let (code, said) = server.run("status");
    assert_eq!((code, said.contains(&format!("({first}) is running"))), (0, true), "{said}");
    let (code, said) = server.run("start");
    assert_eq!((code, said.contains("already running")), (1, true), "{said}");
    assert_eq!(server.run("restart").0, 0);
    assert_ne!(server.pid(), Some(first));
    server.serves().await;
    assert_eq!(server.run("stop").0, 0);
    assert_eq!(server.pid(), None);
    for (action, expected) in [("status", 1), ("stop", 0)] {
        let (code, said) = server.run(action);
        assert_eq!((code, said.contains("Aphlict is not running")), (expected, true), "{said}");
    }
}

#[tokio::test]
async fn a_server_that_dies_is_run_again() {
    let server = BackgroundServer::started();
    let first = server.server().unwrap();
    kill_process(first, Signal::KILL).unwrap();
    until("another server runs", async || server.server().filter(|pid| *pid != first)).await;
    server.serves().await;
    let log = std::fs::read_to_string(server.folder.path().join("log/aphlict.log")).unwrap();
    assert!(log.contains("restarting in two seconds"), "{log}");
    assert_eq!(server.run("stop").0, 0);
}

#[tokio::test]
async fn obstacles_to_a_start_are_reported() {
    let server = BackgroundServer::new(|file| file["servers"][0]["type"] = json!("both"));
    let (code, said) = server.run("start");
    assert_eq!((code, said.contains("servers[0].type: expected")), (1, true), "{said}");
    let (server, taken) = loop {
        let server = BackgroundServer::new(|file| file["servers"][0]["port"] = json!(0));
        // Somebody may have been quicker to take it.
        if let Ok(taken) = TcpListener::bind(("127.0.0.1", server.ports.admin)).await {
            break (server, taken);
        }
    };
    let (code, said) = server.run("start");
    assert_eq!((code, said.to_lowercase().contains("address already in use")), (1, true), "{said}");
    assert_eq!(server.pid(), None);
    drop(taken);
    let (code, said) = server.run("start");
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn a_process_that_got_the_number_later_is_left_alone() {
    let server = BackgroundServer::new(|_| {});
    let pidfile = server.folder.path().join("pid/aphlict.pid");
    std::fs::create_dir(pidfile.parent().unwrap()).unwrap();
    let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
    std::fs::write(&pidfile, other.id().to_string()).unwrap();
    assert_eq!(server.run("status").0, 1);
    assert_eq!(server.run("stop").0, 0);
    assert!(other.try_wait().unwrap().is_none(), "it still runs");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn root_starts_nothing_unless_allowed() {
    let server = BackgroundServer::new(|_| {});
    let output = server.run_with("start", &[]);
    if rustix::process::geteuid().is_root() {
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), said.contains("--allow-root")),
            (Some(1), true),
            "{said}"
        );
    } else {
        assert_eq!(output.status.code(), Some(0));
    }
}
