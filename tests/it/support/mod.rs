//! Real servers, a real daemon and a real client for the tests: guard values on free ports, in temporary
//! folders, gone when dropped and gone when the test process dies in whatever way.
//!
//! `tests/it/servers.rs` holds what each of them promises.

mod cleanup;
mod ports;
mod process;
mod wait;

pub(crate) mod browser;
pub(crate) mod captured;
pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod crowd;
pub(crate) mod daemon;
pub(crate) mod database;
pub(crate) mod faults;
pub(crate) mod http;
pub(crate) mod in_process;
pub(crate) mod installation;
pub(crate) mod listeners;
pub(crate) mod mariadb;
pub(crate) mod nextcloud;
pub(crate) mod node;
pub(crate) mod pgbouncer;
pub(crate) mod phorge;
pub(crate) mod php;
pub(crate) mod php_generator;
pub(crate) mod php_oracle;
pub(crate) mod postgres;
pub(crate) mod recipe;
pub(crate) mod redis;
pub(crate) mod redis_cluster;
pub(crate) mod redis_sentinel;
pub(crate) mod reverse_proxy;
pub(crate) mod scene;
pub(crate) mod settings;
pub(crate) mod sqlite;
pub(crate) mod subscriber;
pub(crate) mod webhook;

pub(crate) use cleanup::{Folder, folder};
pub(crate) use ports::free_port;
pub(crate) use process::{Server, find, installed};
pub(crate) use wait::{until, until_promised, within};
