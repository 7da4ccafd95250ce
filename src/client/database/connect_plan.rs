//! The ways to connect to a database, in the order in which they are tried.

use super::{
    connect_options,
    driver::DatabaseDriver,
    row::SqlRow,
    settings::{DatabaseServer, DatabaseTlsMode},
    sql::SqlValue,
    tls_relay::{RelayProtocol, RelayTask, TlsRelay},
};
use futures_util::{StreamExt as _, future::FusedFuture as _};
use sqlx::{Error, MySqlConnection, PgConnection};
use std::{
    io::ErrorKind,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The ways to one server. Where the TLS of one fails, the next is tried; the one that worked last comes
/// first the next time.
pub(super) struct ConnectPlan<C: DatabaseDriver> {
    attempts: Vec<ConnectAttempt<C>>,
    preferred: AtomicUsize,
}

enum ConnectAttempt<C: DatabaseDriver> {
    /// With sqlx's own TLS, or without TLS.
    Direct(C::Options),
    /// With the daemon's TLS.
    Relayed(Box<TlsRelay>, MakeOptions<C>),
}

type MakeOptions<C> = fn(&DatabaseServer) -> <C as sqlx::Connection>::Options;

/// A connection, with the relay that it needs to make progress.
pub(super) struct PlannedConnection<C> {
    connection: C,
    relay: Option<RelayTask>,
}

impl<C: DatabaseDriver> ConnectPlan<C> {
    /// One way only.
    pub(super) fn direct(options: C::Options) -> Self {
        Self { attempts: vec![ConnectAttempt::Direct(options)], preferred: AtomicUsize::new(0) }
    }

    fn with_fallbacks(
        server: &DatabaseServer,
        options: MakeOptions<C>,
        protocol: RelayProtocol,
        seed: u64,
    ) -> Self {
        let mut plan = Self::direct(options(server));
        if server.tls.mode != DatabaseTlsMode::Disable {
            let relay = TlsRelay::new(protocol, server.clone(), seed);
            plan.attempts.push(ConnectAttempt::Relayed(Box::new(relay), options));
        }
        // libpq does so, and PHP's driver for MySQL uses no TLS by default.
        if server.tls.mode == DatabaseTlsMode::Prefer {
            let mut plain = server.clone();
            plain.tls.mode = DatabaseTlsMode::Disable;
            plan.attempts.push(ConnectAttempt::Direct(options(&plain)));
        }
        plan
    }

    /// Connects by the first way that works.
    ///
    /// # Errors
    /// The error of the first attempt whose TLS failed, else the error that ended the attempts.
    pub(super) async fn open(&self) -> Result<PlannedConnection<C>, Error> {
        let (start, count) = (self.preferred.load(Ordering::Relaxed), self.attempts.len());
        let mut first = None;
        for index in (0..count).map(|step| (start + step) % count) {
            match self.attempts[index].open().await {
                Ok(connection) => {
                    if index != start {
                        self.changed(index, first.as_ref());
                    }
                    return Ok(connection);
                }
                Err(error) if is_tls_failure(&error) || C::is_refused_with_tls(&error) => {
                    first.get_or_insert(error);
                }
                Err(error) => return Err(first.unwrap_or(error)),
            }
        }
        Err(first.unwrap_or_else(|| Error::Configuration("no way to connect".into())))
    }

    fn changed(&self, index: usize, error: Option<&Error>) {
        self.preferred.store(index, Ordering::Relaxed);
        let error = error.map(ToString::to_string).unwrap_or_default();
        let last = self.attempts.len() - 1;
        if index == last && matches!(self.attempts[last], ConnectAttempt::Direct(_)) {
            tracing::warn!(
                "the connection to the database is not encrypted, since TLS failed: {error}"
            );
        } else {
            tracing::debug!("connected to the database with other TLS than before: {error}");
        }
    }
}

impl ConnectPlan<MySqlConnection> {
    pub(super) fn mysql(server: &DatabaseServer, seed: u64) -> Self {
        Self::with_fallbacks(server, connect_options::mysql, RelayProtocol::MySql, seed)
    }
}

impl ConnectPlan<PgConnection> {
    pub(super) fn postgres(server: &DatabaseServer, seed: u64) -> Self {
        Self::with_fallbacks(server, connect_options::postgres, RelayProtocol::Postgres, seed)
    }
}

impl<C: DatabaseDriver> ConnectAttempt<C> {
    async fn open(&self) -> Result<PlannedConnection<C>, Error> {
        match self {
            Self::Direct(options) => {
                Ok(PlannedConnection { connection: C::open(options).await?, relay: None })
            }
            Self::Relayed(relay, options) => {
                let (mut task, server) = relay.start()?;
                let options = options(&server);
                let mut connecting = C::open(&options);
                let connection = tokio::select! {
                    biased;
                    // Its error says more than the end of the connection, which sqlx sees.
                    ended = &mut task => match ended {
                        Err(error) => return Err(error),
                        Ok(()) => connecting.await?,
                    },
                    connected = &mut connecting => connected?,
                };
                Ok(PlannedConnection { connection, relay: Some(task) })
            }
        }
    }
}

impl<C: DatabaseDriver> PlannedConnection<C> {
    /// Runs a query and passes its rows to `each`.
    ///
    /// # Errors
    /// The query failed, or `each` did.
    pub(super) async fn each_row(
        &mut self,
        sql: &Arc<str>,
        values: &[SqlValue<'_>],
        mut each: impl FnMut(&SqlRow<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Self { connection, relay } = self;
        let mut rows = connection.rows(sql, values);
        drive(relay, async {
            while let Some(row) = rows.next().await {
                each(&SqlRow(&*row?))?;
            }
            Ok(())
        })
        .await
    }

    /// Checks that the server answers.
    ///
    /// # Errors
    /// It doesn't.
    pub(super) async fn alive(&mut self) -> Result<(), Error> {
        drive(&mut self.relay, self.connection.alive()).await
    }

    /// Takes leave of the server.
    ///
    /// # Errors
    /// The connection is gone already.
    pub(super) async fn close(mut self) -> Result<(), Error> {
        drive(&mut self.relay, self.connection.close()).await
    }
}

/// Polls the relay while `work` needs it. When the relay ends, `work` finds its connection closed.
async fn drive<T>(relay: &mut Option<RelayTask>, work: impl Future<Output = T>) -> T {
    let Some(relay) = relay.as_mut().filter(|relay| !relay.is_terminated()) else {
        return work.await;
    };
    let mut work = pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        ended = relay => {
            if let Err(error) = ended {
                tracing::debug!("the TLS connection to the database ended: {error}");
            }
        }
    }
    work.await
}

/// Whether an attempt failed because of TLS, as far as that can be told: a server that refuses the
/// handshake may just close the connection.
fn is_tls_failure(error: &Error) -> bool {
    match error {
        Error::Tls(_) => true,
        Error::Io(error) => {
            matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
        }
        _ => false,
    }
}
