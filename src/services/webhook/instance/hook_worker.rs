//! Answers requests of connected clients about their hooks, one after the other.

use crate::{
    push::{hub::Hub, notice::Notice},
    services::webhook::{
        dialect::{HookJob, hook_answer},
        hooks::HookService,
    },
};
use tokio::{sync::mpsc, time::Instant};

/// Runs until the hub has ended.
pub(super) async fn run(hub: Hub, hooks: HookService, mut hook_jobs: mpsc::Receiver<HookJob>) {
    while let Some(HookJob { claim, primary, command, turn }) = hook_jobs.recv().await {
        let answer = Notice::Opaque(hook_answer(&hooks.ask(&claim, &command).await));
        drop(turn);
        if hub.notify(primary, answer, Instant::now()).await.is_err() {
            break;
        }
    }
    std::future::pending().await
}
