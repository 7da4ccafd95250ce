//! Settings in layers: default < config.php < environment < command line.
//!
//! [`crate::cli::load()`] is handed everything as values: arguments, environment, `.env`, and how to read the
//! host's own file, which this module knows only as a [`FileLayer`].

pub(crate) mod recent_map;
pub mod secret;
pub mod service_entry;
pub use service_entry::{ServiceEntry, ServiceName, ServiceRoute};
pub mod read;
pub mod url;

pub mod change;

mod environment;
mod error;

pub mod layers;
pub mod service_kind;
pub mod services_file;

pub mod parse;
pub mod report;

pub mod setting;

mod source;

pub use change::{ChangeEffect, SettingChange};

pub use environment::EnvironmentVariables;
pub use error::ConfigError;

pub use layers::{ReadFile, SettingLayers, read_text};
pub use parse::{header, network};
pub use report::{SettingRow, SettingsReport};
pub use service_kind::{
    DEFAULT_PORT, ServiceAction, ServiceConfigRequest, ServiceFlag, ServiceKind,
};
pub use setting::{INSTANCE, Setting, SettingKind};
pub use source::{ConfigFileValue, SettingSource, SourcedValue};
