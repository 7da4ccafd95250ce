//! What a server is told: Aphlict's own file, and settings that stand over it.

pub mod file;
mod settings;
mod walk;

pub use file::{AphlictFile, Fault, Server, ServerKind};
pub use settings::{CLIENT_PORT, FLAGS, PhorgeSettings, SETTINGS};
