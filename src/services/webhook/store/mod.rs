//! State that all replicas share: registrations, recent messages, private hooks.

mod limits;
mod memory;
mod records;
mod redis;
mod redis_values;
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

/// Why the store refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationStoreError {
    /// A limit is reached.
    #[error("limit reached: {0}")]
    Full(&'static str),
    /// The server doesn't answer.
    #[error("{0}")]
    Offline(String),
}

/// Result of a store operation.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T, RegistrationStoreError>>;

/// State that all replicas share. Its events reach the dispatcher of every replica, including this
/// one, in the same order.
pub trait RegistrationStore: Send + Sync + 'static {
    /// Registers a pair or renews it.
    fn register<'a>(&'a self, claim: &'a RegistrationKey) -> StoreFuture<'a, ()>;

    /// Removes a pair and the hooks bound to it, and has its session closed. Returns whether it was
    /// registered.
    fn unregister<'a>(&'a self, claim: &'a RegistrationKey) -> StoreFuture<'a, bool>;

    /// Enters a client with this pair, renews the registration and has older sessions closed on
    /// other replicas. None if it isn't registered.
    fn enter<'a>(&'a self, claim: &'a RegistrationKey) -> StoreFuture<'a, Option<SessionEntry>>;

    /// Renews registrations with sessions, or records what ended sessions have received. Returns
    /// the sessions that have lost their registration unnoticed.
    fn keep<'a>(
        &'a self,
        kept: &'a [RegistrationRenewal],
    ) -> StoreFuture<'a, Vec<ExpiredRegistration>>;

    /// Stores a message and publishes it to all replicas.
    fn post<'a>(
        &'a self,
        to: &'a MessageTarget,
        value: &'a MessageValue,
    ) -> StoreFuture<'a, MessageId>;

    /// Messages after this one in order, at most `most`, fewer if they are long; empty at the end.
    fn after(&self, id: MessageId, most: usize) -> StoreFuture<'_, Vec<StoredMessage>>;

    /// Adds a new hook.
    fn add_hook<'a>(&'a self, key: &'a HookKey, hook: &'a PrivateHook) -> StoreFuture<'a, ()>;

    /// The hook with this key, unless it has expired.
    fn hook<'a>(&'a self, key: &'a HookKey) -> StoreFuture<'a, Option<PrivateHook>>;

    /// Lists a user's hooks.
    fn hooks<'a>(&'a self, user: &'a str) -> StoreFuture<'a, Vec<HookSummary>>;

    /// Revokes a hook of a user, or of one connection only. Returns whether it existed.
    fn remove_hook<'a>(&'a self, owner: &'a MessageTarget, id: &'a str) -> StoreFuture<'a, bool>;

    /// Whether this text is new within so many seconds.
    fn insert_once<'a>(&'a self, what: &'a str, seconds: u32) -> StoreFuture<'a, bool>;
}

/// Error for a reply that none of the scripts gives.
fn unexpected_reply() -> RegistrationStoreError {
    RegistrationStoreError::Offline("unexpected reply of Redis".to_owned())
}
