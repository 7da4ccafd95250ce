//! What is measured: one file for each kind of work.

mod delivery;
pub mod growth;
mod idle;
mod latency;
mod limits;
mod logins;
mod replicas;
mod storm;
mod strangers;

use crate::{
    figures::Figures,
    options::{Binary, Options},
};
use clap::ValueEnum;
use std::error::Error;

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// Everybody connected, nothing happens; then everybody leaves.
    Idle,
    /// Custom messages at 1 000 a second to a full house.
    Custom,
    /// One file change at a time on quiet connections.
    File,
    /// A user with a change every 200 ms.
    Steady,
    /// One change that 5 000 users see, without debounce.
    FanOut,
    /// As many custom messages as go through.
    Throughput,
    /// 5 000 custom messages a second to one user.
    Ordered,
    /// 5 000 updates a second on ten storages with 2 000 mounts each.
    Storm,
    /// App-password log-ins a second.
    Login,
    /// Log-ins while thousands of sockets are silent at the door.
    Strangers,
    /// Log-ins and messages while wrong passwords are tried without end.
    Guesses,
    /// Everybody comes back after a restart.
    Reconnect,
    /// The same, with Nextcloud deciding all log-ins.
    ReconnectHost,
    /// Memory and processor time as more and more are connected: what `plot` draws.
    Growth,
    /// Two and three daemons on one Redis.
    Replicas,
    /// What the machine itself can do.
    Limits,
}

impl Group {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Custom => "custom",
            Self::File => "file",
            Self::Steady => "steady",
            Self::FanOut => "fan-out",
            Self::Throughput => "throughput",
            Self::Ordered => "ordered",
            Self::Storm => "storm",
            Self::Login => "login",
            Self::Strangers => "strangers",
            Self::Guesses => "guesses",
            Self::Reconnect => "reconnect",
            Self::ReconnectHost => "reconnect-host",
            Self::Growth => "growth",
            Self::Replicas => "replicas",
            Self::Limits => "limits",
        }
    }

    /// Whether it measures a daemon, not the machine.
    pub fn needs_daemon(self) -> bool {
        self != Self::Limits
    }

    /// Measures.
    pub fn run(self, options: &Options, binary: &Binary) -> Result<Figures, Box<dyn Error>> {
        match self {
            Self::Idle => idle::run(options, binary),
            Self::Custom => latency::custom(options, binary),
            Self::File => latency::file(options, binary),
            Self::Steady => latency::steady(options, binary),
            Self::FanOut => delivery::fan_out(options, binary),
            Self::Throughput => delivery::throughput(options, binary),
            Self::Ordered => delivery::ordered(options, binary),
            Self::Storm => storm::run(options, binary),
            Self::Login => logins::rate(options, binary),
            Self::Strangers => strangers::silent(options, binary),
            Self::Guesses => strangers::guesses(options, binary),
            Self::Reconnect => logins::reconnect(options, binary, &[]),
            Self::ReconnectHost => logins::reconnect(options, binary, &[("AUTH", "nextcloud")]),
            Self::Growth => growth::run(options, binary),
            Self::Replicas => replicas::run(options, binary),
            Self::Limits => limits::run(options),
        }
    }
}
