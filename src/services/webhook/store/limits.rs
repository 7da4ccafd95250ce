//! How much the store holds.

use std::time::Duration;

/// What the store may hold; past it the newest registration or hook is refused and the oldest message
/// forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// How long a registration lives that no session uses.
    pub registration: Duration,
    /// Registrations of one user.
    pub per_user: usize,
    /// Users with registrations.
    pub users: usize,
    /// Hooks of one user.
    pub hooks_per_user: usize,
    /// Hooks in all.
    pub hooks: usize,
    /// How long a message is kept for those who are away.
    pub replay: Duration,
    /// Messages kept for one user.
    pub messages: usize,
    /// Bytes kept for one user.
    pub bytes: usize,
    /// Messages kept in all.
    pub messages_in_all: usize,
    /// Bytes kept in all.
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
            messages: 64,
            bytes: 256 << 10,
            messages_in_all: 16_384,
            bytes_in_all: 32 << 20,
        }
    }
}
