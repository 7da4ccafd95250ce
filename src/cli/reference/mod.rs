//! Everything that describes the command line and the settings to people and shells, made from the
//! same values as the parser.

pub(crate) mod completions;
pub(crate) mod help;
mod man_page;
mod settings_page;

pub use man_page::man_page;
pub use settings_page::settings_tables;
