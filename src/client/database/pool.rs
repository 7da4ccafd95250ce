//! A small connection pool: a connection that isn't returned after a complete query is closed.

use super::{
    connect_plan::{ConnectPlan, PlannedConnection},
    driver::DatabaseDriver,
};
use parking_lot::{Mutex, MutexGuard};
use std::{mem, time::Duration};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

/// Most connections at a time; further callers wait up to [`ACQUIRE`].
pub const MAX_CONNECTIONS: usize = 6;

/// How long a caller waits for a connection, including the time to open one.
pub const ACQUIRE: Duration = Duration::from_secs(3);

/// A connection unused for this long is closed: below the usual `wait_timeout` of servers and proxies.
pub const MAX_IDLE: Duration = Duration::from_mins(5);

/// A connection this old is closed after its query, so that the daemon follows a server that moved.
pub const MAX_AGE: Duration = Duration::from_mins(30);

/// Connections and the permits for them. sqlx's own pool sends two more requests around each query,
/// retries a refused connection until the wait is over, keeps the permit of a query that hangs, and
/// spawns tasks.
pub(super) struct ConnectionPool<C: DatabaseDriver> {
    plan: ConnectPlan<C>,
    permits: Semaphore,
    idle: Mutex<Vec<IdleConnection<C>>>,
}

struct IdleConnection<C> {
    connection: PlannedConnection<C>,
    born: Instant,
    since: Instant,
}

/// A connection in use. Dropped without [`PooledConnection::keep`] it is closed, since its state is
/// unknown.
pub(super) struct PooledConnection<'p, C: DatabaseDriver> {
    pub(super) connection: PlannedConnection<C>,
    /// It comes from the pool and may have gone stale.
    pub(super) reused: bool,
    born: Instant,
    pool: &'p ConnectionPool<C>,
    _permit: Option<SemaphorePermit<'p>>,
}

/// Why the pool gives no connection.
#[derive(Debug)]
pub(super) enum PoolError {
    /// No permit was returned in time.
    Busy,
    /// The server didn't complete the login in time.
    Timeout,
    /// Opening it failed.
    Failed(sqlx::Error),
}

impl<C: DatabaseDriver> ConnectionPool<C> {
    /// A pool of at most `max` connections, and never more than [`MAX_CONNECTIONS`].
    pub(super) fn new(plan: ConnectPlan<C>, max: usize) -> Self {
        let permits = Semaphore::new(max.clamp(1, MAX_CONNECTIONS));
        Self { plan, permits, idle: Mutex::default() }
    }

    /// The connection used last, or a new one.
    pub(super) async fn lease(&self) -> Result<PooledConnection<'_, C>, PoolError> {
        let deadline = Instant::now() + ACQUIRE;
        let permit = match timeout_at(deadline, self.permits.acquire()).await {
            Ok(Ok(permit)) => permit,
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => return Err(PoolError::Busy),
        };
        self.open(deadline, Some(permit)).await
    }

    /// A connection beyond the limit, to probe the server when all others hang.
    pub(super) async fn lease_extra(&self) -> Result<PooledConnection<'_, C>, PoolError> {
        self.open(Instant::now() + ACQUIRE, None).await
    }

    async fn open<'p>(
        &'p self,
        deadline: Instant,
        permit: Option<SemaphorePermit<'p>>,
    ) -> Result<PooledConnection<'p, C>, PoolError> {
        if let Some(IdleConnection { connection, born, .. }) = self.pop() {
            return Ok(PooledConnection {
                connection,
                reused: true,
                born,
                pool: self,
                _permit: permit,
            });
        }
        match timeout_at(deadline, Box::pin(self.plan.open())).await {
            Ok(Ok(connection)) => {
                let born = Instant::now();
                Ok(PooledConnection {
                    connection,
                    reused: false,
                    born,
                    pool: self,
                    _permit: permit,
                })
            }
            Ok(Err(error)) => Err(PoolError::Failed(error)),
            Err(_) => Err(PoolError::Timeout),
        }
    }

    fn pop(&self) -> Option<IdleConnection<C>> {
        let now = Instant::now();
        let mut idle = self.idle();
        // The connection used last is the freshest: when it has expired, so have the others. Where it is
        // only too old, the others are closed with it and soon replaced.
        let last = idle.pop()?;
        let expired = if last.expired(now) { mem::take(&mut *idle) } else { Vec::new() };
        drop(idle);
        drop(expired);
        (!last.expired(now)).then_some(last)
    }

    /// Drops all idle connections, because one of them turned out to be dead.
    pub(super) fn discard_idle(&self) {
        let forgotten = mem::take(&mut *self.idle());
        drop(forgotten);
    }

    /// Closes the connections that were idle for too long.
    pub(super) async fn close_expired(&self) {
        let now = Instant::now();
        let expired: Vec<_> = self.idle().extract_if(.., |idle| idle.expired(now)).collect();
        for idle in expired {
            // A server that doesn't take leave in time is left without.
            let _ = tokio::time::timeout(ACQUIRE, idle.connection.close()).await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<IdleConnection<C>>> {
        self.idle.lock()
    }
}

impl<C> IdleConnection<C> {
    fn expired(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) > MAX_IDLE
            || now.saturating_duration_since(self.born) > MAX_AGE
    }
}

