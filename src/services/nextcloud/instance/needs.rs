//! What one Nextcloud's clients depend on, for the health that is told.

use super::stored::Stored;
use crate::{health::Dependency, runtime::status::Condition, services::nextcloud::remote::Remote};
use std::sync::Arc;

/// Something that clients can't be told or let in without.
pub(super) fn needed(
    name: &'static str,
    condition: impl Fn() -> Condition + Send + Sync + 'static,
) -> Dependency {
    Dependency { name: name.into(), host: None, needed: true, condition: Arc::new(condition) }
}

/// Without it nobody knows whom a change concerns, nor who may come in.
pub(super) fn database(stored: &Stored) -> Dependency {
    let health = stored.database.health();
    needed("database", move || health.borrow().clone())
}

/// Clients go on being told without it, and most log in without it.
pub(super) fn nextcloud(remote: &Remote) -> Dependency {
    let remote = remote.clone();
    let condition = Arc::new(move || remote.condition());
    Dependency { name: "nextcloud".into(), host: None, needed: false, condition }
}
