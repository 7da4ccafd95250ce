//! Looks one Nextcloud over: Redis and database, Nextcloud and its app, the way of a client through the
//! proxies to the daemon.

mod checks;
mod connector;
mod diagnose;
mod outcome;
mod reverse_proxy;
mod self_test_token;
mod target;

pub use diagnose::diagnose;
pub use target::{NextcloudCheckContext, NextcloudTarget, occ};
