//! `notify_push doctor`: what it finds in a whole installation, and what mends it.

mod command;
mod database;
mod nextcloud;
mod proxies;
mod redis;
mod text;
mod ward;
