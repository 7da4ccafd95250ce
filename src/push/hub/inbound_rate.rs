//! How much a client may send: above these rates it isn't read until it has waited long enough.
//!
//! The client isn't closed for it: its data waits in its own socket, which slows it down.

use crate::push::session::Millis;

/// Bytes that one client may send per second.
pub const BYTES_PER_SECOND: u32 = 256 * 1024;
/// Messages, pings included, that one client may send per second.
pub const COMMANDS_PER_SECOND: u32 = 256;
/// Ids that one client may subscribe to or unsubscribe from per second.
pub const IDS_PER_SECOND: u32 = 8192;
/// Past messages that may be searched for one client per second.
pub const REPLAYED_PER_SECOND: u32 = 8192;
/// How far ahead of these rates a client may be, in milliseconds: after a reconnect it sends much at once.
pub const BURST: Millis = 4_000;

/// The most that one read can cost; a longer debt is a leftover of a clock that has wrapped.
const MAX_DEBT: u32 = 120_000_000;
const MICROS: u32 = 1_000_000;

/// What one read from a client costs us, in microseconds of that client's allowance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InboundCost(u32);

impl InboundCost {
    /// The cost of so many bytes.
    pub fn bytes(count: usize) -> Self {
        Self::of(count, BYTES_PER_SECOND)
    }

    /// The cost of so many messages.
    pub fn commands(count: usize) -> Self {
        Self::of(count, COMMANDS_PER_SECOND)
    }

    /// The cost of so many subscriptions that begin or end.
    pub fn ids(count: usize) -> Self {
        Self::of(count, IDS_PER_SECOND)
    }

    /// The cost of a search through so many past messages.
    pub fn replayed(count: usize) -> Self {
        Self::of(count, REPLAYED_PER_SECOND)
    }

    /// The sum of both costs.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).min(MAX_DEBT / 2))
    }

    fn of(count: usize, per_second: u32) -> Self {
        let micros = (count as u64).saturating_mul(u64::from(MICROS)) / u64::from(per_second);
        Self(u32::try_from(micros).unwrap_or(u32::MAX).min(MAX_DEBT / 2))
    }
}

/// One client's allowance in four bytes: the time, in wrapping microseconds, at which everything that it
/// has sent is paid for at the rates above.
#[derive(Debug, Clone, Copy, Default)]
pub struct InboundAllowance {
    paid_at: u32,
}

impl InboundAllowance {
    /// An allowance of which nothing is used.
    pub fn new(now: Millis) -> Self {
        Self { paid_at: micros(now) }
    }

    /// The client has sent something.
    pub fn charge(&mut self, cost: InboundCost, now: Millis) {
        let debt = self.debt(now).saturating_add(cost.0).min(MAX_DEBT);
        self.paid_at = micros(now).wrapping_add(debt);
    }

    /// Until when the client must wait before it is read again; `None`: it may be read now.
    pub fn paused_until(self, now: Millis) -> Option<Millis> {
        let ahead = Millis::from(self.debt(now).div_ceil(1000));
        (ahead > BURST).then(|| now + ahead - BURST)
    }

    fn debt(self, now: Millis) -> u32 {
        let ahead = self.paid_at.wrapping_sub(micros(now));
        if ahead > MAX_DEBT { 0 } else { ahead }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "wrapping is intended")]
fn micros(now: Millis) -> u32 {
    now.wrapping_mul(1000) as u32
}

#[cfg(test)]
mod tests {
    use super::{BURST, COMMANDS_PER_SECOND, InboundAllowance, InboundCost};

    /// Sends as fast as it is allowed to, one message at a time, and counts until `end`.
    fn commands_until(end: u64, start: u64) -> u64 {
        let (mut allowance, mut sent, mut now) = (InboundAllowance::new(start), 0, start);
        while now < end {
            match allowance.paused_until(now) {
                Some(later) => now = later,
                None => {
                    allowance.charge(InboundCost::commands(1), now);
                    sent += 1;
                }
            }
        }
        sent
    }

    #[test]
    fn a_client_sends_a_burst_and_then_at_the_rate() {
        let rate = u64::from(COMMANDS_PER_SECOND);
        let burst = rate * BURST / 1000;
        let sent = commands_until(10_000, 0);
        assert!(sent.abs_diff(burst + 10 * rate) <= rate / 10, "{sent}");
    }

    #[test]
    fn a_wrapping_clock_changes_nothing() {
        let wrap = (1_u64 << 32) / 1000;
        assert!(
            commands_until(wrap + 5_000, wrap - 5_000).abs_diff(commands_until(10_000, 0)) <= 2
        );
        for later in [60_000, wrap / 2, wrap - 150_000] {
            let mut allowance = InboundAllowance::new(0);
            allowance.charge(InboundCost::bytes(64 << 20), 0);
            assert!(allowance.paused_until(0).is_some());
            assert_eq!(allowance.paused_until(later), None, "{later}");
        }
    }

    #[test]
    fn the_largest_subscription_is_read_at_once_and_its_repetition_is_not() {
        let mut allowance = InboundAllowance::new(0);
        let whole = InboundCost::bytes(512 * 1024).plus(InboundCost::ids(8192));
        allowance.charge(whole, 0);
        assert_eq!(allowance.paused_until(0), None);
        allowance.charge(whole, 0);
        assert!(allowance.paused_until(0).is_some_and(|until| (1_000..=4_000).contains(&until)));
    }
}
