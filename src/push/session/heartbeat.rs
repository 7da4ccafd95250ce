//! Whether the client is still connected: silence, ping, answer or end.

use super::Millis;

/// After this much silence the client is pinged.
pub const PING_AFTER: Millis = 30_000;
/// After the ping the client must send something within this time. Together with [`PING_AFTER`] and the
/// rounding of [`ClientHeartbeat::next`], a half-open connection is detected within 45 s.
pub const ANSWER_WITHIN: Millis = 14_000;
/// Deadlines are rounded up to this, so that thousands of idle sessions share their wake-ups.
const GRAIN: Millis = 1_000;

/// Two states: alive, or waiting for the answer to a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientHeartbeat {
    /// The client sent something at this time.
    Alive(Millis),
    /// It was pinged at this time and has sent nothing since.
    Pinged(Millis),
}

/// What a heartbeat asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum PingAction {
    /// Nothing to do yet.
    Wait,
    /// Send a ping.
    Ping,
    /// The client is gone.
    Dead,
}

impl ClientHeartbeat {
    /// The client has sent something.
    pub fn received(&mut self, now: Millis) {
        *self = Self::Alive(now);
    }

    /// Call this at [`ClientHeartbeat::next`] or later.
    pub fn beat(&mut self, now: Millis) -> PingAction {
        match *self {
            _ if now < self.next() => PingAction::Wait,
            Self::Alive(_) => {
                *self = Self::Pinged(now);
                PingAction::Ping
            }
            Self::Pinged(_) => PingAction::Dead,
        }
    }

    /// The next deadline.
    pub fn next(self) -> Millis {
        let at = match self {
            Self::Alive(at) => at + PING_AFTER,
            Self::Pinged(at) => at + ANSWER_WITHIN - GRAIN,
        };
        at.next_multiple_of(GRAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::{ClientHeartbeat, PingAction};

    #[test]
    fn a_silent_client_is_pinged_once_and_is_dead_within_45_seconds() {
        for start in [0, 1, 500, 999] {
            let mut heartbeat = ClientHeartbeat::Alive(start);
            assert_eq!(heartbeat.beat(start + 29_999), PingAction::Wait);
            let ping = heartbeat.next();
            assert_eq!(heartbeat.beat(ping), PingAction::Ping);
            let end = heartbeat.next();
            assert_eq!(heartbeat.beat(end - 1), PingAction::Wait);
            assert_eq!(heartbeat.beat(end), PingAction::Dead);
            assert!(end - start <= 45_000, "{end} - {start}");
        }
    }

    #[test]
    fn an_answer_restarts_the_heartbeat() {
        let mut heartbeat = ClientHeartbeat::Alive(0);
        heartbeat.beat(30_000);
        heartbeat.received(40_000);
        assert_eq!(heartbeat.beat(44_000), PingAction::Wait);
        assert_eq!(heartbeat.next(), 70_000);
    }
}
