//! What is counted of the database: all queries, and among them those for who sees a place.

use crate::telemetry::metrics::{
    Counter, Histogram, LabeledCounters, MetricsError, MetricsRegistry, label::labels,
};
use std::time::Duration;

labels! {
    /// How a query ended.
    pub QueryResultLabel {
        /// All its rows came.
        Answered = "answered",
        /// The database is away, or was too slow.
        Unavailable = "unavailable",
        /// The database refused it: a missing table, column or right.
        Refused = "refused",
    }
}

/// Held by the database and by whoever reads mounts from it.
#[derive(Debug)]
pub struct DatabaseMetrics {
    /// Queries for the mounts of a storage or a user.
    pub mapping_queries: Counter,
    /// Those of them that failed.
    pub mapping_errors: Counter,
    mapping: Histogram,
    /// All queries.
    pub queries: LabeledCounters<QueryResultLabel>,
    duration: Histogram,
}

const QUERY_MICROS: &[u64] =
    &[500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

impl DatabaseMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn register(metrics: &MetricsRegistry) -> Result<Self, MetricsError> {
        const MAPPING: &str = "Time queries for who sees a storage took, waiting included.";
        const DURATION: &str = "Time queries took, waiting for a connection included.";
        const FAILED: &str = "Queries for who sees a storage that failed.";
        let mapping_queries =
            metrics.counter("mapping_queries_total", "Queries for who sees a storage.")?;
        Ok(Self {
            mapping_queries,
            mapping_errors: metrics.counter("mapping_query_errors_total", FAILED)?,
            mapping: metrics.histogram("mapping_query_seconds", MAPPING, QUERY_MICROS)?,
            queries: metrics.counters("database_queries_total", "Queries.", "outcome")?,
            duration: metrics.histogram("database_query_seconds", DURATION, QUERY_MICROS)?,
        })
    }

    /// A query for who sees a storage has ended.
    pub fn queried(&self, ok: bool, took: Duration) {
        self.mapping_queries.inc();
        self.mapping.observe(took);
        if !ok {
            self.mapping_errors.inc();
        }
    }

    /// Any query has ended.
    pub fn ended(&self, how: QueryResultLabel, took: Duration) {
        self.queries.inc(how);
        self.duration.observe(took);
    }
}
