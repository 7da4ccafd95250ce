//! Why a change is sent after it was due.

/// The cause of the delay of a change that is sent after it was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DelayCause {
    /// The daemon was late.
    Daemon,
    /// The client's socket was full.
    Client,
}
