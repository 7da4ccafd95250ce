//! The database as its users see it: statements, rows streamed into a callback, health.

use super::{
    circuit::{Circuit, Pass},
    complaints::Complaints,
    connect,
    driver::{Driver, STATEMENT},
    error::{Fault, StoreError, Target},
    pool::{Lease, NoLease, Pool},
    row::Row,
    settings::{DatabaseSettings, Engine},
    sql::{MAX_LIST, Placeholders, Statement, Value},
};
use crate::health::condition::Condition;
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
pub type Each<'f> = &'f mut (dyn FnMut(&Row<'_>) -> Result<(), sqlx::Error> + Send);

/// A database that may be there or not: queries fail fast while it is away.
pub struct Database {
    pools: Pools,
    prefix: String,
    target: Target,
    circuit: Circuit,
    /// A query went unanswered: whoever tends finds out whether the server is still there.
    doubt: Notify,
    complaints: Complaints,
    observe: Option<Observe>,
}

/// Told of each query that ended: how, and how long it took with the wait for a connection.
pub type Observe = Box<dyn Fn(Result<(), &StoreError>, Duration) + Send + Sync>;

enum Pools {
    MySql(Pool<MySqlConnection>),
    Postgres(Pool<PgConnection>),
    Sqlite(Pool<SqliteConnection>),
}

/// The same code for each engine's pool.
macro_rules! with_pool {
    ($database:expr, $pool:ident => $body:expr) => {
        match &$database.pools {
            Pools::MySql($pool) => $body,
            Pools::Postgres($pool) => $body,
            Pools::Sqlite($pool) => $body,
        }
    };
}

impl Database {
    /// Opens nothing yet: an absent server is no error. `chance` spreads the tries of many daemons.
    ///
    /// # Errors
    /// [`StoreError::Prefix`] when the table prefix can't be one.
    pub fn new(settings: &DatabaseSettings, chance: fastrand::Rng) -> Result<Self, StoreError> {
        if !settings.prefix_is_plain() {
            return Err(StoreError::Prefix(settings.prefix.clone()));
        }
        let pools = match &settings.engine {
            Engine::MySql(server) => Pools::MySql(Pool::new(connect::mysql(server))),
            Engine::Postgres(server) => Pools::Postgres(Pool::new(connect::postgres(server))),
            Engine::Sqlite(file) => Pools::Sqlite(Pool::new(connect::sqlite(file))),
        };
        Ok(Self {
            pools,
            prefix: settings.prefix.clone(),
            target: Target::of(&settings.engine),
            circuit: Circuit::new(Instant::now(), chance),
            doubt: Notify::new(),
            complaints: Complaints::default(),
            observe: None,
        })
    }

    /// Tells `observe` of each query.
    #[must_use]
    pub fn observed(self, observe: Observe) -> Self {
        Self { observe: Some(observe), ..self }
    }

    /// Makes a `SELECT` fit for this database: `{p}` is the table prefix, `?` a value, `{list}` the
    /// values of an `IN ({list})`.
    pub fn statement(&self, template: &str) -> Statement {
        let style = match self.pools {
            Pools::Postgres(_) => Placeholders::Dollar,
            Pools::MySql(_) | Pools::Sqlite(_) => Placeholders::Question,
        };
        Statement::new(template, &self.prefix, style)
    }

    /// Whether the database is there, and since when not; a channel to wait for its return.
    pub fn health(&self) -> watch::Receiver<Condition> {
        self.circuit.health()
    }

    /// Runs a statement and hands its rows to `each`. A failed query may have handed on some rows.
    ///
    /// # Errors
    /// See [`StoreError`]; never later than [`STATEMENT`] plus [`super::ACQUIRE`].
    pub async fn query(
        &self,
        statement: &Statement,
        values: &[Value<'_>],
        each: Each<'_>,
    ) -> Result<(), StoreError> {
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
        statement: &Statement,
        values: &[Value<'_>],
        each: Each<'_>,
    ) -> Result<(), StoreError> {
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
    pub async fn tend(&self) {
        loop {
            self.probe().await;
            let next = self.circuit.retry_at().unwrap_or_else(|| Instant::now() + PROBE);
            tokio::select! {
                () = self.doubt.notified() => {}
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

    async fn probe_pool<C: Driver>(&self, pool: &Pool<C>, pass: Pass) {
        loop {
            let mut lease = match pool.lease_extra().await {
                Ok(lease) => lease,
                Err(error) => return self.no_lease(pass, &error),
            };
            match timeout(super::ACQUIRE, lease.connection.alive()).await {
                Ok(Ok(())) => {
                    lease.keep();
                    return self.circuit.succeeded(Instant::now());
                }
                Ok(Err(_)) if lease.reused => pool.forget_idle(),
                Ok(Err(error)) => return self.no_lease(pass, &NoLease::Failed(error)),
                Err(_) => return self.no_lease(pass, &NoLease::Silent),
            }
        }
    }

    /// Twice at most: a connection that waited may have died meanwhile without a word.
    async fn run<C: Driver>(
        &self,
        pool: &Pool<C>,
        sql: &Arc<str>,
        values: &[Value<'_>],
        each: Each<'_>,
    ) -> Result<(), StoreError> {
        let pass = self.circuit.admit(Instant::now()).map_err(StoreError::Unavailable)?;
        let mut stale = false;
        loop {
            let mut lease = pool.lease().await.map_err(|error| self.unavailable(pass, &error))?;
            let mut rows = 0_usize;
            let answer = stream(&mut lease, sql, values, &mut rows, each);
            let Ok(answer) = timeout(STATEMENT, answer).await else {
                self.doubt.notify_one();
                return Err(StoreError::Unavailable(self.target.too_slow()));
            };
            let Err(error) = answer else {
                lease.keep();
                self.circuit.succeeded(Instant::now());
                return Ok(());
            };
            match self.target.fault(&error) {
                Fault::Lost(_) if lease.reused && rows == 0 && !stale => {
                    stale = true;
                    pool.forget_idle();
                }
                fault => return Err(self.faulty(pass, fault)),
            }
        }
    }

    fn no_lease(&self, pass: Pass, error: &NoLease) {
        let why = self.target.no_lease(error);
        self.circuit.failed(pass, &why, Instant::now());
    }

    fn unavailable(&self, pass: Pass, error: &NoLease) -> StoreError {
        // Others hold the connections; whether the server answers them is another question.
        if !matches!(error, NoLease::Busy) {
            self.no_lease(pass, error);
        }
        self.doubt.notify_one();
        StoreError::Unavailable(self.target.no_lease(error))
    }

    fn faulty(&self, pass: Pass, fault: Fault) -> StoreError {
        match fault {
            Fault::Lost(why) => {
                self.circuit.failed(pass, &why, Instant::now());
                self.doubt.notify_one();
                StoreError::Unavailable(why)
            }
            Fault::Slow(why) => StoreError::Unavailable(why),
            Fault::Broken(why) => {
                let now = Instant::now();
                self.circuit.succeeded(now);
                self.complaints.tell(&why, now);
                StoreError::Broken(why)
            }
        }
    }
}

async fn stream<C: Driver>(
    lease: &mut Lease<'_, C>,
    sql: &Arc<str>,
    values: &[Value<'_>],
    rows: &mut usize,
    each: Each<'_>,
) -> Result<(), sqlx::Error> {
    let mut stream = lease.connection.rows(sql, values);
    while let Some(row) = stream.next().await {
        let row = row?;
        *rows += 1;
        each(&Row(&*row))?;
    }
    Ok(())
}
