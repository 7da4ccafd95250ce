//! Feeds [`AudienceCache`] with events, presence and answers, and does what it asks.
//!
//! One slow look-up delays only its own storage: events go on being taken meanwhile.

use super::{
    audiences::{AudienceCache, ResolvedNotice},
    directory::{DirectoryUnavailable, MountDirectory, StorageListing, VisibleMount},
    refreshes::RefreshReason,
};
use crate::{
    lifecycle::TaskGroup,
    push::{
        hub::{Hub, HubClosed, PresenceTracker},
        notice::{ChangedIds, Notice, NoticeAudience, TopicId},
        recipient::Recipient,
    },
    services::nextcloud::event::{AccessChange, StoragePath},
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Events that may wait; the source waits when it is full.
pub const INBOX: usize = 4096;
/// Events taken in one go.
const BATCH: usize = 1024;
/// Look-ups under way at once; the rest wait their turn.
const AT_ONCE: usize = 4;

/// What the resolver is notified.
#[derive(Debug)]
pub enum ResolverRequest {
    /// Something changed in a place.
    Changed(StoragePath, ChangedIds, Instant),
    /// What this recipient sees may have changed.
    Access(Recipient, AccessChange),
}

/// Handle to the resolver. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AudienceResolver(mpsc::Sender<ResolverRequest>);

impl AudienceResolver {
    /// How many inquiries wait.
    pub fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }

    /// Hands over an inquiry, waiting if too many wait already.
    ///
    /// # Errors
    /// When the resolver has ended.
    pub async fn send(&self, inquiry: ResolverRequest) -> Result<(), HubClosed> {
        self.0.send(inquiry).await.map_err(|_| HubClosed)
    }
}

/// Starts the resolver: changes in places are notified to the hub as changes of `topic`.
pub fn start(
    hub: Hub,
    directory: Arc<dyn MountDirectory>,
    topic: TopicId,
    tasks: &TaskGroup,
    rng: fastrand::Rng,
) -> AudienceResolver {
    let (sender, inbox) = mpsc::channel(INBOX);
    // Before the first client comes.
    let presence = hub.watch_presence();
    let audiences = AudienceCache::new(Instant::now(), rng);
    let run = ResolverTask {
        audiences,
        hub,
        presence,
        directory,
        topic,
        queued: VecDeque::new(),
        answers: FuturesUnordered::new(),
        listing: 0,
        refreshing: false,
    };
    tasks.core("recipients", run.run(inbox, tasks.stopping().clone()));
    AudienceResolver(sender)
}

enum LookupResult {
    Listing(i64, Result<StorageListing, DirectoryUnavailable>),
    Seen(Vec<Recipient>, Result<Vec<VisibleMount>, DirectoryUnavailable>),
}

struct ResolverTask {
    audiences: AudienceCache,
    hub: Hub,
    presence: Arc<PresenceTracker>,
    directory: Arc<dyn MountDirectory>,
    topic: TopicId,
    queued: VecDeque<i64>,
    answers: FuturesUnordered<BoxFuture<'static, LookupResult>>,
    listing: usize,
    refreshing: bool,
}

impl ResolverTask {
    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<ResolverRequest>,
        stopping: CancellationToken,
    ) {
        let mut batch = Vec::new();
        let presence = Arc::clone(&self.presence);
        let timer = sleep_until(Instant::now());
        tokio::pin!(timer);
        loop {
            timer.as_mut().reset(self.deadline());
            tokio::select! {
                () = stopping.cancelled() => return,
                count = inbox.recv_many(&mut batch, BATCH) => if count == 0 { return },
                () = presence.changed() => {}
                Some(answer) = self.answers.next() => self.answered(answer),
                () = &mut timer => {}
            }
            let now = Instant::now();
            // Before the events: whoever received "authenticated" before an event must receive the event.
            for (recipient, here) in presence.take() {
                self.audiences.presence(&recipient, here, now);
            }
            batch.drain(..).for_each(|inquiry| self.handle_request(inquiry, now));
            self.audiences.pass_time(now);
            self.ask(now);
            if self.notify().await.is_err() {
                return;
            }
        }
    }

    fn deadline(&self) -> Instant {
        let look = self.audiences.next_refresh().filter(|_| !self.refreshing);
        let next = self.audiences.next_deadline().into_iter().chain(look).min();
        next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600))
    }

    fn handle_request(&mut self, inquiry: ResolverRequest, now: Instant) {
        match inquiry {
            ResolverRequest::Changed(place, ids, at) => {
                self.audiences.changed(&place, &ids, at, now)
            }
            ResolverRequest::Access(_, AccessChange::Same) => {}
            ResolverRequest::Access(recipient, AccessChange::Possible) => {
                self.audiences.request_refresh(&recipient, RefreshReason::Hint, now);
            }
            ResolverRequest::Access(recipient, AccessChange::Changed) => {
                self.audiences.request_refresh(&recipient, RefreshReason::Access, now);
            }
        }
    }

    fn answered(&mut self, answer: LookupResult) {
        let now = Instant::now();
        match answer {
            LookupResult::Listing(storage, listing) => {
                self.listing -= 1;
                self.audiences.listed(storage, listing, now);
            }
            LookupResult::Seen(asked, seen) => {
                self.refreshing = false;
                // Unavailable: the plan has further refreshes, and the listing ages.
                if let Ok(seen) = seen {
                    self.audiences.seen(&asked, &seen, now);
                }
            }
        }
    }

    /// Starts the look-ups that are wanted, as far as there are places for them.
    fn ask(&mut self, now: Instant) {
        self.queued.extend(self.audiences.take_wanted());
        while self.listing < AT_ONCE
            && let Some(storage) = self.queued.pop_front()
        {
            self.listing += 1;
            let directory = Arc::clone(&self.directory);
            let answer = async move {
                LookupResult::Listing(storage, directory.list_storage(storage).await)
            };
            self.answers.push(answer.boxed());
        }
        if self.refreshing {
            return;
        }
        let asked = self.audiences.due_refreshes(now);
        if asked.is_empty() {
            return;
        }
        self.refreshing = true;
        let directory = Arc::clone(&self.directory);
        let answer = async move {
            let seen = directory.visible_mounts(asked.clone()).await;
            LookupResult::Seen(asked, seen)
        };
        self.answers.push(answer.boxed());
    }

    async fn notify(&mut self) -> Result<(), HubClosed> {
        for ResolvedNotice { to, ids, at } in self.audiences.take_notices() {
            let notice = Notice::Change { topic: self.topic, ids };
            let audience = to.map_or(NoticeAudience::Everyone, NoticeAudience::Many);
            self.hub.broadcast(audience, notice, at).await?;
        }
        Ok(())
    }
}
