//! The checks of a Nextcloud installation: Redis and database, Nextcloud and its app, and the path of a
//! client through the proxies to the daemon.

mod checks;
mod connector;
mod diagnose;
mod reverse_proxy;
mod self_test_token;
mod target;

pub use diagnose::diagnose;
pub use target::{NextcloudCheckContext, NextcloudTarget, occ};
