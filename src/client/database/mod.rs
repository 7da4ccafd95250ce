//! Opens the database pool; knows no table.
//!
//! Three native drivers behind one enum rather than `sqlx::Any`, which knows neither unsigned nor
//! boolean columns; SQL is written once, with `?` and `{p}`, and made fit for the engine ([`Statement`]).

mod metrics;
mod tls_mode;
mod url;
pub use metrics::{Query, StoreMetrics};
pub use tls_mode::tls_mode;
pub use url::{database_url, show_engine};
mod circuit;
mod complaints;
mod connect;
mod database;
mod driver;
mod error;
mod pool;
mod row;
mod scratch;
mod settings;
mod sql;

pub use circuit::{FIRST_PAUSE, LONGEST_PAUSE};
pub use database::{Database, Each, Observe, PROBE};
pub use driver::STATEMENT;
pub use error::StoreError;
pub use pool::{ACQUIRE, MAX_AGE, MAX_CONNECTIONS, MAX_IDLE};
pub use row::Row;
pub use scratch::create;
pub use settings::{DatabaseSettings, DatabaseTls, Engine, Server, ServerAddress, TlsMode};
pub use sql::{MAX_LIST, Statement, Value};
