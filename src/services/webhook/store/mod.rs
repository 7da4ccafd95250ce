//! What all replicas have in common: registrations, messages that may still be wanted, private hooks.

mod limits;
mod memory;
mod records;
mod redis;
mod scripts;

pub use limits::StoreLimits;
pub use memory::MemoryStore;
pub use records::{
    ExpiredRegistration, HookKey, HookSummary, PrivateHook, RegistrationRenewal, RegistrationState,
    SessionEntry, StoredMessage,
};
pub use redis::RedisStore;

use super::{
    message_id::MessageId,
    message_value::MessageValue,
    registration_key::{MessageTarget, RegistrationKey},
};
use futures_util::future::BoxFuture;

/// Why the store can't be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationStoreError {
    /// As many as allowed.
    #[error("no room: {0}")]
    Full(&'static str),
    /// The server that keeps it doesn't answer.
    #[error("{0}")]
    Offline(String),
}

/// What comes of asking the store.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T, RegistrationStoreError>>;

/// Keeps what all replicas have in common. What it is told of reaches every replica's dispatcher in the
/// same order, the own one included.
pub trait RegistrationStore: Send + Sync + 'static {
    /// Registers a pair, or renews its time.
    fn register<'a>(&'a self, claim: &'a RegistrationKey) -> StoreFuture<'a, ()>;

    /// Forgets a pair and the hooks bound to it, and has its session closed; says whether it was
    /// registered.
    fn unregister<'a>(&'a self, claim: &'a RegistrationKey) -> StoreFuture<'a, bool>;

    /// A client names a pair. None: it isn't registered. Renews its time, and has a session with
    /// the same pair on another replica closed.
    fn enter<'a>(&'a self, claim: &'a RegistrationKey) -> StoreFuture<'a, Option<SessionEntry>>;

    /// Renews the time of pairs whose sessions live, or notes up to where they have been told. Says
    /// which of those sessions have lost their registration, to nobody's knowledge here.
    fn keep<'a>(
        &'a self,
        kept: &'a [RegistrationRenewal],
    ) -> StoreFuture<'a, Vec<ExpiredRegistration>>;

    /// Takes a message in and has it told.
    fn post<'a>(
        &'a self,
        to: &'a MessageTarget,
        value: &'a MessageValue,
    ) -> StoreFuture<'a, MessageId>;

    /// Messages behind this one that are still kept, in order, so many at most,
    /// and fewer where they are long; none: there are no more.
    fn after(&self, id: MessageId, most: usize) -> StoreFuture<'_, Vec<StoredMessage>>;

    /// Keeps a new hook.
    fn add_hook<'a>(&'a self, key: &'a HookKey, hook: &'a PrivateHook) -> StoreFuture<'a, ()>;

    /// The hook with this key, unless its time is over.
    fn hook<'a>(&'a self, key: &'a HookKey) -> StoreFuture<'a, Option<PrivateHook>>;

    /// A user's hooks.
    fn hooks<'a>(&'a self, user: &'a str) -> StoreFuture<'a, Vec<HookSummary>>;

    /// Revokes one of a user's hooks, or one bound to this connection only; says whether it was
    /// there.
    fn remove_hook<'a>(&'a self, owner: &'a MessageTarget, id: &'a str) -> StoreFuture<'a, bool>;

    /// Whether this is seen for the first time within so many seconds.
    fn insert_once<'a>(&'a self, what: &'a str, seconds: u32) -> StoreFuture<'a, bool>;
}
