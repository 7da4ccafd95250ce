//! How long to wait before the next connection: longer each time, and never all clients at once.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// A connection that held so long was a good one.
const HEALTHY: Duration = Duration::from_secs(60);

/// The pauses between attempts.
pub struct RetryBackoff {
    next: Duration,
    rng: fastrand::Rng,
}

impl RetryBackoff {
    /// Begins with the shortest.
    pub fn new(rng: fastrand::Rng) -> Self {
        Self { next: FIRST, rng }
    }

    /// The pause after a connection that held so long: between half and all of a time that doubles.
    pub fn pause(&mut self, held: Duration) -> Duration {
        if held >= HEALTHY {
            self.next = FIRST;
        }
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        whole.mul_f64(0.5 + 0.5 * self.rng.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST, HEALTHY, LONGEST, RetryBackoff};
    use std::time::Duration;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again_after_a_healthy_connection() {
        let mut backoff = RetryBackoff::new(fastrand::Rng::with_seed(4));
        let mut whole = FIRST;
        for _ in 0..10 {
            let pause = backoff.pause(Duration::ZERO);
            assert!(pause >= whole / 2 && pause <= whole, "{pause:?} of {whole:?}");
            whole = (whole * 2).min(LONGEST);
        }
        assert!(backoff.pause(HEALTHY) <= FIRST);
    }
}
