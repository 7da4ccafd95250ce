//! The dependencies of one Nextcloud, for health and status.

use super::database::NextcloudDatabase;
use crate::{
    health::{DependencyState, ServiceDependency},
    services::nextcloud::http::NextcloudAuthenticator,
};
use std::sync::Arc;

/// A dependency without which the service is not ready.
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

/// The database: needed for audiences and most logins.
pub(super) fn database(stored: &NextcloudDatabase) -> ServiceDependency {
    let health = stored.database.health();
    needed("database", move || health.borrow().clone())
}

/// Nextcloud over HTTP: delivery and most logins work without it.
pub(super) fn nextcloud(remote: &NextcloudAuthenticator) -> ServiceDependency {
    let remote = remote.clone();
    let condition = Arc::new(move || remote.condition());
    ServiceDependency { name: "nextcloud".into(), service: None, needed: false, condition }
}
