//! The database client: connections, queries, health. It knows no table.
//!
//! Three native drivers stand behind one enum instead of `sqlx::Any`, which knows neither unsigned
//! nor boolean columns. SQL is written once, with `?` and `{p}`, for all engines ([`SqlStatement`]).

mod metrics;
mod tls_mode;
mod url;
mod url_parameters;
pub use metrics::{DatabaseMetrics, QueryResultLabel};
pub use tls_mode::tls_mode;
pub use url::{database_url, show_engine};
mod circuit_breaker;
mod connect_options;
mod connect_plan;
mod create;
mod driver;
mod error;
mod pool;
mod query;
mod row;
mod settings;
mod sql;
mod tls_relay;

pub use circuit_breaker::{FIRST_PAUSE, LONGEST_PAUSE};
pub use create::create;
pub use driver::STATEMENT;
pub use error::{DatabaseClientError, DatabaseProblem};
pub use pool::{ACQUIRE, MAX_AGE, MAX_CONNECTIONS, MAX_IDLE};
pub use query::{Database, PROBE, QueryObserver, RowCallback};
pub use row::SqlRow;
pub use settings::{
    ConnectionOptions, DatabaseAddress, DatabaseEngine, DatabaseServer, DatabaseSettings,
    DatabaseTls, DatabaseTlsMode,
};
pub use sql::{MAX_LIST, SqlStatement, SqlValue};
