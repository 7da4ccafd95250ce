//! Phorge's notification server, Aphlict: a drop-in replacement that differs from the original only where
//! the original fails (`specs/aphlict.md`).

mod address_limit;
pub mod admin_server;
pub mod admission;
mod background;
pub mod command;
pub mod config;
pub mod dialect;
pub mod fingerprint;
pub mod history;
pub mod instance;
pub mod message;
pub mod peers;
pub mod publish_queue;
mod service;
pub mod status;
mod value_digest;

pub use config::PhorgeSettings;
pub use service::{KIND, PhorgeService};
