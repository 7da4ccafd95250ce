//! The clients of `examples/clients/`, which docs/clients.md tells authors to start from: each logs in,
//! hears, comes back after a restart, and gives up where coming back is of no use.

use crate::support::{Folder, Server, daemon::Daemon, folder, installation::Installation, until};
use std::path::{Path, PathBuf};

/// How a client is run: a program and what comes before the address and the user's name.
struct ClientProgram {
    program: String,
    before: Vec<String>,
}

fn source(name: &str) -> String {
    format!("{}/examples/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// In a folder with the package `ws`, as after `npm install ws`: Debian's Node has no WebSocket.
fn javascript(folder: &Folder) -> ClientProgram {
    let (file, packages) = (folder.path().join("client.mjs"), folder.path().join("node_modules"));
    std::fs::copy(source("client.mjs"), &file).expect("our own file");
    let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/socketio/node_modules");
    std::os::unix::fs::symlink(installed, packages).expect("our own folder");
    ClientProgram { program: "node".to_owned(), before: vec![file.display().to_string()] }
}

fn python() -> ClientProgram {
    // Debian's own, which finds Debian's packages.
    ClientProgram { program: "/usr/bin/python3".to_owned(), before: vec![source("client.py")] }
}

fn rust() -> ClientProgram {
    let built = Path::new(env!("CARGO_BIN_EXE_notify_push")).with_file_name("examples/client");
    assert!(built.exists(), "cargo build --example client makes {}", built.display());
    ClientProgram { program: built.display().to_string(), before: Vec::new() }
}

impl ClientProgram {
    fn start(self, folder: &Folder, url: &str, password: &str) -> Server {
        let input: PathBuf = folder.path().join("password");
        std::fs::write(&input, password).expect("our own folder");
        let (url, before) = (url.to_owned(), self.before);
        Server::start(&self.program, &folder.path().join("client.log"), move |command| {
            let input = std::fs::File::open(&input).expect("written above");
            command.args(&before).args([&url, "alice"]).stdin(input);
        })
    }
}

async fn says(client: &Server, times: usize, text: &str) {
    let enough = async || (client.log().matches(text).count() >= times).then_some(());
    until(&format!("{text:?} in: {}", client.log()), enough).await;
}

/// What any client of ours has to do.
async fn does_all_of_it(language: ClientProgram) {
    let installation = Installation::start().await;
    installation.user_with_home("alice", 1, 1).await;
    let mut daemon = installation.daemon(&[]).await;
    let folder = folder("client");
    let mut client = language.start(&folder, &daemon.url(), "alice-password\n");
    says(&client, 1, "authenticated").await;
    // Once it has asked for ids it hears them; what it hears before only says that something changed.
    until("it receives the change of the file", async || {
        installation.changed(1, "files/a", 12).await;
        client.log().contains("notify_file_id [12]").then_some(())
    })
    .await;
    installation.custom("alice", "my_type").await;
    says(&client, 1, "my_type").await;
    comes_back(&mut daemon, &client).await;
    installation.listened_to().await;
    installation.redis.publish("notify_signal", r#"{"revoke":"alice"}"#).await;
    revoked(&daemon, &mut client).await;
}

async fn comes_back(daemon: &mut Daemon, client: &Server) {
    daemon.stop().await;
    daemon.start_again();
    assert!(daemon.ready().await);
    says(client, 2, "authenticated").await;
}

async fn revoked(daemon: &Daemon, client: &mut Server) {
    let status = until("it gives up", async || client.ended()).await;
    assert_eq!(status.code(), Some(1), "{}\n{}", client.log(), daemon.log());
    assert!(client.log().contains("Login revoked"), "{}", client.log());
}

/// A wrong password is reported and not tried again.
async fn gives_up(language: ClientProgram) {
    let installation = Installation::start().await;
    installation.user("alice", "alice-password").await;
    let daemon = installation.daemon(&[]).await;
    let folder = folder("client");
    let mut client = language.start(&folder, &daemon.url(), "wrong");
    let status = until("it gives up", async || client.ended()).await;
    assert_eq!(status.code(), Some(1), "{}", client.log());
    assert!(client.log().contains("Invalid credentials"), "{}", client.log());
}

#[tokio::test]
async fn in_javascript() {
    let first = folder("javascript");
    does_all_of_it(javascript(&first)).await;
    let second = folder("javascript");
    gives_up(javascript(&second)).await;
}

/// It neither ends in silence nor claims success.
#[test]
fn in_javascript_without_a_websocket_it_says_what_to_install() {
    let folder = folder("javascript");
    let without = folder.path().join("without.cjs");
    std::fs::write(&without, "delete globalThis.WebSocket;").expect("our own folder");
    let client = std::process::Command::new("node")
        .arg("--require")
        .arg(&without)
        .args([&source("client.mjs"), "ws://127.0.0.1:1/", "alice"])
        .stdin(std::process::Stdio::null())
        .output()
        .expect("Node");
    let text = String::from_utf8_lossy(&client.stderr);
    assert_eq!(client.status.code(), Some(1), "{text}");
    assert!(text.contains("npm install ws"), "{text}");
}

#[tokio::test]
async fn in_python() {
    does_all_of_it(python()).await;
    gives_up(python()).await;
}

#[tokio::test]
async fn in_rust() {
    does_all_of_it(rust()).await;
    gives_up(rust()).await;
}
