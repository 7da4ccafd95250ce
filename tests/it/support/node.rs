//! Clients of `socket.io-client` in Node, from `tests/socketio`.

use super::{Folder, Server, folder, until};
use serde_json::Value;

/// The clients of `tests/socketio/package.json`, by what they are called there.
pub(crate) const OLDER: [&str; 3] = ["1.4", "1.7", "2.5"];
/// Those that speak Engine.IO 4.
pub(crate) const NEWER: [&str; 3] = ["3.1", "4.7", "4.8"];
/// How each of them may connect.
pub(crate) const TRANSPORTS: [&str; 3] = ["polling", "websocket", "default"];

/// One `socket.io-client` in Node, which registers whenever it connects.
pub(crate) struct NodeClient {
    server: Server,
    _folder: Folder,
}

impl NodeClient {
    /// Starts one against `127.0.0.1:<port>`; `options` are the client's, `register` among them the
    /// third argument of its registration.
    pub(crate) fn start(
        version: &str,
        transport: &str,
        port: u16,
        pair: (&str, &str),
        options: &Value,
    ) -> Self {
        Self::at(&format!("http://127.0.0.1:{port}"), (version, transport), pair, options)
    }

    /// The same at a URL.
    pub(crate) fn at(
        url: &str,
        (version, transport): (&str, &str),
        (user, connection): (&str, &str),
        options: &Value,
    ) -> Self {
        let folder = folder("socketio");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/socketio/client.js");
        let arguments = [
            script.to_owned(),
            format!("socket.io-client-{version}"),
            transport.to_owned(),
            url.to_owned(),
            user.to_owned(),
            connection.to_owned(),
            options.to_string(),
        ];
        let log = folder.path().join("log");
        let server = Server::start("node", &log, move |command| {
            command.args(&arguments);
        });
        Self { server, _folder: folder }
    }

    /// What has been said of this, in order.
    pub(crate) fn all(&self, what: &str) -> Vec<Value> {
        let log = self.server.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter_map(|mut line| line.get_mut(what).map(Value::take)).collect()
    }

    /// Waits until this has been said so often; returns the last.
    pub(crate) async fn says(&self, what: &str, times: usize) -> Value {
        let what_for = format!("{what} {times} times");
        let said = async || self.all(what).into_iter().nth(times - 1);
        let said = tokio::time::timeout(super::wait::PATIENCE * 9 / 10, until(&what_for, said));
        said.await.unwrap_or_else(|_| panic!("no {what_for} in: {}", self.log()))
    }

    /// All it printed.
    pub(crate) fn log(&self) -> String {
        self.server.log()
    }
}
