//! What is counted of looking up who sees a place.

use super::{Counter, Histogram, Metrics, MetricsError};
use std::time::Duration;

/// Held by whoever reads mounts from the database.
#[derive(Debug)]
pub struct StoreMetrics {
    /// Queries for the mounts of a storage or a user.
    pub mapping_queries: Counter,
    /// Those of them that failed.
    pub mapping_errors: Counter,
    duration: Histogram,
}

const QUERY_MICROS: &[u64] =
    &[500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

impl StoreMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn register(metrics: &Metrics) -> Result<Self, MetricsError> {
        let mapping_queries =
            metrics.counter("mapping_queries_total", "Queries for who sees a storage.")?;
        let mapping_errors =
            metrics.counter("mapping_query_errors_total", "Those queries that failed.")?;
        const DURATION: &str = "Time those queries took, waiting for a connection included.";
        let duration = metrics.histogram("mapping_query_seconds", DURATION, QUERY_MICROS)?;
        Ok(Self { mapping_queries, mapping_errors, duration })
    }

    /// A query has ended.
    pub fn queried(&self, ok: bool, took: Duration) {
        self.mapping_queries.inc();
        self.duration.observe(took);
        if !ok {
            self.mapping_errors.inc();
        }
    }
}
