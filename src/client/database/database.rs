//! The database as its users see it: statements, rows streamed into a callback, health.

use super::{
    circuit_breaker::{CircuitBreaker, CircuitPermit},
    connect_options,
    driver::{DatabaseDriver, STATEMENT},
    error::{DatabaseClientError, DatabaseTarget, QueryFailure},
    error_log::ErrorLogLimiter,
    pool::{ConnectionPool, PoolError, PooledConnection},
    row::SqlRow,
    settings::{DatabaseEngine, DatabaseSettings},
    sql::{MAX_LIST, PlaceholderStyle, SqlStatement, SqlValue},
};
use crate::health::DependencyState;
use futures_util::StreamExt as _;
use sqlx::{MySqlConnection, PgConnection, SqliteConnection};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};

/// How often an idle database is asked whether it is still there.
pub const PROBE: Duration = Duration::from_secs(30);

/// What takes the rows of a result, one by one, while they stream in. An error ends the query.
pub type RowCallback<'f> = &'f mut (dyn FnMut(&SqlRow<'_>) -> Result<(), sqlx::Error> + Send);

/// A database that may be there or not: queries fail fast while it is away.
pub struct Database {
    pools: EnginePools,
    prefix: String,
    target: DatabaseTarget,
    circuit: CircuitBreaker,
    /// A query went unanswered: whoever tends finds out whether the server is still there.
    probe_requested: Notify,
    error_log: ErrorLogLimiter,
    observe: Option<QueryObserver>,
}

/// Told of each query that ended: how, and how long it took with the wait for a connection.
pub type QueryObserver = Box<dyn Fn(Result<(), &DatabaseClientError>, Duration) + Send + Sync>;

enum EnginePools {
    MySql(ConnectionPool<MySqlConnection>),
    Postgres(ConnectionPool<PgConnection>),
    Sqlite(ConnectionPool<SqliteConnection>),
}

/// The same code for each engine's pool.
macro_rules! with_pool {
    ($database:expr, $pool:ident => $body:expr) => {
        match &$database.pools {
            EnginePools::MySql($pool) => $body,
            EnginePools::Postgres($pool) => $body,
            EnginePools::Sqlite($pool) => $body,
        }
    };
}

impl Database {
    /// Opens nothing yet: an absent server is no error. `rng` spreads the tries of many daemons.
    ///
    /// # Errors
    /// [`DatabaseClientError::Prefix`] when the table prefix can't be one.
    pub fn new(
        settings: &DatabaseSettings,
        rng: fastrand::Rng,
    ) -> Result<Self, DatabaseClientError> {
        if !settings.prefix_is_plain() {
            return Err(DatabaseClientError::Prefix(settings.prefix.clone()));
        }
        let pools = match &settings.engine {
            DatabaseEngine::MySql(server) => {
                EnginePools::MySql(ConnectionPool::new(connect_options::mysql(server)))
            }
            DatabaseEngine::Postgres(server) => {
                EnginePools::Postgres(ConnectionPool::new(connect_options::postgres(server)))
            }
            DatabaseEngine::Sqlite(file) => {
                EnginePools::Sqlite(ConnectionPool::new(connect_options::sqlite(file)))
            }
        };
        Ok(Self {
            pools,
            prefix: settings.prefix.clone(),
            target: DatabaseTarget::of(&settings.engine),
            circuit: CircuitBreaker::new(Instant::now(), rng),
            probe_requested: Notify::new(),
            error_log: ErrorLogLimiter::default(),
            observe: None,
        })
    }

    /// Tells `observe` of each query.
    #[must_use]
    pub fn observed(self, observe: QueryObserver) -> Self {
        Self { observe: Some(observe), ..self }
    }

    /// Makes a `SELECT` fit for this database: `{p}` is the table prefix, `?` a value, `{list}` the
    /// values of an `IN ({list})`.
    pub fn statement(&self, template: &str) -> SqlStatement {
        let style = match self.pools {
            EnginePools::Postgres(_) => PlaceholderStyle::Dollar,
            EnginePools::MySql(_) | EnginePools::Sqlite(_) => PlaceholderStyle::Question,
        };
        SqlStatement::new(template, &self.prefix, style)
    }

    /// Whether the database is there, and since when not; a channel to wait for its return.
    pub fn health(&self) -> watch::Receiver<DependencyState> {
        self.circuit.health()
    }

    /// Runs a statement and hands its rows to `each`. A failed query may have handed on some rows.
    ///
    /// # Errors
    /// See [`DatabaseClientError`]; never later than [`STATEMENT`] plus [`super::ACQUIRE`].
    pub async fn query(
        &self,
        statement: &SqlStatement,
        values: &[SqlValue<'_>],
        each: RowCallback<'_>,
    ) -> Result<(), DatabaseClientError> {
        let (text, begun) = (statement.text(values.len()).0, Instant::now());
        let outcome = with_pool!(self, pool => self.run(pool, text, values, each).await);
        if let Some(observe) = &self.observe {
            observe(outcome.as_ref().copied(), begun.elapsed());
        }
        outcome
    }

    /// Runs a statement with `IN ({list})` over `values` of any number, at most [`MAX_LIST`] at a time.
    ///
    /// # Errors
    /// As [`Database::query`]; what failed is not known, so ask for all of it again.
    pub async fn query_list(
        &self,
        statement: &SqlStatement,
        values: &[SqlValue<'_>],
        each: RowCallback<'_>,
    ) -> Result<(), DatabaseClientError> {
        for chunk in values.chunks(MAX_LIST) {
            let mut padded = chunk.to_vec();
            if let Some(&last) = chunk.last() {
                padded.resize(statement.text(chunk.len()).1, last);
            }
            self.query(statement, &padded, each).await?;
        }
        Ok(())
    }

    /// Keeps an eye on the database until dropped: tries again while it is away, asks after it when
    /// a query went unanswered, closes idle connections. Run it as a core task.
    pub async fn monitor(&self) {
        loop {
            self.probe().await;
            let next = self.circuit.retry_at().unwrap_or_else(|| Instant::now() + PROBE);
            tokio::select! {
                () = self.probe_requested.notified() => {}
                () = sleep_until(next) => {}
            }
            with_pool!(self, pool => pool.close_expired().await);
        }
    }

    /// Finds out now whether the database answers, unless it is not due while it is away.
    pub async fn probe(&self) {
        if let Ok(pass) = self.circuit.admit(Instant::now()) {
            with_pool!(self, pool => self.probe_pool(pool, pass).await);
        }
    }

    async fn probe_pool<C: DatabaseDriver>(&self, pool: &ConnectionPool<C>, pass: CircuitPermit) {
        loop {
            let mut lease = match pool.lease_extra().await {
                Ok(lease) => lease,
                Err(error) => return self.pool_error(pass, &error),
            };
            match timeout(super::ACQUIRE, lease.connection.alive()).await {
                Ok(Ok(())) => {
                    lease.keep();
                    return self.circuit.succeeded(Instant::now());
                }
                Ok(Err(_)) if lease.reused => pool.discard_idle(),
                Ok(Err(error)) => return self.pool_error(pass, &PoolError::Failed(error)),
                Err(_) => return self.pool_error(pass, &PoolError::Silent),
            }
        }
    }

    /// Twice at most: a connection that waited may have died meanwhile without a word.
    async fn run<C: DatabaseDriver>(
        &self,
        pool: &ConnectionPool<C>,
        sql: &Arc<str>,
        values: &[SqlValue<'_>],
        each: RowCallback<'_>,
    ) -> Result<(), DatabaseClientError> {
        let pass = self.circuit.admit(Instant::now()).map_err(DatabaseClientError::Unavailable)?;
        let mut stale = false;
        loop {
            let mut lease = pool.lease().await.map_err(|error| self.unavailable(pass, &error))?;
            let mut rows = 0_usize;
            let answer = stream(&mut lease, sql, values, &mut rows, each);
            let Ok(answer) = timeout(STATEMENT, answer).await else {
                self.probe_requested.notify_one();
                return Err(DatabaseClientError::Unavailable(self.target.too_slow()));
            };
            let Err(error) = answer else {
                lease.keep();
                self.circuit.succeeded(Instant::now());
                return Ok(());
            };
            match self.target.fault(&error) {
                QueryFailure::Lost(_) if lease.reused && rows == 0 && !stale => {
                    stale = true;
                    pool.discard_idle();
                }
                fault => return Err(self.query_failed(pass, fault)),
            }
        }
    }

    fn pool_error(&self, pass: CircuitPermit, error: &PoolError) {
        let why = self.target.pool_error(error);
        self.circuit.failed(pass, &why, Instant::now());
    }

    fn unavailable(&self, pass: CircuitPermit, error: &PoolError) -> DatabaseClientError {
        // Others hold the connections; whether the server answers them is another question.
        if !matches!(error, PoolError::Busy) {
            self.pool_error(pass, error);
        }
        self.probe_requested.notify_one();
        DatabaseClientError::Unavailable(self.target.pool_error(error))
    }

    fn query_failed(&self, pass: CircuitPermit, fault: QueryFailure) -> DatabaseClientError {
        match fault {
            QueryFailure::Lost(why) => {
                self.circuit.failed(pass, &why, Instant::now());
                self.probe_requested.notify_one();
                DatabaseClientError::Unavailable(why)
            }
            QueryFailure::Slow(why) => DatabaseClientError::Unavailable(why),
            QueryFailure::Broken(why) => {
                let now = Instant::now();
                self.circuit.succeeded(now);
                self.error_log.log(&why, now);
                DatabaseClientError::Broken(why)
            }
        }
    }
}

async fn stream<C: DatabaseDriver>(
    lease: &mut PooledConnection<'_, C>,
    sql: &Arc<str>,
    values: &[SqlValue<'_>],
    rows: &mut usize,
    each: RowCallback<'_>,
) -> Result<(), sqlx::Error> {
    let mut stream = lease.connection.rows(sql, values);
    while let Some(row) = stream.next().await {
        let row = row?;
        *rows += 1;
        each(&SqlRow(&*row))?;
    }
    Ok(())
}
