//! Audience to recipients: who sees a place, looked up once, kept a while, kept fresh.
//!
//! [`AudienceCache`] decides and owns no clock and no database; `resolver` feeds it and does what it asks.

mod audiences;
mod directory;
mod mount_index;
mod pending_changes;
mod refreshes;
mod registry;
mod resolver;
mod storage;
#[cfg(test)]
mod tests;

pub use audiences::{AudienceCache, ResolvedNotice};
pub use directory::{DirectoryUnavailable, MountDirectory, StorageListing, VisibleMount};
pub use resolver::{AudienceResolver, INBOX, ResolverRequest, start};
