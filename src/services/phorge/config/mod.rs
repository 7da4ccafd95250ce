//! A server's configuration: Aphlict's own file, overridden by this program's settings.

pub mod file;
mod object;
mod settings;

pub use file::{AphlictFile, AphlictFileError, AphlictListener, AphlictListenerKind};
pub use settings::{CLIENT_PORT, FLAGS, PhorgeSettings, SETTINGS};
