//! The hub as the rest of the program sees it: a cheap handle that asks the shards.

use super::{
    Shared,
    command::{Command, Newcomer, Present, SessionId, Tell, What, Whom},
    event_loop::{self, Inbox},
    presence::Presence,
    shared::{Dealing, HubSettings, Terms},
    tally::Depth,
};
use crate::{
    lifecycle::Tasks,
    push::{
        notice::Notice,
        recipient::Recipient,
        session::{Close, Millis},
    },
    server::stream::IdleStream,
};
use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// The shards have ended: the process is going down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hub has ended")]
pub struct HubClosed;

/// How much waits in a hub.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depths {
    /// Topics that wait in clients' outboxes, for their time or for the socket.
    pub waiting: usize,
    /// Clients whose socket is full.
    pub blocked: usize,
    /// Commands that wait for their shards.
    pub commands: usize,
    /// How many may.
    pub room: usize,
}

/// Handle to a hub. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    shards: Arc<[Inbox]>,
    shared: Arc<Shared>,
    epoch: Instant,
}

impl Hub {
    /// Starts a hub: one task for each shard.
    ///
    /// # Errors
    /// When the system gives no event queue.
    pub fn start(
        settings: HubSettings,
        tasks: &Tasks,
        rng: &mut fastrand::Rng,
    ) -> io::Result<Self> {
        let count = settings.shards.max(1);
        let shared = Arc::new(Shared::new(settings));
        let epoch = Instant::now();
        let shards = (0..count)
            .map(|number| event_loop::start(Arc::clone(&shared), number, epoch, rng.fork(), tasks))
            .collect::<io::Result<_>>()?;
        Ok(Self { shards, shared, epoch })
    }

