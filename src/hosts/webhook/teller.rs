//! One task tells clients and lets them in, so that both happen in one order: who enters is sent what
//! was told before, and is told what comes after; nothing twice, nothing lost.

use super::{
    book::{Book, Kept, State, Stored},
    claim::Claim,
    door::Entrance,
    feed::{Feed, Heard},
    id::MessageId,
    news::News,
    replay::Replay,
};
use crate::{
    auth::{Admission, Grounds},
    hub::{Hub, HubClosed, Newcomer, Presence},
    notice::Notice,
    recipient::Recipient,
    session::Close,
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// News taken in one go.
const BATCH: usize = 256;
/// After a failed look into the book the next one follows after this time.
const PAUSE: Duration = Duration::from_secs(1);
/// Departures that are remembered here; those of others are in the book alone.
const DEPARTED: usize = 65_536;

/// What the teller works with.
pub struct Teller {
    hub: Hub,
    book: Arc<dyn Book>,
    feed: Feed,
    entrances: mpsc::Receiver<Entrance>,
    noted: mpsc::Sender<Kept>,
    presence: Arc<Presence>,
    replay: Replay,
    /// How often registrations in use are renewed.
    renewal: Duration,
    /// The last message that clients were told.
    told: MessageId,
    /// The book has been read since the feed is heard.
    caught_up: bool,
    /// Sessions by their homes, with the time of their entrance in the order of messages.
    here: HashMap<Recipient, MessageId>,
    /// Those that have gone lately: the book may not know yet.
    gone: HashMap<Recipient, Departure>,
}

/// A session that has ended here.
#[derive(Debug, Clone, Copy)]
struct Departure {
    told: MessageId,
    when: Instant,
    /// The entrance after it, wherever that was.
    next: Option<MessageId>,
}

/// What a [`Teller`] is made of.
pub struct Outfit {
    /// Who is told.
    pub hub: Hub,
    /// What replicas have in common.
    pub book: Arc<dyn Book>,
    /// What is to be told.
    pub feed: Feed,
    /// Who wants to come in.
    pub entrances: mpsc::Receiver<Entrance>,
    /// Where it is noted how sessions are.
    pub noted: mpsc::Sender<Kept>,
    /// Messages for those who are away.
    pub replay: Replay,
    /// How often registrations in use are renewed.
    pub renewal: Duration,
}

impl Teller {
    /// A teller who has told nobody anything.
    pub fn new(outfit: Outfit) -> Self {
        let Outfit { hub, book, feed, entrances, noted, replay, renewal } = outfit;
        let presence = hub.watch_presence();
        let caught_up = matches!(feed, Feed::Memory(_));
        let (here, gone, told) = (HashMap::new(), HashMap::new(), MessageId::default());
        Self {
            hub,
            book,
            feed,
            entrances,
            noted,
            presence,
            replay,
            renewal,
            told,
            caught_up,
            here,
            gone,
        }
    }

    /// Tells until the process stops; then notes what everybody has been told.
    pub async fn run(mut self, stopping: CancellationToken) {
        stopping.run_until_cancelled(self.work()).await;
        self.notice_departures(self.told);
        let states = self.here.iter().map(|(home, at)| (home.clone(), *at));
        let states: Vec<_> = states.collect();
        for (home, at) in states {
            self.note(&home, at, State::Away(self.told));
        }
    }

    async fn work(&mut self) {
        let mut renewal = interval(self.renewal.max(PAUSE));
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let presence = Arc::clone(&self.presence);
        let mut connection = self.feed.connection();
        loop {
            let done = tokio::select! {
                biased;
                () = connection.stands(), if !self.caught_up => self.catch_up().await,
                () = presence.changed() => {
                    self.notice_departures(self.told);
                    Ok(())
                }
                _ = renewal.tick() => {
                    self.renew();
                    Ok(())
                }
                heard = self.feed.next(BATCH) => self.hear(heard).await,
                Some(entrance) = self.entrances.recv(), if self.caught_up => self.enter(entrance).await,
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn hear(&mut self, heard: Vec<Heard>) -> Result<(), HubClosed> {
        if heard.is_empty() {
            return Err(HubClosed);
        }
        // Every shard has told all of it: who has left meanwhile has heard it.
        let before = self.told;
        self.notice_departures(before);
        for heard in heard {
            match heard {
                Heard::Gap => self.catch_up().await?,
                // What came in before the book was read stands in it too.
                Heard::News(..) if !self.caught_up => self.catch_up().await?,
                Heard::News(..) => {}
            }
            if let Heard::News(news, at) = heard {
                self.take(news, at).await?;
            }
        }
        // Who leaves while this is told may have missed it, and is sent it again.
        self.settle().await?;
        self.notice_departures(before);
        Ok(())
    }

    /// Reads in the book what was not heard.
    async fn catch_up(&mut self) -> Result<(), HubClosed> {
        loop {
            match self.book.after(self.told, BATCH).await {
                Ok(missed) if missed.is_empty() => break,
                Ok(missed) => {
                    for stored in missed {
                        self.tell(&stored, Instant::now()).await?;
                    }
                }
                Err(error) => {
                    tracing::debug!("what was missed can't be read yet: {error}");
                    sleep(PAUSE).await;
                }
            }
        }
        self.caught_up = true;
        Ok(())
    }

    async fn take(&mut self, news: News, at: Instant) -> Result<(), HubClosed> {
        match news {
            News::Message(stored) => self.tell(&stored, at).await,
            News::Entered { claim, at } => self.entered_elsewhere(claim.home(), at).await,
            News::Unregistered(claim) => {
                self.hub.disconnect(Some(claim.home()), Close::Revoked).await.map(drop)
            }
        }
    }

    async fn tell(&mut self, stored: &Stored, at: Instant) -> Result<(), HubClosed> {
        if stored.id <= self.told {
            return Ok(());
        }
        self.told = stored.id;
        let frame = stored.value.frame(stored.id);
        self.replay.add(stored, frame.clone(), Instant::now());
        self.hub.tell(stored.to.recipient(), Notice::Opaque(frame), at).await
    }

    async fn entered_elsewhere(&mut self, home: Recipient, at: MessageId) -> Result<(), HubClosed> {
        if let Some(departure) = self.gone.get_mut(&home) {
            departure.next.get_or_insert(at);
        }
        if self.here.get(&home).is_some_and(|own| *own < at) {
            self.hub.disconnect(Some(home), Close::Replaced).await?;
        }
        Ok(())
    }

    /// Waits until every shard has told what it was given.
    async fn settle(&mut self) -> Result<(), HubClosed> {
        self.hub.count(&Recipient::from("")).await?;
        Ok(())
    }

    /// Those who have left were told everything up to this message.
    fn notice_departures(&mut self, told: MessageId) {
        for (home, here) in self.presence.take() {
            if here {
                continue;
            }
            let Some(at) = self.here.remove(&home) else { continue };
            tracing::debug!("a client has left");
            self.note(&home, at, State::Away(told));
            if self.gone.len() < DEPARTED {
                let departure = Departure { told, when: Instant::now(), next: None };
                self.gone.insert(home, departure);
            }
        }
    }

    async fn enter(&mut self, entrance: Entrance) -> Result<(), HubClosed> {
        self.notice_departures(self.told);
        let Entrance { claim, entry, transport, leftover, since, welcome, done } = entrance;
        let home = claim.home();
        if done.is_closed() {
            return Ok(());
        }
        if self.here.contains_key(&home) {
            self.hub.disconnect(Some(home.clone()), Close::Replaced).await?;
        }
        let departure = self.gone.remove(&home);
        let own = departure.filter(|gone| gone.next.is_none_or(|next| next == entry.at));
        let after = since.or(entry.told.max(own.map(|gone| gone.told)));
        let missed = after.map(|id| self.replay.since(&claim.user, &claim.connection, id));
        let frames: Vec<_> = welcome.into_iter().chain(missed.into_iter().flatten()).collect();
        let admission = Admission { recipient: home.clone(), grounds: Grounds::Open };
        let also = vec![Claim::everywhere(&claim.user)];
        let greeting = Some(Box::new(move || frames) as _);
        self.here.insert(home, entry.at);
        self.hub.join(Newcomer { transport, leftover, admission, also, greeting }).await?;
        tracing::debug!(user = claim.user, "a client has come in");
        // A client that didn't wait is in all the same.
        let _ = done.send(());
        Ok(())
    }

    fn renew(&mut self) {
        let now = Instant::now();
        self.replay.forget(now);
        let kept_for = self.replay.kept_for();
        self.gone.retain(|_, gone| now.saturating_duration_since(gone.when) < kept_for);
        let states: Vec<_> = self.here.iter().map(|(home, at)| (home.clone(), *at)).collect();
        for (home, at) in states {
            self.note(&home, at, State::Here);
        }
    }

    fn note(&self, home: &Recipient, at: MessageId, state: State) {
        let Some(claim) = Claim::of_home(home) else { return };
        if self.noted.try_send(Kept { claim, at, state }).is_err() {
            tracing::debug!("how a session is isn't noted: too many wait for it");
        }
    }
}
