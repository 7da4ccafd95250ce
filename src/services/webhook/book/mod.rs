//! What all replicas have in common: registrations, messages that may still be wanted, private hooks.

mod limits;
mod memory;
mod record;
mod scripts;
mod shared;

pub use limits::BookLimits;
pub use memory::MemoryBook;
pub use record::{Entry, Hook, HookKey, Kept, Lapsed, Listed, State, Stored};
pub use shared::SharedBook;

use super::{
    claim::{Claim, Target},
    id::MessageId,
    value::Value,
};
use futures_util::future::BoxFuture;

/// Why the book can't be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// As many as allowed.
    #[error("no room: {0}")]
    Full(&'static str),
    /// The server that keeps it doesn't answer.
    #[error("{0}")]
    Away(String),
}

/// What comes of asking the book.
pub type Asked<'a, T> = BoxFuture<'a, Result<T, BookError>>;

/// Keeps what all replicas have in common. What it is told of reaches every replica's teller in the
/// same order, the own one included.
pub trait Book: Send + Sync + 'static {
    /// Registers a pair, or renews its time.
    fn register<'a>(&'a self, claim: &'a Claim) -> Asked<'a, ()>;

    /// Forgets a pair and the hooks bound to it, and has its session closed; says whether it was
    /// registered.
    fn unregister<'a>(&'a self, claim: &'a Claim) -> Asked<'a, bool>;

    /// A client names a pair. None: it isn't registered. Renews its time, and has a session with
    /// the same pair on another replica closed.
    fn enter<'a>(&'a self, claim: &'a Claim) -> Asked<'a, Option<Entry>>;

    /// Renews the time of pairs whose sessions live, or notes up to where they have been told. Says
    /// which of those sessions have lost their registration, to nobody's knowledge here.
    fn keep<'a>(&'a self, kept: &'a [Kept]) -> Asked<'a, Vec<Lapsed>>;

    /// Takes a message in and has it told.
    fn post<'a>(&'a self, to: &'a Target, value: &'a Value) -> Asked<'a, MessageId>;

    /// Messages behind this one that are still kept, in order, so many at most,
    /// and fewer where they are long; none: there are no more.
    fn after(&self, id: MessageId, most: usize) -> Asked<'_, Vec<Stored>>;

    /// Keeps a new hook.
    fn add_hook<'a>(&'a self, key: &'a HookKey, hook: &'a Hook) -> Asked<'a, ()>;

    /// The hook with this key, unless its time is over.
    fn hook<'a>(&'a self, key: &'a HookKey) -> Asked<'a, Option<Hook>>;

    /// A user's hooks.
    fn hooks<'a>(&'a self, user: &'a str) -> Asked<'a, Vec<Listed>>;

    /// Revokes one of a user's hooks, or one bound to this connection only; says whether it was
    /// there.
    fn remove_hook<'a>(&'a self, owner: &'a Target, id: &'a str) -> Asked<'a, bool>;

    /// Whether this is seen for the first time within so many seconds.
    fn first_time<'a>(&'a self, what: &'a str, seconds: u32) -> Asked<'a, bool>;
}
