//! How often a client may be notified of one topic.

use super::Millis;

/// Changes that follow one another within this window are merged into one message.
pub const MERGE_WINDOW: Millis = 100;

/// How long the interval between two messages of one topic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DebounceInterval {
    /// Grows with the number of connections, so that many clients don't
    /// send requests to the service at once:
    /// `clamp(connections / 10, 1, max)` seconds, times the connection's own factor.
    Adaptive,
    /// Always this many milliseconds.
    Fixed(Millis),
}

/// The debounce of all topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DebouncePolicy {
    /// Upper bound of [`DebounceInterval::Adaptive`] before the factor, in milliseconds.
    pub max: Millis,
    /// `false`: no merge window and no interval at all (`DEBOUNCE_DISABLE`).
    pub enabled: bool,
}

impl DebouncePolicy {
    /// How long the first change waits for others to merge with.
    pub fn merge_window(&self) -> Millis {
        if self.enabled { MERGE_WINDOW } else { 0 }
    }

    /// The wait after one message before the next of the same topic, in milliseconds.
    ///
    /// `connections`: how many there are now; `factor`: the connection's own random
    /// factor: `0..=255` stands for 0.5 to 1.5.
    pub fn interval(
        &self,
        debounce_interval: DebounceInterval,
        connections: usize,
        factor: u8,
    ) -> Millis {
        match debounce_interval {
            _ if !self.enabled => 0,
            DebounceInterval::Fixed(millis) => millis,
            DebounceInterval::Adaptive => {
                let seconds_tenth = Millis::try_from(connections).unwrap_or(Millis::MAX / 1000);
                let base = seconds_tenth.saturating_mul(100).max(1000).min(self.max);
                base / 2 + base * Millis::from(factor) / 255
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DebounceInterval, DebouncePolicy};

    const DEBOUNCE: DebouncePolicy = DebouncePolicy { max: 15_000, enabled: true };

    #[test]
    fn the_adaptive_interval_is_a_tenth_of_the_connections_within_bounds() {
        let middle = |connections| DEBOUNCE.interval(DebounceInterval::Adaptive, connections, 128);
        assert!((1000..1010).contains(&middle(0)));
        assert!((1000..1010).contains(&middle(10)));
        assert!((5000..5050).contains(&middle(50)));
        assert!((15_000..15_100).contains(&middle(1_000_000)));
    }

    #[test]
    fn factor_spreads_from_half_to_one_and_a_half() {
        assert_eq!(DEBOUNCE.interval(DebounceInterval::Adaptive, 0, 0), 500);
        assert_eq!(DEBOUNCE.interval(DebounceInterval::Adaptive, 0, 255), 1500);
    }

    #[test]
    fn a_small_maximum_wins_over_the_floor() {
        let debounce = DebouncePolicy { max: 0, enabled: true };
        assert_eq!(debounce.interval(DebounceInterval::Adaptive, 500, 255), 0);
    }

    #[test]
    fn without_debounce_nothing_waits() {
        let debounce = DebouncePolicy { max: 15_000, enabled: false };
        assert_eq!(debounce.merge_window(), 0);
        assert_eq!(debounce.interval(DebounceInterval::Fixed(1000), 9, 9), 0);
    }
}
