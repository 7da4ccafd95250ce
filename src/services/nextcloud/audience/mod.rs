//! The audience of a storage change: which users have a mount that covers it.
//!
//! [`AudienceCache`] decides and reads neither a clock nor a database; `resolver` passes in events,
//! time and answers, and runs the lookups that the cache asks for. `docs/performance.md` has the cost.

mod apply;
mod cache;
mod directory;
mod lookups;
mod mount_poll;
mod pending_changes;
mod query_budget;
mod registry;
mod resolver;
mod root_table;
mod share_rule;
mod storage;
#[cfg(test)]
mod tests;
mod trust_schedule;

pub use cache::{AudienceCache, ResolvedNotice};
pub use directory::{
    DirectoryUnavailable, MountDirectory, MountRow, RootDigest, RootPlace, ShareRow,
};
pub use lookups::{LookupAnswer, MountLookup, StorageMounts, StorageVerification};
pub use resolver::{AudienceResolver, INBOX, ResolverParts, StorageChange, start};
