//! Histograms of durations that cost two additions for any number of equal observations.
//!
//! The library's own histogram costs four atomic operations, one of them a loop, for each single
//! observation; a fan-out to thousands observes thousands of equal ones.

use prometheus::{
    core::{Collector, Desc},
    proto,
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Counts durations by upper bounds. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct Histogram {
    inner: Arc<HistogramInner>,
}

#[derive(Debug)]
struct HistogramInner {
    bounds: &'static [u64],
    /// One for each bound, and one beyond the last.
    buckets: Box<[AtomicU64]>,
    /// Microseconds; wraps after half a million years of waiting.
    sum: AtomicU64,
}

impl Histogram {
    /// Upper bounds in microseconds, growing.
    fn new(bounds: &'static [u64]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { inner: Arc::new(HistogramInner { bounds, buckets, sum: AtomicU64::new(0) }) }
    }

    /// Adds one observation.
    pub fn observe(&self, took: Duration) {
        self.observe_many(took, 1);
    }

    /// Adds `many` equal observations.
    pub fn observe_many(&self, took: Duration, many: u64) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = self.inner.bounds.iter().position(|bound| micros <= *bound);
        self.inner.buckets[at.unwrap_or(self.inner.bounds.len())].fetch_add(many, Relaxed);
        self.inner.sum.fetch_add(micros.saturating_mul(many), Relaxed);
    }

    /// The number of observations.
    pub fn count(&self) -> u64 {
        self.inner.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum()
    }

    /// As the library writes it. An observation that happens meanwhile may be in the count and not
    /// yet in the sum; the buckets always agree with the count.
    fn proto(&self) -> proto::Histogram {
        let mut below = 0;
        let mut cumulated = self.inner.buckets.iter().map(|bucket| {
            below += bucket.load(Relaxed);
            below
        });
        let mut buckets = Vec::with_capacity(self.inner.bounds.len());
        for (bound, count) in self.inner.bounds.iter().zip(&mut cumulated) {
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(seconds(*bound));
            bucket.set_cumulative_count(count);
            buckets.push(bucket);
        }
        let count = cumulated.next().unwrap_or(0);
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(count);
        histogram.set_sample_sum(seconds(self.inner.sum.load(Relaxed)));
        histogram
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact for 285 years, then to the next digit")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Histograms under one name that differ in the values of `N` labels.
#[derive(Debug, Clone)]
pub struct HistogramFamily<const N: usize> {
    desc: Desc,
    labels: [&'static str; N],
    bounds: &'static [u64],
    members: Arc<Mutex<Vec<HistogramMember<N>>>>,
}

#[derive(Debug)]
struct HistogramMember<const N: usize> {
    values: [String; N],
    histogram: Histogram,
}

impl<const N: usize> HistogramFamily<N> {
    pub(crate) fn new(
        name: &str,
        help: &str,
        bounds: &'static [u64],
        labels: [&'static str; N],
    ) -> prometheus::Result<Self> {
        let names = labels.map(str::to_owned).to_vec();
        let desc = Desc::new(name.to_owned(), help.to_owned(), names, Default::default())?;
        Ok(Self { desc, labels, bounds, members: Arc::default() })
    }

    /// The member with these values; it is on the page from now on.
    pub fn with(&self, values: [&str; N]) -> Histogram {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = members.iter().find(|known| known.values == values) {
            return known.histogram.clone();
        }
        let histogram = Histogram::new(self.bounds);
        let values = values.map(str::to_owned);
        members.push(HistogramMember { values, histogram: histogram.clone() });
        histogram
    }

    fn metric(&self, member: &HistogramMember<N>) -> proto::Metric {
        let label = |(name, value): (&&str, &String)| {
            let mut pair = proto::LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(value.clone());
            pair
        };
        let labels = self.labels.iter().zip(&member.values).map(label).collect();
        let mut metric = proto::Metric::from_label(labels);
        metric.set_histogram(member.histogram.proto());
        metric
    }
}

impl<const N: usize> Collector for HistogramFamily<N> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics = members.iter().map(|member| self.metric(member));
        let mut family = proto::MetricFamily::default();
        family.set_name(self.desc.fq_name.clone());
        family.set_help(self.desc.help.clone());
        family.set_field_type(proto::MetricType::HISTOGRAM);
        family.set_metric(metrics.collect());
        vec![family]
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::metrics::MetricsRegistry;
    use std::time::Duration;

    #[test]
    fn a_duration_counts_in_its_bucket_and_all_above_and_a_bound_is_inclusive() {
        let metrics = MetricsRegistry::new(None).unwrap();
        let waits = metrics.histogram("wait_seconds", "Waits.", &[100, 1_000_000]).unwrap();
        waits.observe(Duration::from_micros(100));
        waits.observe(Duration::from_micros(101));
        waits.observe(Duration::from_secs(2));
        let expected = "\
            # HELP notify_push_wait_seconds Waits.\n\
            # TYPE notify_push_wait_seconds histogram\n\
            notify_push_wait_seconds_bucket{le=\"0.0001\"} 1\n\
            notify_push_wait_seconds_bucket{le=\"1\"} 2\n\
            notify_push_wait_seconds_bucket{le=\"+Inf\"} 3\n\
            notify_push_wait_seconds_sum 2.000201\n\
            notify_push_wait_seconds_count 3\n";
        assert_eq!(MetricsRegistry::text(&[metrics]).unwrap(), expected);
    }

    #[test]
    fn many_at_once_are_as_many_one_by_one() {
        let metrics = MetricsRegistry::new(None).unwrap();
        let family =
            metrics.histogram_family("wait_seconds", "Waits.", &[10, 20], ["way"]).unwrap();
        family.with(["together"]).observe_many(Duration::from_micros(15), 3);
        for _ in 0..3 {
            family.with(["singly"]).observe(Duration::from_micros(15));
        }
        assert_eq!(family.with(["together"]).count(), 3);
        let text = MetricsRegistry::text(&[metrics]).unwrap();
        let lines = |way: &str| -> Vec<String> {
            let mine = text.lines().filter(|line| line.contains(way));
            mine.map(|line| line.replace(way, "")).collect()
        };
        assert_eq!(lines("together"), lines("singly"));
        assert_eq!(lines("together").len(), 5);
    }
}
