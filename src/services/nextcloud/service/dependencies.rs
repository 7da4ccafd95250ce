//! What one Nextcloud's clients depend on, for the health that is told.

use super::database::NextcloudDatabase;
use crate::{
    health::{DependencyState, ServiceDependency},
    services::nextcloud::http::NextcloudAuthenticator,
};
use std::sync::Arc;

/// Something that clients can't be told or let in without.
pub(super) fn needed(
    name: &'static str,
    condition: impl Fn() -> DependencyState + Send + Sync + 'static,
) -> ServiceDependency {
    ServiceDependency {
        name: name.into(),
        service: None,
        needed: true,
        condition: Arc::new(condition),
    }
}

/// Without it nobody knows whom a change concerns, nor who may come in.
pub(super) fn database(stored: &NextcloudDatabase) -> ServiceDependency {
    let health = stored.database.health();
    needed("database", move || health.borrow().clone())
}

/// Clients go on being told without it, and most log in without it.
pub(super) fn nextcloud(remote: &NextcloudAuthenticator) -> ServiceDependency {
    let remote = remote.clone();
    let condition = Arc::new(move || remote.condition());
    ServiceDependency { name: "nextcloud".into(), service: None, needed: false, condition }
}
