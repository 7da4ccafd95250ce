//! The database as its users call it: statements, rows streamed into a callback, health.

use super::{
    circuit_breaker::{CircuitBreaker, CircuitPermit},
    connect_options,
    connect_plan::ConnectPlan,
    driver::{DatabaseDriver, STATEMENT},
    error::{DatabaseClientError, DatabaseProblem, DatabaseTarget, QueryFailure},
    pool::{ConnectionPool, MAX_CONNECTIONS, PoolError},
    row::SqlRow,
    settings::{DatabaseEngine, DatabaseServer, DatabaseSettings},
    sql::{MAX_LIST, SqlStatement, SqlValue},
};
use crate::{client::LogLimiter, health::DependencyState};
use parking_lot::Mutex;
use sqlx::{MySqlConnection, PgConnection, SqliteConnection};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};

/// How often an idle database is probed.
pub const PROBE: Duration = Duration::from_secs(30);

/// The same problem with the tables is logged once per interval.
const LOG_INTERVAL: Duration = Duration::from_mins(10);

/// Receives the rows of a result one by one while they stream in. An error ends the query.
pub type RowCallback<'f> = &'f mut (dyn FnMut(&SqlRow<'_>) -> Result<(), sqlx::Error> + Send);

/// A database client whose queries fail fast while the server is unreachable.
pub struct Database {
    pools: EnginePools,
    prefix: String,
    target: DatabaseTarget,
    circuit: CircuitBreaker,
    /// A query went unanswered: [`Database::monitor`] probes the server at once.
    probe_requested: Notify,
    log_limiter: Mutex<LogLimiter<DatabaseProblem>>,
    observe: Option<QueryObserver>,
}

/// Called after each query with its result and its time, including the wait for a connection.
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
    /// Opens no connection yet, so an absent server is no error. `rng` spreads the attempts of many
    /// daemons.
    ///
    /// # Errors
    /// [`DatabaseClientError::Prefix`] when the table prefix can't be one.
    pub fn new(
        settings: &DatabaseSettings,
        mut rng: fastrand::Rng,
    ) -> Result<Self, DatabaseClientError> {
        if !settings.prefix_is_plain() {
            return Err(DatabaseClientError::Prefix(settings.prefix.clone()));
        }
        let seed = rng.u64(..);
        let pools = match &settings.engine {
            DatabaseEngine::MySql(server) => {
                let plan = ConnectPlan::mysql(server, seed);
                EnginePools::MySql(ConnectionPool::new(plan, limit(server)))
            }
            DatabaseEngine::Postgres(server) => {
                let plan = ConnectPlan::postgres(server, seed);
                EnginePools::Postgres(ConnectionPool::new(plan, limit(server)))
            }
            DatabaseEngine::Sqlite(file) => {
                let plan = ConnectPlan::direct(connect_options::sqlite(file));
                EnginePools::Sqlite(ConnectionPool::new(plan, MAX_CONNECTIONS))
            }
        };
        Ok(Self {
            pools,
            prefix: settings.prefix.clone(),
            target: DatabaseTarget::of(&settings.engine),
            circuit: CircuitBreaker::new(Instant::now(), rng),
            probe_requested: Notify::new(),
            log_limiter: Mutex::new(LogLimiter::new(LOG_INTERVAL)),
            observe: None,
        })
    }

    /// Calls `observe` after each query.
    #[must_use]
    pub fn observed(self, observe: QueryObserver) -> Self {
        Self { observe: Some(observe), ..self }
    }

    /// Prepares the text of a `SELECT` for this database: `{p}` is the table prefix, `?` a value, `{list}` the
    /// values of an `IN ({list})`.
    pub fn statement(&self, template: &str) -> SqlStatement {
        SqlStatement::new(template, &self.prefix)
    }

    /// The state of the database, and a channel to wait for changes.
    pub fn health(&self) -> watch::Receiver<DependencyState> {
        self.circuit.health()
    }

    /// Runs a statement and passes its rows to `each`. A query that fails may have passed some.
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
    /// As [`Database::query`]; it isn't known which part failed, so repeat all of it.
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

    /// Monitors the database until dropped: reconnects after an outage, probes it when a query went
    /// unanswered, closes idle connections. Run it as a core task.
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

    /// Probes the database now, unless it is down and the next attempt isn't due.
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
                Err(_) => return self.pool_error(pass, &PoolError::Timeout),
            }
        }
    }

    /// Tries twice at most: an idle connection may have died unnoticed.
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
            let counted = |row: &SqlRow<'_>| {
                rows += 1;
                each(row)
            };
            let answer = lease.connection.each_row(sql, values, counted);
            let Ok(answer) = timeout(STATEMENT, answer).await else {
                self.probe_requested.notify_one();
                return Err(DatabaseClientError::Unavailable(self.target.too_slow()));
            };
            let Err(error) = answer else {
                lease.keep();
                self.circuit.succeeded(Instant::now());
                return Ok(());
            };
            match self.target.query_failure(&error) {
                QueryFailure::Lost(_) if lease.reused && rows == 0 && !stale => {
                    stale = true;
                    pool.discard_idle();
                }
                failure => return Err(self.query_failed(pass, failure)),
            }
        }
    }

    fn pool_error(&self, pass: CircuitPermit, error: &PoolError) {
        let why = self.target.pool_error(error);
        self.circuit.failed(pass, &why, Instant::now());
    }

    fn unavailable(&self, pass: CircuitPermit, error: &PoolError) -> DatabaseClientError {
        // All connections are in use; that says nothing about the server.
        if !matches!(error, PoolError::Busy) {
            self.pool_error(pass, error);
        }
        self.probe_requested.notify_one();
        DatabaseClientError::Unavailable(self.target.pool_error(error))
    }

    fn query_failed(&self, pass: CircuitPermit, failure: QueryFailure) -> DatabaseClientError {
        match failure {
            QueryFailure::Lost(why) => {
                self.circuit.failed(pass, &why, Instant::now());
                self.probe_requested.notify_one();
                DatabaseClientError::Unavailable(why)
            }
            QueryFailure::Slow(why) => DatabaseClientError::Unavailable(why),
            QueryFailure::Permanent(problem) => {
                let now = Instant::now();
                self.circuit.succeeded(now);
                if self.log_limiter.lock().should_log(problem.clone(), now) {
                    tracing::error!("the database can't be used: {problem}");
                }
                DatabaseClientError::Misconfigured(problem)
            }
        }
    }
}

fn limit(server: &DatabaseServer) -> usize {
    server.options.max_connections.unwrap_or(MAX_CONNECTIONS)
}
