//! The controls on a demo's status page: log in as one of its users, and publish events.

use futures_util::future::BoxFuture;
use serde::Serialize;
use std::sync::{Arc, OnceLock};

/// Publishes the event of this name. Returns false if there is none, or the demo has ended.
pub type DemoActionHandler = Arc<dyn Fn(String) -> BoxFuture<'static, bool> + Send + Sync>;

/// Offered on the status page of a demo only.
#[derive(Clone)]
pub struct DemoControls {
    /// The WebSocket URL for clients, once it is known: `ws://127.0.0.1:7867/push/ws`.
    pub socket: Arc<OnceLock<String>>,
    /// The users who can log in. Their passwords are the demo's own and no secret.
    pub people: &'static [DemoUser],
    /// The events that a visitor can publish.
    pub acts: &'static [DemoAction],
    /// Publishes one of them.
    pub act: DemoActionHandler,
}

/// A user of the demo.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct DemoUser {
    /// The user's id.
    pub name: &'static str,
    /// The user's app password.
    pub password: &'static str,
}

/// A button on the page.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct DemoAction {
    /// The name that the page sends when it is pressed.
    pub id: &'static str,
    /// The text on it.
    pub label: &'static str,
    /// The clients that it notifies, and of what.
    pub about: &'static str,
}

#[derive(Serialize)]
struct DemoControlsBody<'a> {
    socket: Option<&'a str>,
    people: &'a [DemoUser],
    acts: &'a [DemoAction],
}

impl DemoControls {
    /// The controls as JSON, for the page.
    pub fn json(&self) -> String {
        let socket = self.socket.get().map(String::as_str);
        // Strings always serialize.
        serde_json::to_string(&DemoControlsBody { socket, people: self.people, acts: self.acts })
            .unwrap_or_default()
    }
}
