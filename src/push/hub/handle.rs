//! The hub as the rest of the program uses it: a cheap handle that sends commands to the shards.

use super::{
    HubContext,
    backlog_memory::BacklogMemory,
    command::{JoinRequest, ListedSession, NotifyCommand, SessionId, ShardCommand},
    context::{HubSettings, SessionPolicy, ShardPolicy},
    event_loop,
    event_loop::ShardInbox,
    presence::PresenceTracker,
    rate_limiter::FanOut,
    round_stats::ShardDepth,
};
use crate::{
    lifecycle::TaskGroup,
    push::{
        ConnectionCount,
        notice::{Notice, NoticeAudience},
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

/// The shards have ended: the process is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hub has ended")]
pub struct HubClosed;

/// How much waits in a hub.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HubDepths {
    /// Pending notices of all clients, for their time or for the socket.
    pub waiting: usize,
    /// Clients whose socket is full.
    pub blocked: usize,
    /// Commands that wait for their shards.
    pub commands: usize,
    /// How many commands may wait.
    pub room: usize,
}

/// Handle to a hub. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    shards: Arc<[ShardInbox]>,
    context: Arc<HubContext>,
    epoch: Instant,
}

impl Hub {
    /// Starts a hub: one task for each shard. Its slow clients use `backlog_memory`.
    ///
    /// # Errors
    /// When the system provides no event queue.
    pub fn start(
        settings: HubSettings,
        backlog_memory: BacklogMemory,
        tasks: &TaskGroup,
        rng: &mut fastrand::Rng,
    ) -> io::Result<Self> {
        let count = settings.shards.max(1);
        let context = Arc::new(HubContext::new(settings, backlog_memory));
        let epoch = Instant::now();
        let shards = (0..count)
            .map(|number| event_loop::start(Arc::clone(&context), number, epoch, rng.fork(), tasks))
            .collect::<io::Result<_>>()?;
        Ok(Self { shards, context, epoch })
    }

    /// Adds a client that has logged in.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn join(&self, join_request: JoinRequest<IdleStream>) -> Result<(), HubClosed> {
        let shard = match self.context.shard_policy {
            ShardPolicy::ByRecipient | ShardPolicy::ByPrimary => {
                self.shard_of(&join_request.authenticated.recipient)
            }
            ShardPolicy::RoundRobin => &self.shards[self.context.next_index() % self.shards.len()],
        };
        shard.send(ShardCommand::Join(join_request)).await
    }

    /// Notifies the clients of one recipient.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn notify(
        &self,
        recipient: Recipient,
        notice: Notice,
        at: Instant,
    ) -> Result<(), HubClosed> {
        if self.context.shard_policy != ShardPolicy::ByRecipient {
            return self.notify_shards(NoticeAudience::One(recipient), notice, at).await;
        }
        let shard = self.shard_of(&recipient);
        shard.send(self.notify_command(NoticeAudience::One(recipient), notice, at, None)).await
    }

    /// Notifies many clients.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn broadcast(
        &self,
        audience: NoticeAudience,
        notice: Notice,
        at: Instant,
    ) -> Result<(), HubClosed> {
        match &audience {
            // Only the recipient's shard is woken.
            NoticeAudience::One(only) => self.notify(only.clone(), notice, at).await,
            NoticeAudience::Many(recipients) => match &recipients[..] {
                [] => Ok(()),
                [only] => self.notify(only.clone(), notice, at).await,
                _ => self.notify_shards(audience, notice, at).await,
            },
            NoticeAudience::Everyone => self.notify_shards(audience, notice, at).await,
        }
    }

    async fn notify_shards(
        &self,
        audience: NoticeAudience,
        notice: Notice,
        at: Instant,
    ) -> Result<(), HubClosed> {
        let fan_out: Arc<FanOut> = Arc::default();
        for shard in self.shards.iter() {
            let (audience, notice, fan_out) = (audience.clone(), notice.clone(), fan_out.clone());
            shard.send(self.notify_command(audience, notice, at, Some(fan_out))).await?;
        }
        Ok(())
    }

    fn notify_command(
        &self,
        audience: NoticeAudience,
        notice: Notice,
        at: Instant,
        fan_out: Option<Arc<FanOut>>,
    ) -> ShardCommand<IdleStream> {
        let received_at = millis(at.saturating_duration_since(self.epoch));
        ShardCommand::Notify(NotifyCommand { audience, notice, received_at, at, fan_out })
    }

    /// Notifies every client that something may have changed, spread over `spread`: events may have
    /// been missed.
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

    /// Serves clients on another policy and at another push rate from now on.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn apply(
        &self,
        session_policy: SessionPolicy,
        push_rate: u32,
    ) -> Result<(), HubClosed> {
        self.context.rate_limiter.set_rate(push_rate);
        for shard in self.shards.iter() {
            shard.send(ShardCommand::ApplyPolicy(session_policy)).await?;
        }
        Ok(())
    }

    /// Closes every session of a recipient, or all sessions; returns their number.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn disconnect(
        &self,
        recipient: Option<Recipient>,
        close: CloseReason,
    ) -> Result<usize, HubClosed> {
        self.sum(|reply| ShardCommand::Disconnect(recipient.clone(), close, reply)).await
    }

    /// The number of sessions that listen as this recipient.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn count(&self, recipient: &Recipient) -> Result<usize, HubClosed> {
        self.sum(|reply| ShardCommand::Count(recipient.clone(), reply)).await
    }

    /// Asks one shard after the other and adds their replies.
    async fn sum(
        &self,
        command: impl Fn(oneshot::Sender<usize>) -> ShardCommand<IdleStream>,
    ) -> Result<usize, HubClosed> {
        let mut sum = 0;
        for shard in self.shards.iter() {
            let (reply, answer) = oneshot::channel();
            shard.send(command(reply)).await?;
            sum += answer.await.map_err(|_| HubClosed)?;
        }
        Ok(sum)
    }

    /// Closes one session, unless it has ended.
    ///
    /// # Errors
    /// When the hub has ended.
    pub async fn close(&self, session: SessionId, close: CloseReason) -> Result<(), HubClosed> {
        let shard = self.shards.get(usize::from(session.shard)).ok_or(HubClosed)?;
        shard.send(ShardCommand::Close(session, close)).await
    }

    /// Lists at most `count` sessions of one shard, starting at slot `from`; empty at the end.
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

    /// The number of clients, with those that hold a permit and haven't joined yet.
    pub fn connections(&self) -> usize {
        self.context.connections()
    }

    /// The count behind [`Hub::connections`], which a connection limit shares.
    pub fn connection_count(&self) -> &ConnectionCount {
        self.context.connection_count()
    }

    /// How much waits in all shards.
    pub fn depths(&self) -> HubDepths {
        let sum = |of: fn(&ShardDepth) -> &AtomicUsize| {
            self.context.depths.iter().map(|depth| of(depth).load(Relaxed)).sum()
        };
        HubDepths {
            waiting: sum(|depth| &depth.waiting),
            blocked: sum(|depth| &depth.blocked),
            commands: self.shards.iter().map(ShardInbox::depth).sum(),
            room: self.shards.len() * event_loop::INBOX,
        }
    }

    /// The number of shards.
    pub fn shards(&self) -> u16 {
        u16::try_from(self.shards.len()).unwrap_or(u16::MAX)
    }

    /// Recipients that come and go, recorded from now on.
    pub fn watch_presence(&self) -> Arc<PresenceTracker> {
        self.context.presence.watch();
        Arc::clone(&self.context.presence)
    }

    /// The hash needs no key: which shard a recipient is in can't be observed from outside.
    fn shard_of(&self, recipient: &Recipient) -> &ShardInbox {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(recipient.as_str());
        let count = self.shards.len() as u64;
        &self.shards[usize::try_from(hash % count).unwrap_or(0)]
    }
}