    /// Takes in a client that has logged in.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn join(&self, newcomer: Newcomer<IdleStream>) -> Result<(), HubClosed> {
        let shard = match self.shared.dealing {
            Dealing::ByRecipient | Dealing::ByHome => self.shard_of(&newcomer.admission.recipient),
            Dealing::Evenly => &self.shards[self.shared.deal() % self.shards.len()],
        };
        shard.send(Command::Join(newcomer)).await
    }

    /// Tells one recipient.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn tell(
        &self,
        recipient: Recipient,
        notice: Notice,
        at: Instant,
    ) -> Result<(), HubClosed> {
        if self.shared.dealing != Dealing::ByRecipient {
            return self.tell_shards(Whom::One(recipient), notice, at).await;
        }
        let shard = self.shard_of(&recipient);
        let (whom, what, heard_at) = (Whom::One(recipient), word(notice), self.millis(at));
        shard.send(Command::Tell(Tell { whom, what, heard_at, at, crowd: None })).await
    }

    /// Tells many recipients, or everyone (`None`); a client that listens as several of them once.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn tell_all(
        &self,
        recipients: Option<Arc<[Recipient]>>,
        notice: Notice,
        at: Instant,
    ) -> Result<(), HubClosed> {
        match recipients {
            Some(recipients) => match &recipients[..] {
                [] => Ok(()),
                // One recipient's shard alone is woken.
                [only] => self.tell(only.clone(), notice, at).await,
                _ => self.tell_shards(Whom::Many(recipients), notice, at).await,
            },
            None => self.tell_shards(Whom::Everyone, notice, at).await,
        }
    }

    async fn tell_shards(&self, whom: Whom, notice: Notice, at: Instant) -> Result<(), HubClosed> {
        let (what, crowd, heard_at) = (word(notice), Some(Arc::default()), self.millis(at));
        for shard in self.shards.iter() {
            let (whom, what, crowd) = (whom.clone(), what.clone(), crowd.clone());
            shard.send(Command::Tell(Tell { whom, what, heard_at, at, crowd })).await?;
        }
        Ok(())
    }

    /// Events may have been missed: everyone is told that something changed, spread over `spread`.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn gap(&self, spread: Duration) -> Result<(), HubClosed> {
        let (spread, crowd) = (millis(spread), Arc::default());
        for shard in self.shards.iter() {
            shard.send(Command::Gap { spread, crowd: Arc::clone(&crowd) }).await?;
        }
        Ok(())
    }

    /// Serves clients on other terms from now on, and members of a crowd at another rate.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn adopt(&self, terms: Terms, push_rate: u32) -> Result<(), HubClosed> {
        self.shared.pacer.set_rate(push_rate);
        for shard in self.shards.iter() {
            shard.send(Command::Adopt(terms)).await?;
        }
        Ok(())
    }

    /// Closes every session that listens as a recipient, or everybody's; says how many.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn disconnect(
        &self,
        recipient: Option<Recipient>,
        close: Close,
    ) -> Result<usize, HubClosed> {
        let mut closed = 0;
        for shard in self.shards.iter() {
            let (reply, answer) = oneshot::channel();
            shard.send(Command::Disconnect(recipient.clone(), close, reply)).await?;
            closed += answer.await.map_err(|_| HubClosed)?;
        }
        Ok(closed)
    }

    /// How many sessions listen as this recipient.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn count(&self, recipient: &Recipient) -> Result<usize, HubClosed> {
        let mut count = 0;
        for shard in self.shards.iter() {
            let (reply, answer) = oneshot::channel();
            shard.send(Command::Count(recipient.clone(), reply)).await?;
            count += answer.await.map_err(|_| HubClosed)?;
        }
        Ok(count)
    }

    /// Closes one session, if it is still there.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn close(&self, session: SessionId, close: Close) -> Result<(), HubClosed> {
        let shard = self.shards.get(usize::from(session.shard)).ok_or(HubClosed)?;
        shard.send(Command::Close(session, close)).await
    }

    /// Lists sessions of one shard from a place on, at most `count`; empty at the end.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn list(
        &self,
        shard: u16,
        from: u32,
        count: usize,
    ) -> Result<Vec<Present>, HubClosed> {
        let shard = self.shards.get(usize::from(shard)).ok_or(HubClosed)?;
        let (reply, answer) = oneshot::channel();
        shard.send(Command::List(from, count, reply)).await?;
        answer.await.map_err(|_| HubClosed)
    }

    /// Clients in all shards.
    pub fn connections(&self) -> usize {
        self.shared.connections()
    }

    /// How much waits in all shards.
    pub fn depths(&self) -> Depths {
        let sum = |of: fn(&Depth) -> &AtomicUsize| {
            self.shared.depths.iter().map(|depth| of(depth).load(Relaxed)).sum()
        };
        Depths {
            waiting: sum(|depth| &depth.waiting),
            blocked: sum(|depth| &depth.blocked),
            commands: self.shards.iter().map(Inbox::depth).sum(),
            room: self.shards.len() * event_loop::INBOX,
        }
    }

    /// How many shards there are.
    pub fn shards(&self) -> u16 {
        u16::try_from(self.shards.len()).unwrap_or(u16::MAX)
    }

    /// Who comes and goes, noted from now on.
    pub fn watch_presence(&self) -> Arc<Presence> {
        self.shared.presence.watch();
        Arc::clone(&self.shared.presence)
    }

    fn millis(&self, at: Instant) -> Millis {
        millis(at.saturating_duration_since(self.epoch))
    }

    /// Recipients are dealt out by a hash that needs no key: shards are ours, not the peer's to see.
    fn shard_of(&self, recipient: &Recipient) -> &Inbox {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(recipient.as_str());
        let count = self.shards.len() as u64;
        &self.shards[usize::try_from(hash % count).unwrap_or(0)]
    }
}

fn word(notice: Notice) -> What {
    match notice {
        Notice::Change { topic, ids } => What::Change(topic, ids),
        Notice::Opaque(frame) => What::Frame(frame),
    }
}

