//! The timeouts of the Redis client, in one place so that tests can shorten them.

use std::time::Duration;

/// Time limits and intervals. The defaults are for production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedisTimeouts {
    /// Time limit for each step of a connection and for each reply.
    pub step_timeout: Duration,
    /// A ping is sent after this much silence on the subscription.
    pub silence: Duration,
    /// Time limit for its reply. A dead but open connection is detected after `silence` plus this.
    pub answer: Duration,
    /// How often to check whether the subscribed server is still the right one (cluster and sentinel
    /// only).
    pub look: Duration,
    /// Time limit for reading or writing one key, including connecting and queueing.
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
