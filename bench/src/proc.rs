//! What the kernel knows of a process: memory, processor time, context switches.

use std::{fs, io, time::Duration};

/// Raises our own limit of open descriptors as far as allowed.
pub fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        crate::report::progress(&format!("descriptor limit not raised: {error}"));
    }
}

/// A process, read at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessUsage {
    /// Proportional set size, in bytes: its memory, with its share of what is shared.
    pub pss: u64,
    /// Processor time used so far, in user and kernel mode.
    pub cpu: Duration,
    /// Context switches so far, of all threads.
    pub switches: u64,
}

/// Reads a process.
pub fn read(pid: u32) -> io::Result<ProcessUsage> {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let mut switches = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(task?.path().join("status")).unwrap_or_default();
        switches += number(&status, "voluntary_ctxt_switches:").unwrap_or(0)
            + number(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
    }
    let pss = number(&smaps, "Pss:").unwrap_or(0) * 1024;
    Ok(ProcessUsage { pss, cpu: cpu(pid)?, switches })
}

/// Processor time of a process, from `stat` fields 14 and 15 (proc(5)).
pub fn cpu(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Ok(Duration::from_nanos(ticks * 1_000_000_000 / rustix::param::clock_ticks_per_second()))
}

/// Busy processor time of the whole machine.
pub fn machine_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    let busy: u64 =
        fields.iter().enumerate().filter(|(i, _)| !matches!(i, 3 | 4)).map(|(_, n)| n).sum();
    Duration::from_nanos(busy * 1_000_000_000 / rustix::param::clock_ticks_per_second())
}

fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.trim_start().starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
