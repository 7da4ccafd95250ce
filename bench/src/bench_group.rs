//! The kinds of work that the benchmark measures.

use clap::ValueEnum;

/// A kind of work to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchGroup {
    /// All clients connected and idle; then all disconnect.
    Idle,
    /// Custom messages at 1 000 a second to all clients.
    Custom,
    /// One file change at a time on quiet connections.
    File,
    /// A user with a change every 200 ms.
    Steady,
    /// One change that 5 000 users see, without debounce.
    FanOut,
    /// As many custom messages as the daemon delivers.
    Throughput,
    /// 5 000 custom messages a second to one user.
    Ordered,
    /// 5 000 updates a second on ten storages with 2 000 mounts each.
    Storm,
    /// App-password logins per second.
    Login,
    /// Logins while thousands of unauthenticated sockets stay silent.
    Unauthenticated,
    /// Logins and messages while wrong passwords are tried.
    Guesses,
    /// All clients reconnect after a restart.
    Reconnect,
    /// The same, with Nextcloud deciding all logins.
    ReconnectNextcloud,
    /// Memory and CPU time by the number of clients; `plot` draws it.
    Growth,
    /// Two and three daemons on one Redis.
    Replicas,
    /// The limits of the machine itself.
    Limits,
}

impl BenchGroup {
    /// Its name on the command line.
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
            Self::Unauthenticated => "unauthenticated",
            Self::Guesses => "guesses",
            Self::Reconnect => "reconnect",
            Self::ReconnectNextcloud => "reconnect-nextcloud",
            Self::Growth => "growth",
            Self::Replicas => "replicas",
            Self::Limits => "limits",
        }
    }

    /// Whether it measures a daemon, not the machine.
    pub fn needs_daemon(self) -> bool {
        self != Self::Limits
    }
}
