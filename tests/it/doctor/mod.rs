//! `notify_push doctor`: its findings and remedies in a complete installation.

mod command;
mod database;
mod fixture;
mod nextcloud;
mod proxies;
mod redis;
mod text;
