//! Detects a dead connection: sends a ping after a silence, gives up without a reply.

use std::time::Duration;
use tokio::time::Instant;

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeartbeatAction {
    /// Nothing before [`RedisHeartbeat::due`].
    Wait,
    /// Send a ping now.
    Ping,
    /// The peer's reply is overdue.
    Dead,
}

/// Tracks when bytes arrived last. Time is passed in.
#[derive(Debug)]
pub(super) struct RedisHeartbeat {
    silence: Duration,
    answer: Duration,
    received: Instant,
    pinged: Option<Instant>,
}

impl RedisHeartbeat {
    /// `silence`: the time before a ping; `answer`: the time limit for its reply.
    pub(super) fn new(silence: Duration, answer: Duration, now: Instant) -> Self {
        Self { silence, answer, received: now, pinged: None }
    }

    /// Bytes arrived, or this side wasn't reading.
    pub(super) fn received(&mut self, now: Instant) {
        (self.received, self.pinged) = (now, None);
    }

    /// When bytes arrived last.
    pub(super) fn last_received(&self) -> Instant {
        self.received
    }

    /// A command was sent: its reply is due from now on.
    pub(super) fn pinged(&mut self, now: Instant) {
        self.pinged = Some(now);
    }

    /// When to call [`RedisHeartbeat::next_action`] again.
    pub(super) fn due(&self) -> Instant {
        match self.pinged {
            Some(pinged) => pinged + self.answer,
            None => self.received + self.silence,
        }
    }

    /// What to do now.
    pub(super) fn next_action(&self, now: Instant) -> HeartbeatAction {
        match self.pinged {
            _ if now < self.due() => HeartbeatAction::Wait,
            Some(_) => HeartbeatAction::Dead,
            None => HeartbeatAction::Ping,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HeartbeatAction, RedisHeartbeat};
    use std::time::Duration;
    use tokio::time::Instant;

    const SILENCE: Duration = Duration::from_secs(10);
    const ANSWER: Duration = Duration::from_secs(5);

    #[test]
    fn a_silent_peer_gets_one_ping_and_is_then_dead() {
        let start = Instant::now();
        let mut heartbeat = RedisHeartbeat::new(SILENCE, ANSWER, start);
        assert_eq!(
            heartbeat.next_action(start + SILENCE - Duration::from_millis(1)),
            HeartbeatAction::Wait
        );
        assert_eq!(heartbeat.next_action(start + SILENCE), HeartbeatAction::Ping);
        heartbeat.pinged(start + SILENCE);
        assert_eq!(heartbeat.next_action(start + SILENCE), HeartbeatAction::Wait);
        assert_eq!(heartbeat.due(), start + SILENCE + ANSWER);
        assert_eq!(heartbeat.next_action(heartbeat.due()), HeartbeatAction::Dead);
    }

    #[test]
    fn any_received_byte_resets_the_silence() {
        let start = Instant::now();
        let mut heartbeat = RedisHeartbeat::new(SILENCE, ANSWER, start);
        heartbeat.pinged(start + SILENCE);
        heartbeat.received(start + SILENCE + ANSWER);
        assert_eq!(heartbeat.next_action(start + SILENCE + ANSWER), HeartbeatAction::Wait);
        assert_eq!(heartbeat.due(), start + SILENCE + ANSWER + SILENCE);
    }
}
