//! Answers connected clients that want something of their hooks, one after the other.

use crate::{
    push::{hub::Hub, notice::Notice},
    services::webhook::{
        dialect::{Wanted, about_hooks},
        hooks::Hooks,
    },
};
use tokio::{sync::mpsc, time::Instant};

/// Until the hub has ended.
pub(super) async fn run(hub: Hub, hooks: Hooks, mut wanted: mpsc::Receiver<Wanted>) {
    while let Some(Wanted { claim, home, asked, turn }) = wanted.recv().await {
        let answer = Notice::Opaque(about_hooks(&hooks.ask(&claim, &asked).await));
        drop(turn);
        if hub.tell(home, answer, Instant::now()).await.is_err() {
            break;
        }
    }
    std::future::pending().await
}
