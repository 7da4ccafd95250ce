//! Networks that name many pairs nobody registered are no longer looked at for a while.

use crate::server::client_address::ClientNetwork;
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use tokio::time::Instant;

/// Different wrong pairs that one network may name within [`WINDOW`]. Generous: behind one address a
/// whole company may come back after its registrations have ended.
pub const MOST: usize = 256;

/// How long wrong pairs count, from the first of them on.
pub const WINDOW: Duration = Duration::from_secs(10 * 60);

/// Windows that are over are looked for no more often than this: it takes a look at all.
const SWEEP: Duration = Duration::from_secs(1);

/// Networks that are remembered; past it those whose window is over go, then nobody new is counted.
const NETWORKS: usize = 4096;

/// Counts *different* wrong pairs by network: who repeats one guess_limiter nothing, and a pair that is
/// registered late is right from then on. Where networks can't be told apart nobody is refused for
/// what others do. The clock is passed in.
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
    /// Whether a pair may be looked at.
    pub fn allows(&self, origin: ClientNetwork, now: Instant) -> bool {
        let wrong = self.networks.get(&origin).filter(|wrong| wrong.until > now);
        wrong.is_none_or(|wrong| wrong.pairs.len() < MOST)
    }

    /// A pair, as a digest, was wrong.
    pub fn wrong(&mut self, origin: ClientNetwork, pair: u64, now: Instant) {
        if origin == ClientNetwork::Local {
            return;
        }
        if !self.networks.contains_key(&origin) && self.networks.len() >= NETWORKS {
            if self.swept.is_some_and(|swept| now.duration_since(swept) < SWEEP) {
                return;
            }
            self.swept = Some(now);
            self.networks.retain(|_, wrong| wrong.until > now);
            if self.networks.len() >= NETWORKS {
                return;
            }
        }
        let fresh = || FailedGuesses { until: now + WINDOW, pairs: HashSet::new() };
        let wrong = self.networks.entry(origin).or_insert_with(fresh);
        if wrong.until <= now {
            *wrong = fresh();
        }
        if wrong.pairs.len() < MOST {
            wrong.pairs.insert(pair);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ClientNetwork, GuessLimiter, MOST, NETWORKS, WINDOW};
    use tokio::time::Instant;

    fn network(number: u32) -> ClientNetwork {
        ClientNetwork::Network(std::net::IpAddr::V4(number.into()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_with_too_many_wrong_pairs_is_limited_for_a_while() {
        let (mut guess_limiter, now) = (GuessLimiter::default(), Instant::now());
        for _ in 0..10 * MOST {
            guess_limiter.wrong(network(1), 7, now);
        }
        assert!(guess_limiter.allows(network(1), now), "one pair again and again is one guess");
        (0..MOST as u64).for_each(|pair| guess_limiter.wrong(network(1), pair, now));
        assert!(!guess_limiter.allows(network(1), now));
        assert!(guess_limiter.allows(network(2), now), "others notice nothing");
        assert!(guess_limiter.allows(network(1), now + WINDOW));
        guess_limiter.wrong(network(1), 1, now + WINDOW);
        assert!(guess_limiter.allows(network(1), now + WINDOW));
    }

    #[tokio::test(start_paused = true)]
    async fn no_client_is_refused_where_networks_are_unknown() {
        let (mut guess_limiter, now) = (GuessLimiter::default(), Instant::now());
        (0..2 * MOST as u64).for_each(|pair| guess_limiter.wrong(ClientNetwork::Local, pair, now));
        assert!(guess_limiter.allows(ClientNetwork::Local, now));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_from_everywhere_is_bounded() {
        let (mut guess_limiter, now) = (GuessLimiter::default(), Instant::now());
        (0..).take(2 * NETWORKS).for_each(|number| guess_limiter.wrong(network(number), 1, now));
        assert!(guess_limiter.networks.len() <= NETWORKS);
        guess_limiter.wrong(network(u32::MAX), 1, now + WINDOW);
        assert_eq!(guess_limiter.networks.len(), 1);
    }
}
