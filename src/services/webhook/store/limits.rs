//! Limits of the store.

use std::time::Duration;

/// Limits of the store. At a limit new registrations and hooks are refused and the oldest messages
/// removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// Lifetime of an unused registration.
    pub registration: Duration,
    /// Registrations of one user.
    pub per_user: usize,
    /// Users with registrations.
    pub users: usize,
    /// Hooks of one user.
    pub hooks_per_user: usize,
    /// Hooks of all users.
    pub hooks: usize,
    /// How long a message is kept for disconnected clients.
    pub replay: Duration,
    /// Messages kept for one user.
    pub messages: usize,
    /// Bytes kept for one user.
    pub bytes: usize,
    /// Messages kept for all users.
    pub messages_in_all: usize,
    /// Bytes kept for all users.
    pub bytes_in_all: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            registration: Duration::from_secs(3600),
            per_user: 64,
            users: 100_000,
            hooks_per_user: 32,
            hooks: 100_000,
            replay: Duration::from_secs(60),
            // No less than the hub lets wait for one slow client and for all of them
            // (`push::hub::backlog_memory`): what they lose when they are closed is replayed.
            messages: 65_536,
            bytes: 4 << 20,
            messages_in_all: 262_144,
            bytes_in_all: 32 << 20,
        }
    }
}
