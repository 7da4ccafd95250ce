//! One subscribed connection: turns what arrives into deliveries until it is lost.

use super::{
    Fault, Pace,
    heartbeat::{Beat, Heartbeat},
    wire::Wire,
};
use crate::client::{Delivery, Message};
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
pub(super) enum End {
    /// The connection is lost.
    Lost(Fault),
    /// Nobody reads the queue any more: the daemon is ending.
    Unread,
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Lost(fault)
    }
}

/// A connection that has subscribed or is about to.
pub(super) struct Listener<'a> {
    wire: Wire,
    heart: Heartbeat,
    answer: Duration,
    channels: &'static [&'static str],
    queue: &'a Sender<Delivery>,
    unconfirmed: usize,
    /// Values taken since the clock was last looked at.
    burst: usize,
}

impl<'a> Listener<'a> {
    /// Takes over a logged-in connection.
    pub(super) fn new(
        wire: Wire,
        pace: &Pace,
        channels: &'static [&'static str],
        queue: &'a Sender<Delivery>,
    ) -> Self {
        let heart = Heartbeat::new(pace.silence, pace.answer, Instant::now());
        Self {
            wire,
            heart,
            answer: pace.answer,
            channels,
            queue,
            unconfirmed: channels.len(),
            burst: 0,
        }
    }

    /// Subscribes to all channels; returns when Redis has confirmed each.
    pub(super) async fn subscribe(&mut self) -> Result<(), End> {
        let mut words: Vec<&[u8]> = vec![b"SUBSCRIBE"];
        words.extend(self.channels.iter().map(|channel| channel.as_bytes()));
        self.send(&words).await?;
        while self.unconfirmed > 0 {
            self.listen_once().await?;
        }
        Ok(())
    }

    /// Hands on what arrives, in order, until the connection is lost.
    pub(super) async fn listen(&mut self) -> End {
        loop {
            if let Err(end) = self.listen_once().await {
                return end;
            }
        }
    }

    async fn listen_once(&mut self) -> Result<(), End> {
        match self.read().await? {
            Some(Value::Array(parts)) => self.take(parts).await,
            Some(Value::ServerError(error)) => {
                Err(Fault::answer(&self.wire.at, &error, RIGHTS).into())
            }
            // The answer to a ping, or part of something.
            _ => Ok(()),
        }
    }

    /// Waits for bytes, asking after a silence. The timer only speaks once reading has found
    /// nothing: a process that was suspended first looks into its socket.
    async fn read(&mut self) -> Result<Option<Value>, Fault> {
        if self.burst < BURST
            && let Some(next) = self.wire.next().now_or_never()
        {
            self.burst += 1;
            return next;
        }
        if std::mem::take(&mut self.burst) > 0 {
            self.heart.heard(Instant::now());
        }
        loop {
            if let Ok(next) = timeout_at(self.heart.due(), self.wire.next()).await {
                self.heart.heard(Instant::now());
                return next;
            }
            match self.heart.beat(Instant::now()) {
                Beat::Wait => {}
                Beat::Ask => self.send(&[b"PING"]).await?,
                Beat::Dead => return Err(self.silent("a ping")),
            }
        }
    }

    async fn send(&mut self, words: &[&[u8]]) -> Result<(), Fault> {
        let deadline = Instant::now() + self.answer;
        match timeout_at(deadline, self.wire.send(words)).await {
            Ok(sent) => sent?,
            Err(_) => return Err(self.silent("taking a command")),
        }
        self.heart.asked(Instant::now());
        Ok(())
    }

    fn silent(&self, doing: &'static str) -> Fault {
        Fault::Silent { at: self.wire.at.clone(), doing, seconds: self.answer.as_secs_f32() }
    }

    /// `[what, channel, payload or count]`; the answer to a ping has two parts.
    async fn take(&mut self, parts: Vec<Value>) -> Result<(), End> {
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

    async fn deliver(&mut self, channel: &[u8], payload: Bytes) -> Result<(), End> {
        let Some(channel) = self.channels.iter().find(|known| known.as_bytes() == channel) else {
            return Ok(());
        };
        let large = payload.len() > LARGE;
        let delivery = Delivery::Message(Message { channel, payload }, self.heart.last_heard());
        if large {
            return self.hold_back(delivery, self.queue.max_capacity()).await;
        }
        match self.queue.try_send(delivery) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(End::Unread),
            Err(TrySendError::Full(delivery)) => self.hold_back(delivery, 1).await,
        }
    }

    /// Waits for so many free places in the queue and takes one. Meanwhile nothing is read and Redis
    /// keeps what is published, up to its `client-output-buffer-limit pubsub`; past it Redis drops
    /// us, which is a gap like any other.
    async fn hold_back(&mut self, delivery: Delivery, places: usize) -> Result<(), End> {
        let mut free = self.queue.reserve_many(places).await.map_err(|_| End::Unread)?;
        let place = free.next().ok_or(End::Unread)?;
        place.send(delivery);
        self.heart.heard(Instant::now());
        Ok(())
    }
}
