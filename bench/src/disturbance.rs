//! Whether something else used the machine meanwhile.

use crate::proc;
use std::{fs, time::Duration};

/// Watches the processor time that is neither ours nor our children's.
pub struct DisturbanceWatch {
    machine: Duration,
    own: Duration,
}

impl DisturbanceWatch {
    /// Begins now.
    pub fn begin() -> Self {
        Self { machine: proc::machine_cpu(), own: family() }
    }

    /// Processor time that others used since.
    pub fn end(&self) -> Duration {
        let machine = proc::machine_cpu().saturating_sub(self.machine);
        machine.saturating_sub(family().saturating_sub(self.own))
    }
}

/// Ourselves with all children, the ended ones included: fields 14 to 17 of `stat` (proc(5)).
fn family() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        after.split_whitespace().skip(11).take(4).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_nanos(ticks * 1_000_000_000 / rustix::param::clock_ticks_per_second())
}
