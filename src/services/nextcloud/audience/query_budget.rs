//! Limits the audience lookup to five queries in any second.

use std::time::Duration;
use tokio::time::Instant;

/// The steady distance of queries.
const INTERVAL: Duration = Duration::from_millis(340);
/// So many queries may come at once after a pause. In any second there are at most
/// 1 + (1 s + 2 × 340 ms) / 340 ms = 5.
const BURST: u32 = 3;

/// A leaky bucket (generic cell rate algorithm). The clock is passed in.
#[derive(Debug)]
pub(super) struct QueryBudget {
    /// When the bucket is empty again.
    empty_at: Instant,
}

impl QueryBudget {
    /// Starts with a full burst.
    pub(super) fn new(now: Instant) -> Self {
        Self { empty_at: now }
    }

    /// When `count` queries may start, at most [`BURST`].
    pub(super) fn ready_at(&self, count: u32) -> Instant {
        let ahead = INTERVAL * BURST.saturating_sub(count.min(BURST));
        // Instants are far from their smallest value on every supported system.
        self.empty_at.checked_sub(ahead).unwrap_or(self.empty_at)
    }

    /// Takes the share of `count` queries that start now.
    pub(super) fn spend(&mut self, count: u32, now: Instant) {
        self.empty_at = self.empty_at.max(now) + INTERVAL * count;
    }
}

#[cfg(test)]
mod tests {
    use super::QueryBudget;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn in_any_second_there_are_at_most_five_queries() {
        for sizes in [&[1][..], &[2], &[1, 2], &[2, 1, 1], &[3, 1]] {
            let start = Instant::now();
            let (mut budget, mut now, mut started) = (QueryBudget::new(start), start, Vec::new());
            for count in sizes.iter().cycle().take(200) {
                now = now.max(budget.ready_at(*count));
                budget.spend(*count, now);
                started.extend((0..*count).map(|_| now));
            }
            for window in started.windows(6) {
                assert!(window[5] - window[0] >= Duration::from_secs(1), "{sizes:?}");
            }
            assert!(started.len() as u64 >= 2 * (now - start).as_secs(), "not far below the limit");
        }
    }

    #[test]
    fn three_queries_start_at_once_after_a_pause() {
        let start = Instant::now();
        let mut budget = QueryBudget::new(start);
        budget.spend(3, start);
        let later = start + Duration::from_secs(60);
        assert!(budget.ready_at(3) <= later);
    }
}
