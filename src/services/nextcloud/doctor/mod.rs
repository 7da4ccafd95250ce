//! Looks one Nextcloud over: Redis and database, Nextcloud and its app, the way of a client through the
//! proxies to the daemon.

mod checks;
mod door;
mod examine;
mod outcome;
mod patient;
mod proxy;
mod token;

pub use examine::examine;
pub use patient::{Patient, Tools, occ};
