//! The hub as the rest of the program sees it: a cheap handle that asks the shards.

use super::{
    HubContext,
    command::{
        JoinRequest, ListedSession, NoticeAudience, NoticeBody, NotifyCommand, SessionId,
        ShardCommand,
    },
    context::{HubSettings, SessionPolicy, ShardPolicy},
    event_loop,
    event_loop::ShardInbox,
    presence::PresenceTracker,
    round_stats::ShardDepth,
};
use crate::{
    lifecycle::TaskGroup,
    push::{
        ConnectionCount,
        notice::Notice,
        recipient::Recipient,
        session::{CloseReason, Millis},
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
pub struct HubDepths {
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
    shards: Arc<[ShardInbox]>,
    shared: Arc<HubContext>,
    epoch: Instant,
}

impl Hub {
    /// Starts a hub: one task for each shard.
    ///
    /// # Errors
    /// When the system gives no event queue.
    pub fn start(
        settings: HubSettings,
        tasks: &TaskGroup,
        rng: &mut fastrand::Rng,
    ) -> io::Result<Self> {
        let count = settings.shards.max(1);
        let shared = Arc::new(HubContext::new(settings));
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
    pub async fn join(&self, join_request: JoinRequest<IdleStream>) -> Result<(), HubClosed> {
        let shard = match self.shared.shard_policy {
            ShardPolicy::ByRecipient | ShardPolicy::ByPrimary => {
                self.shard_of(&join_request.authenticated.recipient)
            }
            ShardPolicy::RoundRobin => &self.shards[self.shared.next_index() % self.shards.len()],
        };
        shard.send(ShardCommand::Join(join_request)).await
    }

    /// Tells one recipient.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn notify(
        &self,
        recipient: Recipient,
        notice: Notice,
        at: Instant,
    ) -> Result<(), HubClosed> {
        if self.shared.shard_policy != ShardPolicy::ByRecipient {
            return self.notify_shards(NoticeAudience::One(recipient), notice, at).await;
        }
        let shard = self.shard_of(&recipient);
        let (audience, what, received_at) =
            (NoticeAudience::One(recipient), notice_body(notice), self.millis(at));
        shard
            .send(ShardCommand::Tell(NotifyCommand {
                audience,
                what,
                received_at,
                at,
                fan_out: None,
            }))
            .await
    }

    /// Tells many recipients, or everyone (`None`); a client that listens as several of them once.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn broadcast(
        &self,
        recipients: Option<Arc<[Recipient]>>,
        notice: Notice,
        at: Instant,
    ) -> Result<(), HubClosed> {
        match recipients {
            Some(recipients) => match &recipients[..] {
                [] => Ok(()),
                // One recipient's shard alone is woken.
                [only] => self.notify(only.clone(), notice, at).await,
                _ => self.notify_shards(NoticeAudience::Many(recipients), notice, at).await,
            },
            None => self.notify_shards(NoticeAudience::Everyone, notice, at).await,
        }
    }

    async fn notify_shards(
        &self,
        audience: NoticeAudience,
        notice: Notice,
        at: Instant,
    ) -> Result<(), HubClosed> {
        let (what, fan_out, received_at) =
            (notice_body(notice), Some(Arc::default()), self.millis(at));
        for shard in self.shards.iter() {
            let (audience, what, fan_out) = (audience.clone(), what.clone(), fan_out.clone());
            shard
                .send(ShardCommand::Tell(NotifyCommand {
                    audience,
                    what,
                    received_at,
                    at,
                    fan_out,
                }))
                .await?;
        }
        Ok(())
    }

    /// Events may have been missed: everyone is notified that something changed, spread over `spread`.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn gap(&self, spread: Duration) -> Result<(), HubClosed> {
        let (spread, fan_out) = (millis(spread), Arc::default());
        for shard in self.shards.iter() {
            shard.send(ShardCommand::Gap { spread, fan_out: Arc::clone(&fan_out) }).await?;
        }
        Ok(())
    }

    /// Serves clients on other session_policy from now on, and members of a fan_out at another rate.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn apply(
        &self,
        session_policy: SessionPolicy,
        push_rate: u32,
    ) -> Result<(), HubClosed> {
        self.shared.rate_limiter.set_rate(push_rate);
        for shard in self.shards.iter() {
            shard.send(ShardCommand::ApplyPolicy(session_policy)).await?;
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
        close: CloseReason,
    ) -> Result<usize, HubClosed> {
        let mut closed = 0;
        for shard in self.shards.iter() {
            let (reply, answer) = oneshot::channel();
            shard.send(ShardCommand::Disconnect(recipient.clone(), close, reply)).await?;
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
            shard.send(ShardCommand::Count(recipient.clone(), reply)).await?;
            count += answer.await.map_err(|_| HubClosed)?;
        }
        Ok(count)
    }

    /// Closes one session, if it is still there.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn close(&self, session: SessionId, close: CloseReason) -> Result<(), HubClosed> {
        let shard = self.shards.get(usize::from(session.shard)).ok_or(HubClosed)?;
        shard.send(ShardCommand::Close(session, close)).await
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
    ) -> Result<Vec<ListedSession>, HubClosed> {
        let shard = self.shards.get(usize::from(shard)).ok_or(HubClosed)?;
        let (reply, answer) = oneshot::channel();
        shard.send(ShardCommand::List(from, count, reply)).await?;
        answer.await.map_err(|_| HubClosed)
    }

    /// Clients in all shards.
    pub fn connections(&self) -> usize {
        self.shared.connections()
    }

    /// The count behind [`Hub::connections`], which a connection limit shares.
    pub fn connection_count(&self) -> &ConnectionCount {
        self.shared.connection_count()
    }

    /// How much waits in all shards.
    pub fn depths(&self) -> HubDepths {
        let sum = |of: fn(&ShardDepth) -> &AtomicUsize| {
            self.shared.depths.iter().map(|depth| of(depth).load(Relaxed)).sum()
        };
        HubDepths {
            waiting: sum(|depth| &depth.waiting),
            blocked: sum(|depth| &depth.blocked),
            commands: self.shards.iter().map(ShardInbox::depth).sum(),
            room: self.shards.len() * event_loop::INBOX,
        }
    }

    /// How many shards there are.
    pub fn shards(&self) -> u16 {
        u16::try_from(self.shards.len()).unwrap_or(u16::MAX)
    }

    /// Who comes and goes, noted from now on.
    pub fn watch_presence(&self) -> Arc<PresenceTracker> {
        self.shared.presence.watch();
        Arc::clone(&self.shared.presence)
    }

    fn millis(&self, at: Instant) -> Millis {
        millis(at.saturating_duration_since(self.epoch))
    }

    /// Recipients are dealt out by a hash that needs no key: shards are ours, not the peer's to see.
    fn shard_of(&self, recipient: &Recipient) -> &ShardInbox {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(recipient.as_str());
        let count = self.shards.len() as u64;
        &self.shards[usize::try_from(hash % count).unwrap_or(0)]
    }
}

