//! What to measure, on what, and how large.

use crate::bench_group::BenchGroup;
use clap::{Parser, Subcommand, ValueEnum};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Measures a notify_push daemon: its memory, CPU time and latency under the work it is made for.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    /// What to do instead.
    #[command(subcommand)]
    pub instead: Option<BenchCommand>,
    /// What to measure; all of it if nothing is named.
    #[arg(value_enum)]
    groups: Vec<BenchGroup>,
    /// Another binary that takes the original's command line and environment; may be repeated.
    #[arg(long, value_name = "BINARY")]
    against: Vec<PathBuf>,
    /// The daemon itself; built with `cargo build --profile dist --features jemalloc` before.
    #[arg(long, default_value = "target/dist/notify_push")]
    daemon: PathBuf,
    /// Clients in the groups with many clients. Machines with 20 000 descriptors a process bear
    /// 19 500.
    #[arg(long, default_value_t = 19_500)]
    pub connections: usize,
    /// How often everything is measured.
    #[arg(long, default_value_t = 1)]
    pub rounds: usize,
    /// Duration in seconds of groups without a natural end.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// The database.
    #[arg(long, value_enum, default_value_t = DatabaseKind::Mariadb)]
    pub db: DatabaseKind,
    /// Appends one JSON object a line for each measurement.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// How long the stand-in for Nextcloud takes for a login, in milliseconds.
    #[arg(long, default_value_t = 30)]
    pub host_delay: u64,
    /// How many logins the stand-in works on at once.
    #[arg(long, default_value_t = 8)]
    pub host_workers: usize,
    /// Logins that may wait in the stand-in; beyond, it answers 502. 0: any number.
    #[arg(long, default_value_t = 0)]
    pub host_queue: usize,
}

/// What the bench does besides measuring.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Draws memory and processor time against the number of connections.
    Plot {
        /// JSON lines of the group `growth`, as `--json` wrote them.
        lines: PathBuf,
        /// Where the drawings go.
        #[arg(default_value = "docs")]
        folder: PathBuf,
    },
}

/// Which database the daemon reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DatabaseKind {
    /// A MariaDB server of our own.
    Mariadb,
    /// A SQLite file.
    Sqlite,
}

/// A daemon to measure.
#[derive(Debug, Clone)]
pub struct Binary {
    /// Its file.
    pub path: PathBuf,
    /// What the table calls it.
    pub label: String,
}

impl Options {
    /// The groups to run.
    pub fn groups(&self) -> Vec<BenchGroup> {
        if self.groups.is_empty() {
            BenchGroup::value_variants().to_vec()
        } else {
            self.groups.clone()
        }
    }

    /// The daemons, ours first. Those that share a file name are numbered.
    pub fn binaries(&self) -> io::Result<Vec<Binary>> {
        let others = self.against.iter().zip(1..).map(|(path, number)| (path, name(path, number)));
        std::iter::once((&self.daemon, "ours".to_owned()))
            .chain(others)
            .map(|(path, label)| {
                let path = path.canonicalize().map_err(|error| {
                    io::Error::other(format!("{}: {error}; build it first", path.display()))
                })?;
                Ok(Binary { path, label })
            })
            .collect()
    }
}

fn name(path: &Path, number: usize) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    format!("{number}: {name}")
}
