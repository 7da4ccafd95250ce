//! The checks of a Nextcloud installation, one file each.

pub(super) mod app;
pub(super) mod clock;
pub(super) mod daemon;
pub(super) mod database;
pub(super) mod delivery;
pub(super) mod endpoint;
pub(super) mod events;
pub(super) mod idle;
pub(super) mod login;
pub(super) mod mounts;
pub(super) mod nextcloud;
pub(super) mod privileges;
pub(super) mod proxies;
pub(super) mod redis;
pub(super) mod tables;