fn notice_body(notice: Notice) -> NoticeBody {
    match notice {
        Notice::Change { topic, ids } => NoticeBody::Change(topic, ids),
        Notice::Opaque(frame) => NoticeBody::Frame(frame),
    }
}

pub(super) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Hub, HubSettings, TaskGroup};
    use crate::{
        push::{
            AuthMethod, AuthenticatedClient, ConnectionLimit, ConnectionPermit,
            hub::{HubLimits, HubObserver, JoinRequest, SessionPolicy, ShardPolicy},
            notice::Notice,
            plain_dialect::PlainDialect,
            recipient::Recipient,
            session::{CloseReason, DebouncePolicy},
        },
        server::stream::ClientStream,
        websocket::frame::Frame,
    };
    use bytes::Bytes;
    use std::{sync::Arc, time::Duration};
    use tokio::{io::AsyncReadExt, net::UnixStream, time::Instant};

    struct NoopHubObserver;

    impl HubObserver for NoopHubObserver {}

    fn hub(shard_policy: ShardPolicy, tasks: &TaskGroup) -> Hub {
        let limits = HubLimits { per_recipient: 9, max_connection: None, subscriptions: 9 };
        let settings = HubSettings {
            dialect: Arc::new(PlainDialect),
            session_policy: SessionPolicy {
                debounce: DebouncePolicy { max: 1000, enabled: true },
                limits,
            },
            push_rate: 0,
            shards: 3,
            shard_policy,
            grace: Duration::ZERO,
            observer: Arc::new(NoopHubObserver),
        };
        Hub::start(settings, tasks, &mut fastrand::Rng::with_seed(7)).unwrap()
    }

    async fn join(hub: &Hub, primary: &str, subscriptions: &[&str]) -> UnixStream {
        join_with(hub, primary, subscriptions, None).await
    }

    async fn join_with(
        hub: &Hub,
        primary: &str,
        subscriptions: &[&str],
        permit: Option<ConnectionPermit>,
    ) -> UnixStream {
        let (near, far) = UnixStream::pair().unwrap();
        let authenticated =
            AuthenticatedClient { recipient: primary.into(), auth_method: AuthMethod::Open };
        let transport = ClientStream::Unix(near).into_idle().unwrap();
        let join_request = JoinRequest {
            subscriptions: subscriptions.iter().map(|name| Recipient::from(*name)).collect(),
            greeting: Some(Box::new(Vec::new)),
            permit,
            ..JoinRequest::new(transport, Bytes::new(), authenticated)
        };
        hub.join(join_request).await.unwrap();
        far
    }

    async fn receives(client: &mut UnixStream, text: &str) {
        let expected = Frame::text(text);
        let mut received = vec![0; expected.bytes().len()];
        client.read_exact(&mut received).await.unwrap();
        assert_eq!(received, expected.bytes()[..]);
    }

    #[tokio::test]
    async fn a_connection_limit_holds_when_three_times_as_many_join_at_once() {
        let tasks = TaskGroup::default();
        let hub = hub(ShardPolicy::ByRecipient, &tasks);
        let count = hub.connection_count().clone();
        let limit = ConnectionLimit::new(Some(100), "probe".into(), count, || ());
        let mut clients = Vec::new();
        for number in 0..300 {
            let name = format!("user {number}");
            // None of the shards runs in between.
            if let Some(permit) = limit.acquire(&name.as_str().into()) {
                clients.push(join_with(&hub, &name, &[], Some(permit)).await);
            }
        }
        assert_eq!(clients.len(), 100);
        let in_hub = async || hub.list(0, 0, 999).await.unwrap().len();
        assert!(in_hub().await <= 100);
        assert_eq!(hub.connections(), 100);
        drop(clients);
        until(async || hub.connections() == 0).await;
        assert!(limit.acquire(&"late".into()).is_some());
        tasks.stopping().cancel();
    }

    /// Lets the shards run until this is so.
    async fn until(condition: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !condition().await {
            assert!(Instant::now() < deadline, "waited for too long");
            tokio::task::yield_now().await;
        }
    }

    fn opaque(text: &str) -> Notice {
        Notice::Opaque(Frame::text(text))
    }

    #[tokio::test]
    async fn however_clients_are_dealt_out_each_hears_what_is_its_own_once_and_in_order() {
        let both = &["a", "b"][..];
        let ways = [
            (ShardPolicy::ByRecipient, &[][..]),
            (ShardPolicy::ByPrimary, both),
            (ShardPolicy::RoundRobin, both),
        ];
        for (shard_policy, subscriptions) in ways {
            let tasks = TaskGroup::default();
            let hub = hub(shard_policy, &tasks);
            let mut clients = Vec::new();
            for number in 0..6 {
                clients.push(join(&hub, &format!("primary {number}"), subscriptions).await);
            }
            let several = ["primary 3", "a", "b", "nobody"].map(Recipient::from);
            hub.broadcast(Some(several.into()), opaque("several"), Instant::now()).await.unwrap();
            hub.notify("primary 3".into(), opaque("one"), Instant::now()).await.unwrap();
            hub.broadcast(Some(["primary 3".into()].into()), opaque("only"), Instant::now())
                .await
                .unwrap();
            hub.broadcast(None, opaque("all"), Instant::now()).await.unwrap();
            for (number, client) in clients.iter_mut().enumerate() {
                if number == 3 || !subscriptions.is_empty() {
                    receives(client, "several").await;
                }
                if number == 3 {
                    receives(client, "one").await;
                    receives(client, "only").await;
                }
                receives(client, "all").await;
            }
            let subscribers = if subscriptions.is_empty() { 0 } else { 6 };
            assert_eq!(hub.count(&"a".into()).await, Ok(subscribers));
            assert_eq!(hub.count(&"primary 3".into()).await, Ok(1));
            assert_eq!(
                hub.disconnect(Some("b".into()), CloseReason::Replaced).await,
                Ok(subscribers)
            );
            tasks.stopping().cancel();
        }
    }

    #[tokio::test]
    async fn a_home_is_left_only_when_its_last_client_has_gone() {
        let tasks = TaskGroup::default();
        let hub = hub(ShardPolicy::ByPrimary, &tasks);
        let presence = hub.watch_presence();
        let (first, second) = (join(&hub, "primary", &[]).await, join(&hub, "primary", &[]).await);
        drop(first);
        let gone = Instant::now() + Duration::from_secs(30);
        while hub.count(&"primary".into()).await != Ok(1) && Instant::now() < gone {
            tokio::task::yield_now().await;
        }
        assert_eq!(presence.take().get("primary"), Some(&true));
        drop(second);
        presence.changed().await;
        while presence.take().get("primary") != Some(&false) {
            presence.changed().await;
        }
        tasks.stopping().cancel();
    }

    #[tokio::test]
    async fn subscribers_dealt_out_evenly_are_in_all_shards() {
        let tasks = TaskGroup::default();
        let hub = hub(ShardPolicy::RoundRobin, &tasks);
        let mut clients = Vec::new();
        for _ in 0..6 {
            clients.push(join(&hub, "primary", &["a"]).await);
        }
        // One recipient, asked for by itself.
        hub.notify("a".into(), opaque("a"), Instant::now()).await.unwrap();
        for client in &mut clients {
            receives(client, "a").await;
        }
        for shard in 0..3 {
            assert_eq!(hub.list(shard, 0, 9).await.unwrap().len(), 2);
        }
        tasks.stopping().cancel();
    }
}