impl<C: DatabaseDriver> PooledConnection<'_, C> {
    /// Returns the connection to the pool: its query is complete.
    pub(super) fn keep(self) {
        let Self { connection, born, pool, .. } = self;
        let mut idle = pool.idle();
        if idle.len() < MAX_CONNECTIONS {
            idle.push(IdleConnection { connection, born, since: Instant::now() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        ACQUIRE, ConnectPlan, ConnectionPool, MAX_AGE, MAX_CONNECTIONS, MAX_IDLE, PoolError,
    };
    use futures_util::future::join_all;
    use sqlx::{SqliteConnection, sqlite::SqliteConnectOptions};
    use std::time::Duration;
    use tokio::time;

    fn with_limit(max: usize) -> ConnectionPool<SqliteConnection> {
        let options = SqliteConnectOptions::new().in_memory(true);
        ConnectionPool::new(ConnectPlan::direct(options), max)
    }

    fn pool() -> ConnectionPool<SqliteConnection> {
        with_limit(MAX_CONNECTIONS)
    }

    /// Advances the paused clock.
    async fn later(time: Duration) {
        time::pause();
        time::advance(time).await;
        time::resume();
    }

    #[tokio::test]
    async fn a_returned_connection_is_reused() {
        let pool = pool();
        let lease = pool.lease().await.expect("in memory");
        assert!(!lease.reused);
        lease.keep();
        assert!(pool.lease().await.expect("in memory").reused);
        assert!(!pool.lease().await.expect("in memory").reused, "the one before was dropped");
    }

    #[tokio::test]
    async fn the_number_of_connections_is_limited() {
        let pool = pool();
        let leases = join_all((0..MAX_CONNECTIONS).map(|_| pool.lease())).await;
        assert!(leases.iter().all(Result::is_ok));
        time::pause();
        assert!(matches!(pool.lease().await, Err(PoolError::Busy)));
        time::resume();
        assert!(pool.lease_extra().await.is_ok(), "a probe is beyond the limit");
        drop(leases);
        assert!(time::timeout(ACQUIRE * 2, pool.lease()).await.expect("a permit").is_ok());
    }

    #[tokio::test]
    async fn a_lower_limit_holds() {
        let pool = with_limit(1);
        let lease = pool.lease().await;
        assert!(lease.is_ok());
        time::pause();
        assert!(matches!(pool.lease().await, Err(PoolError::Busy)));
    }

    #[tokio::test]
    async fn idle_and_old_connections_are_closed() {
        let pool = pool();
        pool.lease().await.expect("in memory").keep();
        later(MAX_IDLE / 2).await;
        pool.close_expired().await;
        assert_eq!(pool.idle().len(), 1);
        later(MAX_IDLE).await;
        pool.close_expired().await;
        assert_eq!(pool.idle().len(), 0);
        let lease = pool.lease().await.expect("in memory");
        later(MAX_AGE + MAX_IDLE).await;
        lease.keep();
        assert!(!pool.lease().await.expect("in memory").reused, "too old");
    }

    #[tokio::test]
    async fn a_dead_idle_connection_discards_all() {
        let pool = pool();
        for lease in join_all((0..3).map(|_| pool.lease())).await {
            lease.expect("in memory").keep();
        }
        assert_eq!(pool.idle().len(), 3);
        pool.discard_idle();
        assert!(!pool.lease().await.expect("in memory").reused);
    }
}
