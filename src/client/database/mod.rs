//! Opens the database pool; knows no table.
//!
//! Three native drivers behind one enum rather than `sqlx::Any`, which knows neither unsigned nor
//! boolean columns; SQL is written once, with `?` and `{p}`, and made fit for the engine ([`SqlStatement`]).

mod metrics;
mod tls_mode;
mod url;
pub use metrics::{DatabaseMetrics, QueryResultLabel};
pub use tls_mode::tls_mode;
pub use url::{database_url, show_engine};
mod circuit_breaker;
mod connect_options;
mod create;
mod database;
mod driver;
mod error;
mod error_log;
mod pool;
mod row;
mod settings;
mod sql;

pub use circuit_breaker::{FIRST_PAUSE, LONGEST_PAUSE};
pub use create::create;
pub use database::{Database, PROBE, QueryObserver, RowCallback};
pub use driver::STATEMENT;
pub use error::DatabaseClientError;
pub use pool::{ACQUIRE, MAX_AGE, MAX_CONNECTIONS, MAX_IDLE};
pub use row::SqlRow;
pub use settings::{
    DatabaseAddress, DatabaseEngine, DatabaseServer, DatabaseSettings, DatabaseTls, DatabaseTlsMode,
};
pub use sql::{MAX_LIST, SqlStatement, SqlValue};
