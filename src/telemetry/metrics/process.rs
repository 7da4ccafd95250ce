//! The process's own memory, descriptors and CPU time, under Prometheus's customary names.

use crate::telemetry::metrics::write_family;
use std::{fs, path::Path};

/// The kernel's numbers of this process. Each is `None` if it can't be read.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ProcessMetrics {
    resident_bytes: Option<u64>,
    open_fds: Option<u64>,
    max_fds: Option<u64>,
    cpu_seconds: Option<f64>,
    start_seconds: Option<f64>,
}

impl ProcessMetrics {
    /// Reads a few small files in memory, cheap enough for a scrape.
    pub(crate) fn read() -> Self {
        let (page, ticks) = (rustix::param::page_size(), rustix::param::clock_ticks_per_second());
        let stat = ProcessStat::parse(&text("/proc/self/stat"));
        let boot = field(&text("/proc/stat"), "btime").and_then(|time| time.parse::<u64>().ok());
        Self {
            resident_bytes: resident_pages(&text("/proc/self/statm")).map(|n| n * page as u64),
            open_fds: open_fds(Path::new("/proc/self/fd")),
            max_fds: max_fds(&text("/proc/self/limits")),
            cpu_seconds: stat.map(|stat| seconds(stat.cpu_ticks, ticks)),
            start_seconds: stat
                .zip(boot)
                .map(|(stat, boot)| whole(boot) + seconds(stat.start_ticks, ticks)),
        }
    }

    /// In the Prometheus text format.
    pub(crate) fn text(&self) -> String {
        let whole_number = |name, help, value: Option<u64>| {
            value.map(|value| write_family(name, "gauge", help, &[("", value)]))
        };
        let seconds = |name, kind, help, value: Option<f64>| {
            value.map(|value| write_family(name, kind, help, &[("", value)]))
        };
        const CPU: &str = "process_cpu_seconds_total";
        const START: &str = "process_start_time_seconds";
        [
            seconds(CPU, "counter", "CPU time, user and system.", self.cpu_seconds),
            whole_number("process_max_fds", "Limit of open file descriptors.", self.max_fds),
            whole_number("process_open_fds", "Open file descriptors.", self.open_fds),
            whole_number("process_resident_memory_bytes", "Memory.", self.resident_bytes),
            seconds(START, "gauge", "Start since the epoch.", self.start_seconds),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

// proc_pid_statm(5): size, resident, …, in pages.
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split(' ').nth(1)?.parse().ok()
}

// proc_pid_limits(5): name, soft limit, hard limit, unit.
fn max_fds(limits: &str) -> Option<u64> {
    field(limits, "Max open files")?.split_whitespace().next()?.parse().ok()
}

// proc_pid_fd(5): since Linux 6.2 the folder's size is the number of entries; before, it is 0 and
// they must be counted.
fn open_fds(folder: &Path) -> Option<u64> {
    let size = fs::metadata(folder).ok()?.len();
    if size > 0 { Some(size) } else { Some(whole_count(fs::read_dir(folder).ok()?.count())) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ProcessStat {
    cpu_ticks: u64,
    start_ticks: u64,
}

impl ProcessStat {
    // proc_pid_stat(5). The second field is the program's name in parentheses and may hold blanks
    // and parentheses itself; utime, stime and starttime are fields 14, 15 and 22.
    fn parse(stat: &str) -> Option<Self> {
        let after_name = stat.rsplit_once(')')?.1;
        let mut fields = after_name.split_whitespace().skip(11);
        let mut next = || fields.next()?.parse::<u64>().ok();
        let (user, system) = (next()?, next()?);
        let start_ticks = fields.nth(6)?.parse().ok()?;
        Some(Self { cpu_ticks: user + system, start_ticks })
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact for 285 million years of seconds")]
fn whole(number: u64) -> f64 {
    number as f64
}

fn whole_count(number: usize) -> u64 {
    number as u64
}

fn seconds(ticks: u64, per_second: u64) -> f64 {
    whole(ticks) / whole(per_second.max(1))
}

#[cfg(test)]
mod tests {
    use super::{ProcessMetrics, ProcessStat, max_fds, resident_pages};

    #[test]
    fn the_name_of_the_program_confuses_nothing() {
        let stat = "77 (a) b (c) S 1 77 77 0 -1 4194560 2014 0 0 0 12 30 0 0 20 0 3 0 8642 9 8";
        assert_eq!(
            ProcessStat::parse(stat),
            Some(ProcessStat { cpu_ticks: 42, start_ticks: 8642 })
        );
        assert_eq!(ProcessStat::parse("77 (a"), None);
    }

    #[test]
    fn reads_the_kernels_formats() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(max_fds(limits), Some(1024));
        assert_eq!(max_fds("Max open files            unlimited   unlimited   files"), None);
        assert_eq!(resident_pages("6117 1202 913 70 0 1033 0"), Some(1202));
    }

    #[test]
    fn this_process_is_described_in_full() {
        let process = ProcessMetrics::read();
        assert!(process.resident_bytes.unwrap() > 100_000);
        assert!(process.open_fds.unwrap() >= 3);
        assert!(process.max_fds.unwrap() >= process.open_fds.unwrap());
        assert!(process.start_seconds.unwrap() > 1e9);
        assert_eq!(process.text().matches("# TYPE process_").count(), 5);
    }
}
