//! Metrics of the database client: all queries, and among them storage lookups.

use crate::telemetry::metrics::{
    Counter, Histogram, LabeledCounters, MetricsError, MetricsRegistry, label::labels,
};
use std::time::Duration;

labels! {
    /// How a query ended.
    pub QueryResultLabel {
        /// All its rows arrived.
        Answered = "answered",
        /// The database is down or was too slow.
        Unavailable = "unavailable",
        /// The database refused it: a missing table, column or right.
        Refused = "refused",
    }
}

/// Counters of queries; storage lookups are counted apart.
#[derive(Debug)]
pub struct DatabaseMetrics {
    /// Storage lookups: queries for the mounts of a storage or a user.
    pub mapping_queries: Counter,
    /// Storage lookups that failed.
    pub mapping_errors: Counter,
    mapping: Histogram,
    /// All queries by result.
    pub queries: LabeledCounters<QueryResultLabel>,
    duration: Histogram,
}

const QUERY_MICROS: &[u64] =
    &[500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

impl DatabaseMetrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn register(metrics: &MetricsRegistry) -> Result<Self, MetricsError> {
        const MAPPING: &str = "Duration of storage lookups, including the wait for a connection.";
        const DURATION: &str = "Duration of queries, including the wait for a connection.";
        const FAILED: &str = "Storage lookups that failed.";
        let mapping_queries = metrics.counter(
            "mapping_queries_total",
            "Storage lookups: queries for the users of a storage.",
        )?;
        Ok(Self {
            mapping_queries,
            mapping_errors: metrics.counter("mapping_query_errors_total", FAILED)?,
            mapping: metrics.histogram("mapping_query_seconds", MAPPING, QUERY_MICROS)?,
            queries: metrics.counters("database_queries_total", "Queries.", "outcome")?,
            duration: metrics.histogram("database_query_seconds", DURATION, QUERY_MICROS)?,
        })
    }

    /// Counts a storage lookup.
    pub fn queried(&self, ok: bool, took: Duration) {
        self.mapping_queries.inc();
        self.mapping.observe(took);
        if !ok {
            self.mapping_errors.inc();
        }
    }

    /// Counts a query.
    pub fn ended(&self, how: QueryResultLabel, took: Duration) {
        self.queries.inc(how);
        self.duration.observe(took);
    }
}
