//! One task tells clients and lets them in, so that both happen in one order: who enters is sent what
//! was told before, and is told what comes after; nothing twice, nothing lost.

use super::{
    book::{Book, Entry, Kept, Lapsed, State, Stored},
    claim::Claim,
    door::Entrance,
    feed::{Feed, Heard},
    id::MessageId,
    news::News,
    replay::Replay,
};
use crate::{
    push::{
        hub::{Hub, HubClosed, Newcomer, Presence},
        notice::Notice,
        recipient::Recipient,
        session::Close,
    },
    services::nextcloud::login::{Admission, Grounds},
    websocket::frame::Frame,
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// News taken in one go.
const BATCH: usize = 256;
/// Between two parts that are renewed.
const SHORTEST: Duration = Duration::from_millis(10);
/// After a failed look into the book the next one follows after this time.
const PAUSE: Duration = Duration::from_secs(1);
/// Sessions with one pair at most: those that are replaced take a moment to go.
pub const MOST_OF_A_PAIR: usize = 8;
/// Registrations in use are renewed in so many parts, so that few wait to be noted at a time.
const PARTS: u32 = 16;
/// What clients that came in too late listen as until they are gone.
const LATECOMER: &str = "latecomer";
/// Departures that are remembered here; those of others are in the book alone.
const DEPARTED: usize = 65_536;

/// What the teller works with.
pub struct Teller {
    hub: Hub,
    book: Arc<dyn Book>,
    feed: Feed,
    entrances: mpsc::Receiver<Entrance>,
    noted: mpsc::Sender<Kept>,
    lapsed: mpsc::Receiver<Lapsed>,
    presence: Arc<Presence>,
    replay: Replay,
    /// How often registrations in use are renewed.
    renewal: Duration,
    /// The last message that clients were told.
    told: MessageId,
    /// The book has been read since the feed is heard.
    caught_up: bool,
    /// Sessions by their homes.
    here: HashMap<Recipient, Present>,
    /// Which part of them is renewed next.
    part: u32,
    /// Those that have gone lately: the book may not know yet.
    gone: HashMap<Recipient, Departure>,
}

/// A session that lives here.
#[derive(Debug, Clone, Copy)]
struct Present {
    /// Its entrance in the order of messages.
    at: MessageId,
    /// A newer one elsewhere takes its place, maybe since its connection has broken: what it was told
    /// is no measure of what its client has heard.
    replaced: bool,
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
    /// Those that turned out to have lost their registration.
    pub lapsed: mpsc::Receiver<Lapsed>,
    /// Messages for those who are away.
    pub replay: Replay,
    /// How often registrations in use are renewed.
    pub renewal: Duration,
}

impl Teller {
    /// A teller who has told nobody anything.
    pub fn new(outfit: Outfit) -> Self {
        let Outfit { hub, book, feed, entrances, noted, lapsed, replay, renewal } = outfit;
        let presence = hub.watch_presence();
        let caught_up = matches!(feed, Feed::Memory(_));
        let (here, gone, told) = (HashMap::new(), HashMap::new(), MessageId::default());
        Self {
            hub,
            book,
            feed,
            entrances,
            noted,
            lapsed,
            presence,
            replay,
            renewal,
            told,
            caught_up,
            here,
            part: 0,
            gone,
        }
    }

    /// Tells until the process stops; then notes what everybody has been told.
    pub async fn run(mut self, stopping: CancellationToken) {
        stopping.run_until_cancelled(self.work()).await;
        self.notice_departures(self.told);
        for (home, present) in &self.here {
            self.note(home, present.at, State::Away(self.told));
        }
    }

    async fn work(&mut self) {
        let mut renewal = interval((self.renewal / PARTS).max(SHORTEST));
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
                Some(lapsed) = self.lapsed.recv() => self.see_off(&lapsed).await,
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
                Heard::Gap => {
                    self.catch_up().await?;
                    // That one was unregistered or replaced may have been missed too.
                    self.note_all(|_| true);
                }
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
        let frame = stored.value.frame(stored.id);
        self.replay.add(stored, frame.clone(), Instant::now());
        self.hub.tell(stored.to.recipient(), Notice::Opaque(frame), at).await?;
        self.told = stored.id;
        Ok(())
    }

    async fn entered_elsewhere(&mut self, home: Recipient, at: MessageId) -> Result<(), HubClosed> {
        if let Some(departure) = self.gone.get_mut(&home) {
            departure.next.get_or_insert(at);
        }
        if let Some(present) = self.here.get_mut(&home).filter(|present| present.at < at) {
            present.replaced = true;
            self.hub.disconnect(Some(home), Close::Replaced).await?;
        }
        Ok(())
    }

    /// Ends a session that has lost its registration, unless a newer one has come in here meanwhile.
    async fn see_off(&mut self, lapsed: &Lapsed) -> Result<(), HubClosed> {
        let home = lapsed.claim.home();
        let present = self.here.get_mut(&home).filter(|present| present.at == lapsed.at);
        let Some(present) = present else { return Ok(()) };
        present.replaced = true;
        let close = if lapsed.newer { Close::Replaced } else { Close::Revoked };
        tracing::debug!("a session has lost its registration unheard");
        self.hub.disconnect(Some(home), close).await.map(drop)
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
            let Some(Present { at, replaced }) = self.here.remove(&home) else { continue };
            tracing::debug!("a client has left");
            if replaced {
                continue;
            }
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
            self.note(&home, entry.at, State::Away(entry.heard()));
            return Ok(());
        }
        let before = self.here.get(&home).map(|present| present.at);
        let outrun = before.is_some_and(|before| before > entry.at);
        let named = if outrun { Recipient::from(LATECOMER) } else { home.clone() };
        if let Some(present) = self.here.get_mut(&named) {
            present.replaced = true;
        }
        if before.is_some() && self.replace(&named).await? >= MOST_OF_A_PAIR {
            // Too many that are going: it comes back.
            self.note(&home, entry.at, State::Away(entry.heard()));
            return Ok(());
        }
        let missed = self.missed(&claim, &entry, since);
        let frames: Vec<_> = welcome.into_iter().chain(missed).collect();
        let admission = Admission { recipient: named.clone(), grounds: Grounds::Open };
        let also = if outrun { Vec::new() } else { vec![Claim::everywhere(&claim.user)] };
        let greeting = Some(Box::new(move || frames) as _);
        self.hub.join(Newcomer { transport, leftover, admission, also, greeting }).await?;
        tracing::debug!(user = claim.user, "a client has come in");
        if outrun {
            self.replace(&named).await?;
        } else {
            self.has_joined(home, entry.at, before.is_some()).await?;
        }
        // A client that didn't wait is in all the same.
        let _ = done.send(());
        Ok(())
    }

    /// Sees off who listens as this; says how many those are, with those that were going already.
    async fn replace(&self, home: &Recipient) -> Result<usize, HubClosed> {
        self.hub.disconnect(Some(home.clone()), Close::Replaced).await
    }

    async fn has_joined(
        &mut self,
        home: Recipient,
        at: MessageId,
        took_over: bool,
    ) -> Result<(), HubClosed> {
        if took_over {
            // The one before may have gone while nobody else was there. Once the newer is, what is
            // said of who has left is about both.
            self.settle().await?;
        }
        // Its registration may have ended while it waited here.
        self.note(&home, at, State::Here);
        self.here.insert(home, Present { at, replaced: false });
        Ok(())
    }

    /// What a client is to be sent first.
    fn missed(&mut self, claim: &Claim, entry: &Entry, since: Option<MessageId>) -> Vec<Frame> {
        let departure = self.gone.remove(&claim.home());
        let own = departure.filter(|gone| gone.next.is_none_or(|next| next == entry.at));
        let told = entry.told.max(own.map(|gone| gone.told));
        let after = since.or(told).unwrap_or_else(|| entry.heard());
        self.replay.since(&claim.user, &claim.connection, after)
    }

    fn renew(&mut self) {
        let part = u64::from(self.part);
        self.part = (self.part + 1) % PARTS;
        self.note_all(|at| at.0 % u64::from(PARTS) == part);
        if part > 0 {
            return;
        }
        let now = Instant::now();
        self.replay.forget(now);
        let kept_for = self.replay.kept_for();
        self.gone.retain(|_, gone| now.saturating_duration_since(gone.when) < kept_for);
    }

    /// Renews the registrations of those that are here and of which this is true.
    fn note_all(&self, of: impl Fn(MessageId) -> bool) {
        for (home, present) in self.here.iter().filter(|(_, present)| of(present.at)) {
            self.note(home, present.at, State::Here);
        }
    }

    fn note(&self, home: &Recipient, at: MessageId, state: State) {
        let Some(claim) = Claim::of_home(home) else { return };
        if self.noted.try_send(Kept { claim, at, state }).is_err() {
            tracing::debug!("how a session is isn't noted: too many wait for it");
        }
    }
}

#[cfg(test)]
mod tests;
