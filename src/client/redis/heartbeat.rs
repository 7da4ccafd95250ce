//! Notices a connection that is open but dead: asks after a silence, gives up without an answer.

use std::time::Duration;
use tokio::time::Instant;

/// What to do at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeartbeatAction {
    /// Nothing before [`RedisHeartbeat::due`].
    Wait,
    /// Send a ping now.
    Ping,
    /// The peer owes an answer for too long.
    Dead,
}

/// Any byte from the peer is a sign of life; time is passed in.
#[derive(Debug)]
pub(super) struct RedisHeartbeat {
    silence: Duration,
    answer: Duration,
    received: Instant,
    pinged: Option<Instant>,
}

impl RedisHeartbeat {
    /// `silence`: how long to wait before asking; `answer`: how long the answer may take.
    pub(super) fn new(silence: Duration, answer: Duration, now: Instant) -> Self {
        Self { silence, answer, received: now, pinged: None }
    }

    /// Something arrived, or we were the ones who didn't listen.
    pub(super) fn received(&mut self, now: Instant) {
        (self.received, self.pinged) = (now, None);
    }

    /// When something was received last.
    pub(super) fn last_received(&self) -> Instant {
        self.received
    }

    /// A question was sent: its answer is owed from now.
    pub(super) fn pinged(&mut self, now: Instant) {
        self.pinged = Some(now);
    }

    /// When to look again.
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
    fn a_silent_peer_is_asked_once_and_then_given_up() {
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
    fn any_sign_of_life_starts_the_silence_anew() {
        let start = Instant::now();
        let mut heartbeat = RedisHeartbeat::new(SILENCE, ANSWER, start);
        heartbeat.pinged(start + SILENCE);
        heartbeat.received(start + SILENCE + ANSWER);
        assert_eq!(heartbeat.next_action(start + SILENCE + ANSWER), HeartbeatAction::Wait);
        assert_eq!(heartbeat.due(), start + SILENCE + ANSWER + SILENCE);
    }
}
