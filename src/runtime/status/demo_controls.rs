//! What a visitor of the demo's page can do: log in as one of its people, and make things happen.

use futures_util::future::BoxFuture;
use serde::Serialize;
use std::sync::{Arc, OnceLock};

/// Makes something happen; false when there is no such thing or nobody to do it any more.
pub type DemoActionHandler = Arc<dyn Fn(String) -> BoxFuture<'static, bool> + Send + Sync>;

/// Offered on the status page of a demo only.
#[derive(Clone)]
pub struct DemoControls {
    /// Where clients connect, once that is known: `ws://127.0.0.1:7867/push/ws`.
    pub socket: Arc<OnceLock<String>>,
    /// Who can log in; no secrets, they are the demo's own.
    pub people: &'static [DemoUser],
    /// What can happen.
    pub acts: &'static [DemoAction],
    /// Makes it happen.
    pub act: DemoActionHandler,
}

/// Somebody in the demo.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct DemoUser {
    /// The user id.
    pub name: &'static str,
    /// The app password.
    pub password: &'static str,
}

/// A button.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct DemoAction {
    /// What is sent back when it is pressed.
    pub id: &'static str,
    /// What is on it.
    pub label: &'static str,
    /// What will be heard of it, and by whom.
    pub about: &'static str,
}

#[derive(Serialize)]
struct DemoControlsBody<'a> {
    socket: Option<&'a str>,
    people: &'a [DemoUser],
    acts: &'a [DemoAction],
}

impl DemoControls {
    /// What the page is told, as JSON.
    pub fn json(&self) -> String {
        let socket = self.socket.get().map(String::as_str);
        // Texts always serialize.
        serde_json::to_string(&DemoControlsBody { socket, people: self.people, acts: self.acts })
            .unwrap_or_default()
    }
}
