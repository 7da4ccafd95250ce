//! One subscribed connection: delivers what arrives until the connection is lost.

use super::{
    RedisClientError, RedisTimeouts,
    connection::RedisConnection,
    heartbeat::{HeartbeatAction, RedisHeartbeat},
};
use crate::client::{SourceEvent, SourceMessage, source_barrier::BarrierQueue};
use bytes::Bytes;
use futures_util::FutureExt;
use redis::Value;
use std::time::Duration;
use tokio::{
    sync::mpsc::{Sender, error::TrySendError},
    time::{Instant, timeout_at},
};

/// The ACL rules that a subscription needs.
const RIGHTS: &str = "+subscribe +ping and the channel pattern &notify_*";

/// A larger payload waits for an empty queue, so that the queue is bounded in bytes, not only in
/// messages.
const LARGE: usize = 16 << 10;

/// Values that arrive together are read without a timer and share their time of arrival; after this
/// many the clock is read again.
const BURST: usize = 32;

/// The text of a ping whose reply follows everything that was published before it.
const BARRIER: &[u8] = b"barrier";

/// Why listening ended.
pub(super) enum ListenerExit {
    /// The connection is lost.
    Lost(RedisClientError),
    /// The queue has no receiver any more: the daemon is shutting down.
    QueueClosed,
}

impl From<RedisClientError> for ListenerExit {
    fn from(fault: RedisClientError) -> Self {
        Self::Lost(fault)
    }
}

/// A connection that has subscribed or is about to.
pub(super) struct RedisListener<'a> {
    connection: RedisConnection,
    heartbeat: RedisHeartbeat,
    answer: Duration,
    channels: &'static [&'static str],
    queue: &'a Sender<SourceEvent>,
    barriers: &'a mut BarrierQueue,
    unconfirmed: usize,
    /// Values read since the clock was.
    burst: usize,
}

impl<'a> RedisListener<'a> {
    /// Wraps a logged-in connection.
    pub(super) fn new(
        connection: RedisConnection,
        timeouts: &RedisTimeouts,
        channels: &'static [&'static str],
        (queue, barriers): (&'a Sender<SourceEvent>, &'a mut BarrierQueue),
    ) -> Self {
        let heartbeat = RedisHeartbeat::new(timeouts.silence, timeouts.answer, Instant::now());
        Self {
            connection,
            heartbeat,
            answer: timeouts.answer,
            channels,
            queue,
            barriers,
            unconfirmed: channels.len(),
            burst: 0,
        }
    }

    /// Subscribes to all channels; returns when Redis has confirmed each.
    pub(super) async fn subscribe(&mut self) -> Result<(), ListenerExit> {
        let mut words: Vec<&[u8]> = vec![b"SUBSCRIBE"];
        words.extend(self.channels.iter().map(|channel| channel.as_bytes()));
        self.send(&words).await?;
        while self.unconfirmed > 0 {
            self.listen_once().await?;
        }
        Ok(())
    }

    /// Delivers messages in order until the connection is lost.
    pub(super) async fn listen(&mut self) -> ListenerExit {
        loop {
            if let Err(end) = self.listen_once().await {
                return end;
            }
        }
    }

    async fn listen_once(&mut self) -> Result<(), ListenerExit> {
        match self.read().await? {
            Some(Value::Array(parts)) => self.take(parts).await,
            Some(Value::ServerError(error)) => {
                Err(RedisClientError::answer(&self.connection.at, &error, RIGHTS).into())
            }
            // The reply to a ping, or part of a value.
            _ => Ok(()),
        }
    }

    /// Waits for bytes and sends a ping after a silence. The timer counts only after a read found
    /// nothing: a process that was suspended first reads its socket.
    async fn read(&mut self) -> Result<Option<Value>, RedisClientError> {
        if self.burst < BURST
            && let Some(next) = self.connection.next().now_or_never()
        {
            self.burst += 1;
            return next;
        }
        if std::mem::take(&mut self.burst) > 0 {
            self.heartbeat.received(Instant::now());
        }
        loop {
            let next = tokio::select! {
                next = timeout_at(self.heartbeat.due(), self.connection.next()) => next,
                () = self.barriers.due() => {
                    self.send(&[b"PING", BARRIER]).await?;
                    continue;
                }
            };
            if let Ok(next) = next {
                self.heartbeat.received(Instant::now());
                return next;
            }
            match self.heartbeat.next_action(Instant::now()) {
                HeartbeatAction::Wait => {}
                HeartbeatAction::Ping => self.send(&[b"PING"]).await?,
                HeartbeatAction::Dead => return Err(self.silent("a ping")),
            }
        }
    }

    async fn send(&mut self, words: &[&[u8]]) -> Result<(), RedisClientError> {
        let deadline = Instant::now() + self.answer;
        match timeout_at(deadline, self.connection.send(words)).await {
            Ok(sent) => sent?,
            Err(_) => return Err(self.silent("taking a command")),
        }
        self.heartbeat.pinged(Instant::now());
        Ok(())
    }

    fn silent(&self, doing: &'static str) -> RedisClientError {
        RedisClientError::ResponseTimeout {
            at: self.connection.at.clone(),
            doing,
            seconds: self.answer.as_secs_f32(),
        }
    }

    /// `[what, channel, payload or count]`; the reply to a ping has two parts.
    async fn take(&mut self, parts: Vec<Value>) -> Result<(), ListenerExit> {
        if let [Value::BulkString(what), Value::BulkString(text)] = &*parts
            && (&**what, &**text) == (b"pong", BARRIER)
        {
            let barrier = SourceEvent::Barrier(self.barriers.passed());
            return self.wait_for_capacity(barrier, 1).await;
        }
        let Ok([Value::BulkString(what), Value::BulkString(channel), last]) =
            <[Value; 3]>::try_from(parts)
        else {
            return Ok(());
        };
        match (&*what, last) {
            (b"message", Value::BulkString(payload)) => {
                self.deliver(&channel, payload.into()).await
            }
            (b"subscribe", _) => {
                self.unconfirmed = self.unconfirmed.saturating_sub(1);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn deliver(&mut self, channel: &[u8], payload: Bytes) -> Result<(), ListenerExit> {
        let Some(channel) = self.channels.iter().find(|known| known.as_bytes() == channel) else {
            return Ok(());
        };
        let large = payload.len() > LARGE;
        let delivery = SourceEvent::Message(
            SourceMessage { channel, payload },
            self.heartbeat.last_received(),
        );
        if large {
            return self.wait_for_capacity(delivery, self.queue.max_capacity()).await;
        }
        match self.queue.try_send(delivery) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(ListenerExit::QueueClosed),
            Err(TrySendError::Full(delivery)) => self.wait_for_capacity(delivery, 1).await,
        }
    }

    /// Waits for so many free slots in the queue and uses one. Meanwhile nothing is read, and Redis
    /// buffers what is published up to its `client-output-buffer-limit pubsub`. Beyond it Redis closes
    /// the connection, which is a gap like any other.
    async fn wait_for_capacity(
        &mut self,
        delivery: SourceEvent,
        places: usize,
    ) -> Result<(), ListenerExit> {
        let mut free =
            self.queue.reserve_many(places).await.map_err(|_| ListenerExit::QueueClosed)?;
        let place = free.next().ok_or(ListenerExit::QueueClosed)?;
        place.send(delivery);
        self.heartbeat.received(Instant::now());
        Ok(())
    }
}
