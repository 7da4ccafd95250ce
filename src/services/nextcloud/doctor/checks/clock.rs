//! Checks that all clocks agree: logins depend on ages in seconds.

use crate::{
    doctor::{CheckFinding, CheckId},
    services::nextcloud::doctor::target::NextcloudCheckContext,
};
use std::time::{Duration, UNIX_EPOCH};

/// A larger difference in milliseconds is a hint.
const NOTABLE: i64 = 5_000;
/// A larger difference is wrong: Nextcloud trusts a stored password for 5 min, a ticket is valid for 15 s.
const TOO_MUCH: i64 = 60_000;

/// The difference between another clock and this host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::services::nextcloud::doctor) struct ClockReading {
    clock_name: &'static str,
    /// In milliseconds: positive when theirs is ahead.
    ahead: i64,
}

impl ClockReading {
    /// Compares two times since 1970.
    pub(in crate::services::nextcloud::doctor) fn new(
        clock_name: &'static str,
        theirs: Duration,
        ours: Duration,
    ) -> Self {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Self { clock_name, ahead: millis(theirs).saturating_sub(millis(ours)) }
    }

    /// Compares a clock with whole seconds, which is half a second behind on average.
    pub(in crate::services::nextcloud::doctor) fn coarse(
        clock_name: &'static str,
        theirs: Duration,
        ours: Duration,
    ) -> Self {
        Self::new(clock_name, theirs + Duration::from_millis(500), ours)
    }

    fn text(&self) -> String {
        let seconds = (self.ahead.unsigned_abs() + 500) / 1000;
        match (seconds, self.ahead > 0) {
            (0 | 1, _) => format!("{} agrees", self.clock_name),
            (_, true) => format!("{} is {seconds} s ahead", self.clock_name),
            (_, false) => format!("{} is {seconds} s behind", self.clock_name),
        }
    }
}

/// This host's time since 1970.
pub(in crate::services::nextcloud::doctor) fn since_1970(
    context: &NextcloudCheckContext,
) -> Duration {
    (context.clock)().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

/// Makes a finding from all clocks that could be read.
pub(in crate::services::nextcloud::doctor) fn judge(readings: &[ClockReading]) -> CheckFinding {
    if readings.is_empty() {
        return CheckFinding::skipped(CheckId::Clock, "no other clock could be read");
    }
    let seen = readings.iter().map(ClockReading::text).collect::<Vec<_>>().join(", ");
    let worst = readings.iter().map(|reading| reading.ahead.saturating_abs()).max().unwrap_or(0);
    if worst <= NOTABLE {
        return CheckFinding::fine(CheckId::Clock, seen);
    }
    let finding = match worst <= TOO_MUCH {
        true => CheckFinding::hint(CheckId::Clock, seen),
        false => CheckFinding::wrong(CheckId::Clock, seen),
    };
    finding
        .why(
            "whether a password has expired, or was checked by Nextcloud within the last five \
             minutes, is decided with this host's clock",
        )
        .advise("Synchronise the clocks of all hosts with NTP:")
        .run("timedatectl set-ntp true; timedatectl timesync-status")
}

#[cfg(test)]
mod tests {
    use super::{ClockReading, judge};
    use crate::doctor::finding::FindingState;
    use std::time::Duration;

    fn reading(theirs: u64, ours: u64) -> ClockReading {
        ClockReading::new("Redis", Duration::from_secs(theirs), Duration::from_secs(ours))
    }

    #[test]
    fn the_worst_clock_decides() {
        assert_eq!(judge(&[]).state, FindingState::Skipped);
        assert_eq!(judge(&[reading(101, 100)]).state, FindingState::Fine);
        let behind = judge(&[reading(100, 100), reading(90, 100)]);
        assert_eq!(
            (behind.state, &*behind.observed),
            (FindingState::Hint, "Redis agrees, Redis is 10 s behind")
        );
        let ahead = judge(&[reading(400, 100)]);
        assert_eq!((ahead.state, &*ahead.observed), (FindingState::Wrong, "Redis is 300 s ahead"));
    }
}
