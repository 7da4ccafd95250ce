//! Answers connected clients that want something of their hooks, one after the other.

use crate::{
    push::{hub::Hub, notice::Notice},
    services::webhook::{
        dialect::{HookJob, about_hooks},
        hooks::HookService,
    },
};
use tokio::{sync::mpsc, time::Instant};

/// Until the hub has ended.
pub(super) async fn run(hub: Hub, hooks: HookService, mut hook_jobs: mpsc::Receiver<HookJob>) {
    while let Some(HookJob { claim, home, command, turn }) = hook_jobs.recv().await {
        let answer = Notice::Opaque(about_hooks(&hooks.ask(&claim, &command).await));
        drop(turn);
        if hub.notify(home, answer, Instant::now()).await.is_err() {
            break;
        }
    }
    std::future::pending().await
}
