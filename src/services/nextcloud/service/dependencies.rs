//! The dependencies of one Nextcloud, for health and status.

use super::database::NextcloudDatabase;
use crate::{health::ServiceDependency, services::nextcloud::http::NextcloudAuthenticator};
use std::sync::Arc;

/// The database: needed for audiences and most logins.
pub(super) fn database(stored: &NextcloudDatabase) -> ServiceDependency {
    let health = stored.database.health();
    ServiceDependency::needed("database", move || health.borrow().clone())
}

/// Nextcloud over HTTP: delivery and most logins work without it.
pub(super) fn nextcloud(remote: &NextcloudAuthenticator) -> ServiceDependency {
    let remote = remote.clone();
    let condition = Arc::new(move || remote.condition());
    ServiceDependency { name: "nextcloud".into(), service: None, needed: false, condition }
}