/// A duration in whole milliseconds.
pub(super) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Hub, HubSettings, TaskGroup};
    use crate::{
        push::{
            AuthMethod, AuthenticatedClient, ConnectionLimit, ConnectionPermit,
            hub::{BacklogMemory, HubLimits, HubObserver, JoinRequest, SessionPolicy, ShardPolicy},
            notice::{Notice, NoticeAudience},
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
        Hub::start(settings, BacklogMemory::default(), tasks, &mut fastrand::Rng::with_seed(7))
            .unwrap()
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
        let joined = async || hub.list(0, 0, 999).await.unwrap().len();
        assert!(joined().await <= 100);
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
    async fn each_client_receives_its_own_notices_once_and_in_order_under_every_shard_policy() {
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
            let several = ["primary 3", "a", "b", "absent"].map(Recipient::from);
            hub.broadcast(NoticeAudience::Many(several.into()), opaque("several"), Instant::now())
                .await
                .unwrap();
            hub.notify("primary 3".into(), opaque("one"), Instant::now()).await.unwrap();
            hub.broadcast(
                NoticeAudience::Many(["primary 3".into()].into()),
                opaque("only"),
                Instant::now(),
            )
            .await
            .unwrap();
            hub.broadcast(NoticeAudience::Everyone, opaque("all"), Instant::now()).await.unwrap();
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
    async fn a_recipient_is_absent_once_its_last_client_has_left() {
        let tasks = TaskGroup::default();
        let hub = hub(ShardPolicy::ByPrimary, &tasks);
        let presence = hub.watch_presence();
        let (first, second) = (join(&hub, "primary", &[]).await, join(&hub, "primary", &[]).await);
        drop(first);
        until(async || hub.count(&"primary".into()).await == Ok(1)).await;
        assert_eq!(presence.take().get("primary"), Some(&true));
        drop(second);
        presence.changed().await;
        while presence.take().get("primary") != Some(&false) {
            presence.changed().await;
        }
        tasks.stopping().cancel();
    }

    #[tokio::test]
    async fn round_robin_spreads_subscribers_over_all_shards() {
        let tasks = TaskGroup::default();
        let hub = hub(ShardPolicy::RoundRobin, &tasks);
        let mut clients = Vec::new();
        for _ in 0..6 {
            clients.push(join(&hub, "primary", &["a"]).await);
        }
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
