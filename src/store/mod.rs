//! Opens the database pool; knows no table.

mod settings;

pub use settings::{DatabaseSettings, DatabaseTls, Engine, Server, ServerAddress, TlsMode};
