//! Notices a connection that is open but dead: asks after a silence, gives up without an answer.

use std::time::Duration;
use tokio::time::Instant;

/// What to do at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing before [`Heartbeat::due`].
    Wait,
    /// Send a ping now.
    Ask,
    /// The peer owes an answer for too long.
    Dead,
}

/// Any byte from the peer is a sign of life; time is passed in.
#[derive(Debug)]
pub(super) struct Heartbeat {
    silence: Duration,
    answer: Duration,
    heard: Instant,
    asked: Option<Instant>,
}

impl Heartbeat {
    /// `silence`: how long to wait before asking; `answer`: how long the answer may take.
    pub(super) fn new(silence: Duration, answer: Duration, now: Instant) -> Self {
        Self { silence, answer, heard: now, asked: None }
    }

    /// Something arrived, or we were the ones who didn't listen.
    pub(super) fn heard(&mut self, now: Instant) {
        (self.heard, self.asked) = (now, None);
    }

    /// When something was heard last.
    pub(super) fn last_heard(&self) -> Instant {
        self.heard
    }

    /// A question was sent: its answer is owed from now.
    pub(super) fn asked(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    /// When to look again.
    pub(super) fn due(&self) -> Instant {
        match self.asked {
            Some(asked) => asked + self.answer,
            None => self.heard + self.silence,
        }
    }

    /// What to do now.
    pub(super) fn beat(&self, now: Instant) -> Beat {
        match self.asked {
            _ if now < self.due() => Beat::Wait,
            Some(_) => Beat::Dead,
            None => Beat::Ask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Beat, Heartbeat};
    use std::time::Duration;
    use tokio::time::Instant;

    const SILENCE: Duration = Duration::from_secs(10);
    const ANSWER: Duration = Duration::from_secs(5);

    #[test]
    fn a_silent_peer_is_asked_once_and_then_given_up() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(SILENCE, ANSWER, start);
        assert_eq!(heart.beat(start + SILENCE - Duration::from_millis(1)), Beat::Wait);
        assert_eq!(heart.beat(start + SILENCE), Beat::Ask);
        heart.asked(start + SILENCE);
        assert_eq!(heart.beat(start + SILENCE), Beat::Wait);
        assert_eq!(heart.due(), start + SILENCE + ANSWER);
        assert_eq!(heart.beat(heart.due()), Beat::Dead);
    }

    #[test]
    fn any_sign_of_life_starts_the_silence_anew() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(SILENCE, ANSWER, start);
        heart.asked(start + SILENCE);
        heart.heard(start + SILENCE + ANSWER);
        assert_eq!(heart.beat(start + SILENCE + ANSWER), Beat::Wait);
        assert_eq!(heart.due(), start + SILENCE + ANSWER + SILENCE);
    }
}
