//! One subscribed connection: turns what arrives into deliveries until it is lost.

use super::{
    RedisClientError, RedisTimeouts,
    connection::RedisConnection,
    heartbeat::{HeartbeatAction, RedisHeartbeat},
};
use crate::client::{SourceEvent, SourceMessage};
use bytes::Bytes;
use futures_util::FutureExt;
use redis::Value;
use std::time::Duration;
use tokio::{
    sync::mpsc::{Sender, error::TrySendError},
    time::{Instant, timeout_at},
};

/// The rights that listening needs, as the operator reads them when they are missing.
const RIGHTS: &str = "+subscribe +ping and the channel pattern &notify_*";

/// A larger payload waits for an empty queue, so that what the queue may hold is bounded in bytes,
/// not only in messages.
const LARGE: usize = 16 << 10;

/// Values that arrived together are taken without a timer and share their time of arrival; of more than
/// these the next looks at the clock.
const BURST: usize = 32;

/// Why listening ended.
pub(super) enum ListenerExit {
    /// The connection is lost.
    Lost(RedisClientError),
    /// Nobody reads the queue any more: the daemon is ending.
    QueueClosed,
}

impl From<RedisClientError> for ListenerExit {
    fn from(fault: RedisClientError) -> Self {
        Self::Lost(fault)
    }
}

/// A connection that has subscribed or is about to.
pub(super) struct RedisListener<'a> {
    wire: RedisConnection,
    heartbeat: RedisHeartbeat,
    answer: Duration,
    channels: &'static [&'static str],
    queue: &'a Sender<SourceEvent>,
    unconfirmed: usize,
    /// Values taken since the clock was last looked at.
    burst: usize,
}

impl<'a> RedisListener<'a> {
    /// Takes over a logged-in connection.
    pub(super) fn new(
        wire: RedisConnection,
        timeouts: &RedisTimeouts,
        channels: &'static [&'static str],
        queue: &'a Sender<SourceEvent>,
    ) -> Self {
        let heartbeat = RedisHeartbeat::new(timeouts.silence, timeouts.answer, Instant::now());
        Self {
            wire,
            heartbeat,
            answer: timeouts.answer,
            channels,
            queue,
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

    /// Hands on what arrives, in order, until the connection is lost.
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
                Err(RedisClientError::answer(&self.wire.at, &error, RIGHTS).into())
            }
            // The answer to a ping, or part of something.
            _ => Ok(()),
        }
    }

    /// Waits for bytes, asking after a silence. The timer only speaks once reading has found
    /// nothing: a process that was suspended first looks into its socket.
    async fn read(&mut self) -> Result<Option<Value>, RedisClientError> {
        if self.burst < BURST
            && let Some(next) = self.wire.next().now_or_never()
        {
            self.burst += 1;
            return next;
        }
        if std::mem::take(&mut self.burst) > 0 {
            self.heartbeat.received(Instant::now());
        }
        loop {
            if let Ok(next) = timeout_at(self.heartbeat.due(), self.wire.next()).await {
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
        match timeout_at(deadline, self.wire.send(words)).await {
            Ok(sent) => sent?,
            Err(_) => return Err(self.silent("taking a command")),
        }
        self.heartbeat.pinged(Instant::now());
        Ok(())
    }

    fn silent(&self, doing: &'static str) -> RedisClientError {
        RedisClientError::Silent {
            at: self.wire.at.clone(),
            doing,
            seconds: self.answer.as_secs_f32(),
        }
    }

    /// `[what, channel, payload or count]`; the answer to a ping has two parts.
    async fn take(&mut self, parts: Vec<Value>) -> Result<(), ListenerExit> {
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

    /// Waits for so many free places in the queue and takes one. Meanwhile nothing is read and Redis
    /// keeps what is published, up to its `client-output-buffer-limit pubsub`; past it Redis drops
    /// us, which is a gap like any other.
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