pub(super) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Hub, HubSettings, Tasks};
    use crate::{
        push::{
            hub::{Dealing, Limits, Newcomer, Observer, Terms},
            notice::Notice,
            recipient::Recipient,
            session::{Close, Pace},
        },
        server::stream::ClientStream,
        services::nextcloud::{
            dialect::NextcloudDialect,
            login::{Admission, Grounds},
        },
        websocket::frame::Frame,
    };
    use bytes::Bytes;
    use std::{sync::Arc, time::Duration};
    use tokio::{io::AsyncReadExt, net::UnixStream, time::Instant};

    struct Nobody;

    impl Observer for Nobody {}

    fn hub(dealing: Dealing, tasks: &Tasks) -> Hub {
        let limits = Limits { per_recipient: 9, max_connection: None, subscriptions: 9 };
        let settings = HubSettings {
            dialect: Arc::new(NextcloudDialect::default()),
            terms: Terms { pace: Pace { max: 1000, enabled: true }, limits },
            push_rate: 0,
            shards: 3,
            dealing,
            grace: Duration::ZERO,
            observer: Arc::new(Nobody),
        };
        Hub::start(settings, tasks, &mut fastrand::Rng::with_seed(7)).unwrap()
    }

    async fn join(hub: &Hub, home: &str, also: &[&str]) -> UnixStream {
        let (near, far) = UnixStream::pair().unwrap();
        let admission = Admission { recipient: home.into(), grounds: Grounds::Open };
        let transport = ClientStream::Unix(near).into_idle().unwrap();
        let newcomer = Newcomer {
            also: also.iter().map(|name| Recipient::from(*name)).collect(),
            greeting: Some(Box::new(Vec::new)),
            ..Newcomer::new(transport, Bytes::new(), admission)
        };
        hub.join(newcomer).await.unwrap();
        far
    }

    async fn hears(client: &mut UnixStream, text: &str) {
        let expected = Frame::text(text);
        let mut heard = vec![0; expected.bytes().len()];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, expected.bytes()[..]);
    }

    fn opaque(text: &str) -> Notice {
        Notice::Opaque(Frame::text(text))
    }

    #[tokio::test]
    async fn however_clients_are_dealt_out_each_hears_what_is_its_own_once_and_in_order() {
        let both = &["a", "b"][..];
        let ways =
            [(Dealing::ByRecipient, &[][..]), (Dealing::ByHome, both), (Dealing::Evenly, both)];
        for (dealing, also) in ways {
            let tasks = Tasks::default();
            let hub = hub(dealing, &tasks);
            let mut clients = Vec::new();
            for number in 0..6 {
                clients.push(join(&hub, &format!("home {number}"), also).await);
            }
            let several = ["home 3", "a", "b", "nobody"].map(Recipient::from);
            hub.tell_all(Some(several.into()), opaque("several"), Instant::now()).await.unwrap();
            hub.tell("home 3".into(), opaque("one"), Instant::now()).await.unwrap();
            hub.tell_all(Some(["home 3".into()].into()), opaque("only"), Instant::now())
                .await
                .unwrap();
            hub.tell_all(None, opaque("all"), Instant::now()).await.unwrap();
            for (number, client) in clients.iter_mut().enumerate() {
                if number == 3 || !also.is_empty() {
                    hears(client, "several").await;
                }
                if number == 3 {
                    hears(client, "one").await;
                    hears(client, "only").await;
                }
                hears(client, "all").await;
            }
            let subscribers = if also.is_empty() { 0 } else { 6 };
            assert_eq!(hub.count(&"a".into()).await, Ok(subscribers));
            assert_eq!(hub.count(&"home 3".into()).await, Ok(1));
            assert_eq!(hub.disconnect(Some("b".into()), Close::Replaced).await, Ok(subscribers));
            tasks.stopping().cancel();
        }
    }

    #[tokio::test]
    async fn a_home_is_left_only_when_its_last_client_has_gone() {
        let tasks = Tasks::default();
        let hub = hub(Dealing::ByHome, &tasks);
        let presence = hub.watch_presence();
        let (first, second) = (join(&hub, "home", &[]).await, join(&hub, "home", &[]).await);
        drop(first);
        let gone = Instant::now() + Duration::from_secs(30);
        while hub.count(&"home".into()).await != Ok(1) && Instant::now() < gone {
            tokio::task::yield_now().await;
        }
        assert_eq!(presence.take().get("home"), Some(&true));
        drop(second);
        presence.changed().await;
        while presence.take().get("home") != Some(&false) {
            presence.changed().await;
        }
        tasks.stopping().cancel();
    }

    #[tokio::test]
    async fn subscribers_dealt_out_evenly_are_in_all_shards() {
        let tasks = Tasks::default();
        let hub = hub(Dealing::Evenly, &tasks);
        let mut clients = Vec::new();
        for _ in 0..6 {
            clients.push(join(&hub, "home", &["a"]).await);
        }
        // One recipient, asked for by itself.
        hub.tell("a".into(), opaque("a"), Instant::now()).await.unwrap();
        for client in &mut clients {
            hears(client, "a").await;
        }
        for shard in 0..3 {
            assert_eq!(hub.list(shard, 0, 9).await.unwrap().len(), 2);
        }
        tasks.stopping().cancel();
    }
}
