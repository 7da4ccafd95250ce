//! One log line for each refused login, bounded, so that fail2ban and people can follow attacks.

use crate::{
    push::{LoginAttempt, LoginResult},
    server::client_address::ClientAddressResolver,
    telemetry::metrics::MetricLabel,
};
use parking_lot::Mutex;
use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The target of these lines, which log filters and `contrib/` rely on.
const TARGET: &str = "notify_push::login";

/// Lines about one address within [`INTERVAL`].
const MAX_LINES: u32 = 20;
const INTERVAL: Duration = Duration::from_secs(60);
/// Addresses that are counted within [`INTERVAL`]; further ones are not logged until it ends.
const MAX_ADDRESSES: usize = 1024;
/// Characters of a claimed user name that are logged.
const MAX_NAME: usize = 64;

/// Logs refused logins. Cheap to clone.
#[derive(Clone)]
pub struct RefusalLog {
    addresses: ClientAddressResolver,
    recent: Arc<Mutex<RecentRefusals>>,
}

/// Lines in the current interval; `None` stands for clients without an address (a unix socket).
struct RecentRefusals {
    since: Instant,
    lines: HashMap<Option<IpAddr>, AddressLines>,
}

#[derive(Default)]
struct AddressLines {
    logged: u32,
    throttling_logged: bool,
}

/// What to log about a refusal.
#[derive(Debug, Default, PartialEq, Eq)]
struct LinesDue {
    refusal: bool,
    /// Throttling of this address has begun.
    throttling: bool,
}

impl RefusalLog {
    /// `addresses` finds the client behind proxies.
    pub fn new(addresses: ClientAddressResolver) -> Self {
        let recent = RecentRefusals { since: Instant::now(), lines: HashMap::new() };
        Self { addresses, recent: Arc::new(Mutex::new(recent)) }
    }

    /// Logs a refused attempt, unless its address has had its lines for this minute.
    pub fn refused(&self, attempt: &LoginAttempt, result: LoginResult) {
        let client = self.addresses.client_ip(&attempt.peer);
        let due = self.recent.lock().count(client, result, Instant::now());
        let address = client.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
        let user: String = attempt.credentials.user.chars().take(MAX_NAME).collect();
        let reason = result.text();
        if due.refusal {
            tracing::info!(target: TARGET, %address, %reason, ?user, "login refused");
        }
        if due.throttling {
            tracing::warn!(
                target: TARGET,
                %address,
                "logins throttled: too many failures from this address"
            );
        }
    }
}

impl RecentRefusals {
    fn count(&mut self, client: Option<IpAddr>, result: LoginResult, now: Instant) -> LinesDue {
        if now.duration_since(self.since) >= INTERVAL {
            // Addresses that stay throttled are not announced again.
            self.lines.retain(|_, lines| lines.throttling_logged && lines.logged > 0);
            for lines in self.lines.values_mut() {
                lines.logged = 0;
            }
            self.since = now;
        }
        if self.lines.len() >= MAX_ADDRESSES && !self.lines.contains_key(&client) {
            return LinesDue::default();
        }
        let lines = self.lines.entry(client).or_default();
        lines.logged = lines.logged.saturating_add(1);
        let throttled = result == LoginResult::Throttled;
        let throttling = throttled && !lines.throttling_logged;
        lines.throttling_logged |= throttled;
        LinesDue { refusal: lines.logged <= MAX_LINES, throttling }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        INTERVAL, Instant, IpAddr, LinesDue, LoginResult, MAX_ADDRESSES, MAX_LINES, RecentRefusals,
    };
    use std::{collections::HashMap, net::Ipv4Addr};

    fn address(number: usize) -> Option<IpAddr> {
        Some(Ipv4Addr::from_bits(u32::try_from(number).unwrap()).into())
    }

    fn recent(since: Instant) -> RecentRefusals {
        RecentRefusals { since, lines: HashMap::new() }
    }

    #[test]
    fn lines_are_bounded_per_address_and_minute() {
        let now = Instant::now();
        let mut recent = recent(now);
        let rejected = LoginResult::Rejected;
        for n in 0..2 * MAX_LINES {
            let due = recent.count(address(1), rejected, now);
            assert_eq!(due, LinesDue { refusal: n < MAX_LINES, throttling: false });
        }
        assert!(recent.count(address(2), rejected, now).refusal);
        assert!(recent.count(address(1), rejected, now + INTERVAL).refusal);
        for number in 0..2 * MAX_ADDRESSES {
            recent.count(address(number), rejected, now + INTERVAL);
        }
        assert_eq!(recent.lines.len(), MAX_ADDRESSES);
        assert!(!recent.count(address(5_000), rejected, now + INTERVAL).refusal);
    }

    #[test]
    fn the_begin_of_throttling_is_logged_once() {
        let now = Instant::now();
        let mut recent = recent(now);
        let throttled = LoginResult::Throttled;
        assert!(recent.count(address(1), throttled, now).throttling);
        assert!(!recent.count(address(1), throttled, now).throttling);
        assert!(!recent.count(address(1), throttled, now + INTERVAL).throttling, "goes on");
        let later = now + 3 * INTERVAL;
        recent.count(address(2), throttled, later);
        recent.count(address(2), throttled, later + INTERVAL);
        assert!(recent.count(address(1), throttled, later + INTERVAL).throttling, "begins anew");
    }
}
