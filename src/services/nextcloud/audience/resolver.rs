//! Runs the [`AudienceCache`]: passes events, presence and answers in, and does what it asks.
//!
//! Events are taken while lookups are under way: a slow one delays only the storages in it.

use super::{
    cache::{AudienceCache, ResolvedNotice},
    directory::MountDirectory,
    lookups::{LookupAnswer, MountLookup, StorageMounts, StorageVerification},
    mount_poll::PAGE,
};
use crate::{
    lifecycle::TaskGroup,
    push::{
        hub::{Hub, HubClosed, PresenceTracker},
        notice::{ChangedIds, Notice, TopicId},
        recipient::Recipient,
    },
    services::nextcloud::event::StoragePath,
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Changes that may wait; the pipeline waits when the queue is full.
pub const INBOX: usize = 4096;
/// Changes taken from the queue at once.
const BATCH: usize = 1024;
/// Without a deadline the task wakes up after this.
const IDLE: Duration = Duration::from_secs(3600);

/// Files below a path of a storage have changed.
#[derive(Debug)]
pub struct StorageChange {
    /// The path that covers them.
    pub place: StoragePath,
    /// The ids that changed.
    pub ids: ChangedIds,
    /// When the message was received.
    pub at: Instant,
}

/// Handle to the resolver. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AudienceResolver(mpsc::Sender<StorageChange>);

impl AudienceResolver {
    /// How many changes wait.
    pub fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }

    /// Hands over a change, waiting while the queue is full.
    ///
    /// # Errors
    /// When the resolver has ended.
    pub async fn send(&self, change: StorageChange) -> Result<(), HubClosed> {
        self.0.send(change).await.map_err(|_| HubClosed)
    }
}

/// What the resolver is made from.
pub struct ResolverParts {
    /// Notifies the clients and knows who is connected.
    pub hub: Hub,
    /// Reads the database.
    pub directory: Arc<dyn MountDirectory>,
    /// The topic of file changes.
    pub topic: TopicId,
    /// Whether a recipient may have mounts.
    pub is_user: fn(&Recipient) -> bool,
}

/// Starts the resolver.
pub fn start(parts: ResolverParts, tasks: &TaskGroup, rng: fastrand::Rng) -> AudienceResolver {
    let (sender, inbox) = mpsc::channel(INBOX);
    // Before the first client connects.
    let presence = parts.hub.watch_presence();
    let audiences = AudienceCache::new(Instant::now(), rng);
    let task = ResolverTask { audiences, parts, presence, answers: FuturesUnordered::new() };
    tasks.core("recipients", task.run(inbox, tasks.stopping().clone()));
    AudienceResolver(sender)
}

struct ResolverTask {
    audiences: AudienceCache,
    parts: ResolverParts,
    presence: Arc<PresenceTracker>,
    /// Lookups under way; the cache bounds them.
    answers: FuturesUnordered<BoxFuture<'static, LookupAnswer>>,
}

impl ResolverTask {
    async fn run(mut self, mut inbox: mpsc::Receiver<StorageChange>, stopping: CancellationToken) {
        let mut batch = Vec::new();
        let presence = Arc::clone(&self.presence);
        let timer = sleep_until(Instant::now());
        tokio::pin!(timer);
        loop {
            let deadline = self.audiences.next_deadline();
            timer.as_mut().reset(deadline.unwrap_or_else(|| Instant::now() + IDLE));
            let mut answer = None;
            tokio::select! {
                () = stopping.cancelled() => return,
                count = inbox.recv_many(&mut batch, BATCH) => if count == 0 { return },
                () = presence.changed() => {}
                Some(ended) = self.answers.next() => answer = Some(ended),
                () = &mut timer => {}
            }
            let now = Instant::now();
            // Before the changes: a client that was answered "authenticated" before a change gets it.
            for (recipient, here) in presence.take() {
                if (self.parts.is_user)(&recipient) {
                    self.audiences.presence(&recipient, here, now);
                }
            }
            for StorageChange { place, ids, at } in batch.drain(..) {
                self.audiences.changed(&place, &ids, at, now);
            }
            if let Some(answer) = answer {
                self.audiences.answered(answer, now);
            }
            self.audiences.pass_time(now);
            while let Some(lookup) = self.audiences.next_lookup(now) {
                self.answers.push(look_up(Arc::clone(&self.parts.directory), lookup, now).boxed());
            }
            if self.notify().await.is_err() {
                return;
            }
        }
    }

    async fn notify(&mut self) -> Result<(), HubClosed> {
        for ResolvedNotice { to, ids, at } in self.audiences.take_notices() {
            let notice = Notice::Change { topic: self.parts.topic, ids };
            self.parts.hub.broadcast(to, notice, at).await?;
        }
        Ok(())
    }
}

async fn look_up(
    directory: Arc<dyn MountDirectory>,
    lookup: MountLookup,
    now: Instant,
) -> LookupAnswer {
    match lookup {
        MountLookup::Newest => LookupAnswer::Newest(directory.newest_mount().await),
        MountLookup::NewMounts(id) => {
            let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
            LookupAnswer::NewMounts(directory.mounts_after(id, limit).await)
        }
        MountLookup::List(storages) => {
            let answer = async {
                let mounts = directory.mounts_of(&storages).await?;
                let shares = match mounts.iter().any(|mount| mount.by_share) {
                    true => directory.shares_of(&storages).await?,
                    false => None,
                };
                Ok(StorageMounts { mounts, shares })
            };
            let answer = answer.await;
            LookupAnswer::Listed(storages, now, answer)
        }
        MountLookup::Verify { storages, shares } => {
            let answer = async {
                let digests = directory.digests_of(&storages).await?;
                let shares = if shares { directory.shares_of(&storages).await? } else { None };
                Ok(StorageVerification { digests, shares })
            };
            let answer = answer.await;
            LookupAnswer::Verified(storages, now, answer)
        }
    }
}
