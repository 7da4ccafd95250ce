//! The hub as the rest of the program uses it: a cheap handle that sends commands to the shards.

use super::{
    HubContext,
    backlog_memory::BacklogMemory,
    command::{JoinRequest, ListedSession, NotifyCommand, SessionId, ShardCommand},
    context::{HubSettings, SessionPolicy, ShardPolicy, millis},
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
        session::CloseReason,
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

#[cfg(test)]
mod tests;
