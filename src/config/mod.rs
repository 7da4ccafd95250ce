//! Settings: declared once in tables, read in layers (default < service's own file < services file <
//! environment file < environment < command line), reported and compared as rows.
//!
//! [`crate::cli::load()`] gets arguments, environment and access to files as values, so that tests
//! decide what is there.

pub mod change;
mod environment;
mod error;
pub mod layers;
mod nearest;
pub mod parse;
mod probes;
pub mod read;
pub mod report;
pub mod secret;
pub mod service_entry;
pub mod service_kind;
pub mod services_file;
pub mod setting;
mod source;
pub mod url;

pub use change::{ChangeEffect, SettingChange, apply_rows};
pub use environment::EnvironmentVariables;
pub use error::ConfigError;
pub(crate) use error::repeated;
pub use layers::SettingLayers;
pub(crate) use nearest::nearest;
pub use parse::{ValueFault, header, network};
pub use probes::{ReadFile, SystemProbes, read_text};
pub use report::{SettingRow, SettingsReport};
pub use service_entry::{ServiceEntry, ServiceName, ServiceRoute};
pub use service_kind::{ServiceAction, ServiceConfigRequest, ServiceKind};
pub use setting::{Setting, SettingKind};
pub use source::{ConfigFileValue, SettingSource, SourcedValue};
