//! Feeds [`Audiences`] with events, presence and answers, and does what it asks.
//!
//! One slow look-up delays only its own storage: events go on being taken meanwhile.

use super::{
    audiences::{Audiences, Telling},
    directory::{Directory, Listing, Seen, Unavailable},
    looks::Reason,
};
use crate::{
    lifecycle::Tasks,
    push::{
        hub::{Hub, HubClosed, Presence},
        notice::{Ids, Notice, Topic},
        recipient::Recipient,
    },
    services::nextcloud::event::{Access, Place},
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

/// What the resolver is told.
#[derive(Debug)]
pub enum Inquiry {
    /// Something changed in a place.
    Changed(Place, Ids, Instant),
    /// What this recipient sees may have changed.
    Access(Recipient, Access),
}

/// Handle to the resolver. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Resolver(mpsc::Sender<Inquiry>);

impl Resolver {
    /// How many inquiries wait.
    pub fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }

    /// Hands over an inquiry, waiting if too many wait already.
    ///
    /// # Errors
    /// When the resolver has ended.
    pub async fn send(&self, inquiry: Inquiry) -> Result<(), HubClosed> {
        self.0.send(inquiry).await.map_err(|_| HubClosed)
    }
}

/// Starts the resolver: changes in places are told to the hub as changes of `topic`.
pub fn start(
    hub: Hub,
    directory: Arc<dyn Directory>,
    topic: Topic,
    tasks: &Tasks,
    rng: fastrand::Rng,
) -> Resolver {
    let (sender, inbox) = mpsc::channel(INBOX);
    // Before the first client comes.
    let presence = hub.watch_presence();
    let audiences = Audiences::new(Instant::now(), rng);
    let run = Run {
        audiences,
        hub,
        presence,
        directory,
        topic,
        queued: VecDeque::new(),
        answers: FuturesUnordered::new(),
        listing: 0,
        looking: false,
    };
    tasks.core("recipients", run.run(inbox, tasks.stopping().clone()));
    Resolver(sender)
}

enum Answer {
    Listing(i64, Result<Listing, Unavailable>),
    Seen(Vec<Recipient>, Result<Vec<Seen>, Unavailable>),
}

struct Run {
    audiences: Audiences,
    hub: Hub,
    presence: Arc<Presence>,
    directory: Arc<dyn Directory>,
    topic: Topic,
    queued: VecDeque<i64>,
    answers: FuturesUnordered<BoxFuture<'static, Answer>>,
    listing: usize,
    looking: bool,
}

impl Run {
    async fn run(mut self, mut inbox: mpsc::Receiver<Inquiry>, stopping: CancellationToken) {
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
            // Before the events: whoever heard "authenticated" before an event must hear the event.
            for (recipient, here) in presence.take() {
                self.audiences.presence(&recipient, here, now);
            }
            batch.drain(..).for_each(|inquiry| self.take_in(inquiry, now));
            self.audiences.pass_time(now);
            self.ask(now);
            if self.tell().await.is_err() {
                return;
            }
        }
    }

    fn deadline(&self) -> Instant {
        let look = self.audiences.next_look().filter(|_| !self.looking);
        let next = self.audiences.next_deadline().into_iter().chain(look).min();
        next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600))
    }

    fn take_in(&mut self, inquiry: Inquiry, now: Instant) {
        match inquiry {
            Inquiry::Changed(place, ids, at) => self.audiences.changed(&place, &ids, at, now),
            Inquiry::Access(_, Access::Same) => {}
            Inquiry::Access(recipient, Access::Perhaps) => {
                self.audiences.look_again(&recipient, Reason::Hint, now);
            }
            Inquiry::Access(recipient, Access::Changed) => {
                self.audiences.look_again(&recipient, Reason::Access, now);
            }
        }
    }

    fn answered(&mut self, answer: Answer) {
        let now = Instant::now();
        match answer {
            Answer::Listing(storage, listing) => {
                self.listing -= 1;
                self.audiences.listed(storage, listing, now);
            }
            Answer::Seen(asked, seen) => {
                self.looking = false;
                // Unavailable: the plan has further looks, and the listing ages.
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
            let answer = async move { Answer::Listing(storage, directory.who_sees(storage).await) };
            self.answers.push(answer.boxed());
        }
        if self.looking {
            return;
        }
        let asked = self.audiences.due_looks(now);
        if asked.is_empty() {
            return;
        }
        self.looking = true;
        let directory = Arc::clone(&self.directory);
        let answer = async move {
            let seen = directory.what_is_seen(asked.clone()).await;
            Answer::Seen(asked, seen)
        };
        self.answers.push(answer.boxed());
    }

    async fn tell(&mut self) -> Result<(), HubClosed> {
        for Telling { to, ids, at } in self.audiences.take_tellings() {
            let notice = Notice::Change { topic: self.topic, ids };
            self.hub.tell_all(to, notice, at).await?;
        }
        Ok(())
    }
}
