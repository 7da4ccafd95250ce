//! The daemon in Aphlict's place, from a file as Aphlict has it, and what speaks to it: publishers and
//! browsers.

use super::{Folder, client::Client, daemon::Daemon, folder, free_port, http, http::Answer};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// How often a start is tried with other ports.
const TRIES: usize = 5;

const PONG: &str = r#"{"type":"pong"}"#;

/// A server with one client server and one admin server.
pub(crate) struct Aphlict {
    pub(crate) daemon: Daemon,
    pub(crate) ports: AphlictPorts,
    folder: Folder,
}

/// Where it listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AphlictPorts {
    pub(crate) client: u16,
    pub(crate) admin: u16,
}

impl AphlictPorts {
    /// Free ones, which somebody else may still be quicker to take.
    pub(crate) fn free() -> Self {
        let [ports] = Self::several();
        ports
    }

    /// The same for several servers: none has a port of another.
    pub(crate) fn several<const N: usize>() -> [Self; N] {
        let mut taken = Vec::new();
        let mut another = || loop {
            let port = free_port();
            if !taken.contains(&port) {
                taken.push(port);
                return port;
            }
        };
        [(); N].map(|()| Self { client: another(), admin: another() })
    }
}

impl Aphlict {
    /// With Aphlict's usual file.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With a file that differs.
    pub(crate) async fn with(change: impl Fn(&mut Value)) -> Self {
        Self::with_environment(change, &[]).await
    }

    /// The same with this environment.
    pub(crate) async fn with_environment(
        change: impl Fn(&mut Value),
        environment: &[(&str, &str)],
    ) -> Self {
        for _ in 0..TRIES {
            if let Some(server) = Self::launch(AphlictPorts::free(), &change, environment).await {
                return server;
            }
        }
        panic!("no free ports for Aphlict");
    }

    /// At these ports; none when somebody else has one of them.
    pub(crate) async fn at(ports: AphlictPorts, change: &impl Fn(&mut Value)) -> Option<Self> {
        Self::launch(ports, change, &[]).await
    }

    async fn launch(
        ports: AphlictPorts,
        change: &impl Fn(&mut Value),
        environment: &[(&str, &str)],
    ) -> Option<Self> {
        let folder = folder("aphlict");
        let file = write(folder.path(), ports, change);
        let arguments = ["phorge", "debug", "--config", &file.display().to_string()];
        let environment = [&[("LOG", "notify_push=debug")], environment].concat();
        let mut daemon = Daemon::launch(&arguments, &environment);
        if daemon.ready().await {
            return Some(Self { daemon, ports, folder });
        }
        let log = daemon.log();
        assert!(log.to_lowercase().contains("address already in use"), "no start: {log}");
        None
    }

    /// The folder of its file.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `127.0.0.1:port` of the client server.
    pub(crate) fn clients(&self) -> String {
        format!("127.0.0.1:{}", self.ports.client)
    }

    /// `127.0.0.1:port` of the admin server.
    pub(crate) fn admins(&self) -> String {
        format!("127.0.0.1:{}", self.ports.admin)
    }

    /// Publishes as the PHP client does: JSON that says it is a form.
    pub(crate) async fn publish(&self, instance: &str, body: &str) -> Answer {
        publish(&self.admins(), instance, body).await
    }

    /// Publishes for these ids, with this `uniqueID`.
    pub(crate) async fn tell(&self, instance: &str, ids: &[&str], unique: &str) {
        let body = json!({"type": "notification", "subscribers": ids, "uniqueID": unique});
        let answer = self.publish(instance, &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// What it says of itself.
    pub(crate) async fn status(&self, instance: &str) -> Value {
        let path = format!("/status/?instance={instance}");
        let answer = http::get(&self.admins(), &path, &[]).await;
        assert_eq!(answer.status, 200);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// A browser of an instance, `""` for the one that isn't named.
    pub(crate) async fn browser(&self, instance: &str) -> LeaderTab {
        let marker = if instance.is_empty() { String::new() } else { format!("~{instance}/") };
        LeaderTab(Client::connect(&format!("ws://{}/ws/{marker}", self.clients())).await)
    }
}

/// Aphlict's file for these ports.
pub(crate) fn write(folder: &Path, ports: AphlictPorts, change: &impl Fn(&mut Value)) -> PathBuf {
    let mut document = json!({
        "servers": [
            {"type": "client", "port": ports.client, "listen": "127.0.0.1",
             "ssl.key": null, "ssl.cert": null, "ssl.chain": null},
            {"type": "admin", "port": ports.admin, "listen": "127.0.0.1",
             "ssl.key": null, "ssl.cert": null, "ssl.chain": null},
        ],
        "logs": [{"path": folder.join("log/aphlict.log")}],
        "pidfile": folder.join("pid/aphlict.pid"),
        "memory.hint": 256,
    });
    change(&mut document);
    let file = folder.join("aphlict.custom.json");
    std::fs::write(&file, serde_json::to_string_pretty(&document).expect("JSON")).expect("a file");
    file
}

/// Publishes at an admin server.
pub(crate) async fn publish(address: &str, instance: &str, body: &str) -> Answer {
    let form = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "*/*")];
    http::request("POST", address, &format!("/?instance={instance}"), &form, body).await
}

/// What a browser's leader tab says and hears.
pub(crate) struct LeaderTab(pub(crate) Client);

impl LeaderTab {
    /// Subscribes, and waits until the server has heard of it. What it was told before is passed over.
    pub(crate) async fn subscribe(&mut self, ids: &[&str]) {
        self.say("subscribe", &json!(ids)).await;
        self.ping().await;
    }

    /// One command.
    pub(crate) async fn say(&mut self, command: &str, data: &Value) {
        self.0.say(&json!({"command": command, "data": data}).to_string()).await;
    }

    /// Everything that was told before the answer to a ping.
    pub(crate) async fn ping(&mut self) -> Vec<Value> {
        self.say("ping", &Value::Null).await;
        let texts = self.0.texts_before(PONG).await;
        texts.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect()
    }

    /// The `uniqueID`s of what was told before the answer to a ping.
    pub(crate) async fn told(&mut self) -> Vec<String> {
        let messages = self.ping().await;
        let unique = |message: &Value| message["uniqueID"].as_str().unwrap_or_default().to_owned();
        messages.iter().map(unique).collect()
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Value {
        serde_json::from_str(&self.0.text().await).expect("JSON")
    }

    /// What was held and is for this browser.
    pub(crate) async fn replay(&mut self, age: u64) -> Vec<String> {
        self.say("replay", &json!({"age": age})).await;
        self.told().await
    }
}
