//! What a server is told: Aphlict's own file, and settings that stand over it.

pub mod file;
mod object;
mod settings;

pub use file::{AphlictFile, AphlictFileError, AphlictListener, AphlictListenerKind};
pub use settings::{CLIENT_PORT, FLAGS, PhorgeSettings, SETTINGS};
