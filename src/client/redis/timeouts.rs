//! The times that the Redis source keeps, in one place so that tests can hurry them.

use std::time::Duration;

/// How patient to be. The defaults are for production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedisTimeouts {
    /// The longest that each step towards a connection may take, and each answer on it.
    pub step_timeout: Duration,
    /// After this much silence on the subscription, Redis is asked whether it is there.
    pub silence: Duration,
    /// How long its answer may take. `silence` plus this is the longest that a dead but open
    /// connection goes unnoticed.
    pub answer: Duration,
    /// How often to look whether the server we listen to is still the right one (cluster and
    /// sentinel only).
    pub look: Duration,
    /// The longest that reading or writing one key may take, connecting and queueing included.
    pub command: Duration,
}

impl Default for RedisTimeouts {
    fn default() -> Self {
        Self {
            step_timeout: Duration::from_secs(5),
            silence: Duration::from_secs(10),
            answer: Duration::from_secs(5),
            look: Duration::from_secs(15),
            command: Duration::from_secs(2),
        }
    }
}
