//! A server's configuration: Aphlict's own file, overridden by this program's settings.

pub mod file;
mod object;
mod settings;
mod table;

pub use file::{AphlictFile, AphlictFileError, AphlictListener, AphlictListenerKind};
pub use settings::PhorgeSettings;
pub use table::{PHORGE_PORT, SETTINGS};
