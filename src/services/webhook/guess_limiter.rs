//! Slows down networks that present many wrong pairs. Every pair is looked up: a right one is never
//! refused for the wrong ones of its network.

use crate::server::client_address::ClientNetwork;
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use tokio::time::Instant;

/// Different wrong pairs of one network within [`WINDOW`] that are answered at once.
pub const MAX_PROMPT_PAIRS: usize = 256;

/// How long wrong pairs count, from the first of them on.
pub const WINDOW: Duration = Duration::from_secs(10 * 60);

/// Delay of the answer to further wrong pairs. A connection waits meanwhile, so their rate is bounded by
/// the limits of unauthenticated connections.
pub const DELAY: Duration = Duration::from_secs(2);

/// Minimum interval between two removals of expired windows, since each scans all of them.
const SWEEP: Duration = Duration::from_secs(1);

/// Maximum networks with a window; the wrong pairs of further ones are delayed at once.
const MAX_NETWORKS: usize = 4096;

/// Counts *different* wrong pairs by network: repeating a pair is no further guess. Connection ids can't
/// be guessed, so the limiter bounds load rather than secrecy. The clock is passed in.
#[derive(Debug, Default)]
pub struct GuessLimiter {
    networks: HashMap<ClientNetwork, FailedGuesses>,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct FailedGuesses {
    until: Instant,
    pairs: HashSet<u64>,
}

impl GuessLimiter {
    /// Records a wrong pair, given as a digest, and returns the delay of its answer.
    pub fn record(&mut self, network: ClientNetwork, pair: u64, now: Instant) -> Duration {
        if !self.networks.contains_key(&network) && !self.has_room(now) {
            return DELAY;
        }
        let fresh = || FailedGuesses { until: now + WINDOW, pairs: HashSet::new() };
        let wrong = self.networks.entry(network).or_insert_with(fresh);
        if wrong.until <= now {
            *wrong = fresh();
        }
        if wrong.pairs.len() < MAX_PROMPT_PAIRS {
            wrong.pairs.insert(pair);
            return Duration::ZERO;
        }
        if wrong.pairs.contains(&pair) { Duration::ZERO } else { DELAY }
    }

    fn has_room(&mut self, now: Instant) -> bool {
        let recently = |swept: Instant| now.saturating_duration_since(swept) < SWEEP;
        if self.networks.len() >= MAX_NETWORKS && !self.swept.is_some_and(recently) {
            self.swept = Some(now);
            self.networks.retain(|_, wrong| wrong.until > now);
        }
        self.networks.len() < MAX_NETWORKS
    }
}

#[cfg(test)]
mod tests {
    use super::{ClientNetwork, DELAY, GuessLimiter, MAX_NETWORKS, MAX_PROMPT_PAIRS, WINDOW};
    use tokio::time::{Duration, Instant};

    const PROMPT: Duration = Duration::ZERO;

    fn network(number: u32) -> ClientNetwork {
        ClientNetwork::Network(std::net::IpAddr::V4(number.into()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_with_many_different_wrong_pairs_is_slowed_down_for_a_while() {
        let (mut limiter, now) = (GuessLimiter::default(), Instant::now());
        for _ in 0..10 * MAX_PROMPT_PAIRS {
            assert_eq!(limiter.record(network(1), 7, now), PROMPT, "a repeated pair is one guess");
        }
        for pair in 8..7 + MAX_PROMPT_PAIRS as u64 {
            assert_eq!(limiter.record(network(1), pair, now), PROMPT);
        }
        assert_eq!(limiter.record(network(1), 0, now), DELAY);
        assert_eq!(limiter.record(network(1), 7, now), PROMPT, "a known pair");
        assert_eq!(limiter.record(network(2), 0, now), PROMPT, "other networks aren't affected");
        assert_eq!(limiter.record(network(1), 0, now + WINDOW), PROMPT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_from_many_networks_is_bounded() {
        let (mut limiter, now) = (GuessLimiter::default(), Instant::now());
        for number in 0..2 * u32::try_from(MAX_NETWORKS).unwrap() {
            limiter.record(network(number), 1, now);
        }
        assert_eq!(limiter.networks.len(), MAX_NETWORKS);
        assert_eq!(limiter.record(network(u32::MAX), 1, now), DELAY);
        assert_eq!(limiter.record(network(u32::MAX), 1, now + WINDOW), PROMPT);
        assert_eq!(limiter.networks.len(), 1);
    }
}
