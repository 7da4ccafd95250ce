//! Registers instruments under the prefix `notify_push_`.

use super::{
    histogram::{Histogram, HistogramFamily},
    instruments::{Counter, CounterFamily, Gauge, StateGauge},
    label::{LabeledCounters, MetricLabel},
    polled_gauge::{GaugeReader, PolledGauge},
};
use prometheus::{
    IntCounter, IntCounterVec, IntGauge, Opts, TextEncoder, core::Collector, proto::MetricFamily,
};
use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    sync::Arc,
};

const PREFIX: &str = "notify_push";

/// A registry handed to each part for its own few instruments.
///
/// Labelled instruments are resolved when they are registered; counting looks nothing up.
#[derive(Debug, Clone)]
pub struct MetricsRegistry {
    registry: prometheus::Registry,
}

/// A name registered twice or not allowed: a mistake in the program, found at the start.
#[derive(Debug, thiserror::Error)]
#[error("metric {name} can't be registered")]
pub struct MetricsError {
    name: &'static str,
    source: prometheus::Error,
}

impl MetricsRegistry {
    /// An empty registry. With a name, all its metrics have the label `service`.
    ///
    /// # Errors
    /// Never with the prefix as it is; the crate below checks it.
    pub fn new(service: Option<&str>) -> Result<Self, MetricsError> {
        let labels = service.map(|name| HashMap::from([("service".to_owned(), name.to_owned())]));
        let registry = prometheus::Registry::new_custom(Some(PREFIX.to_owned()), labels)
            .map_err(|source| MetricsError { name: PREFIX, source })?;
        Ok(Self { registry })
    }

    /// A counter; its name ends in `_total`.
    ///
    /// # Errors
    /// [`MetricsError`], as for all below.
    pub fn counter(&self, name: &'static str, help: &str) -> Result<Counter, MetricsError> {
        self.register(name, IntCounter::new(name, help)).map(Counter)
    }

    /// Counters that differ in one label whose values are a closed set.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn counters<L: MetricLabel>(
        &self,
        name: &'static str,
        help: &str,
        label: &'static str,
    ) -> Result<LabeledCounters<L>, MetricsError> {
        let family = self.counter_family(name, help, [label])?;
        Ok(LabeledCounters::new(|value: L| family.with([value.text()])))
    }

    /// Counters that differ in `N` labels.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn counter_family<const N: usize>(
        &self,
        name: &'static str,
        help: &str,
        labels: [&'static str; N],
    ) -> Result<CounterFamily<N>, MetricsError> {
        let made = IntCounterVec::new(Opts::new(name, help), &labels);
        self.register(name, made).map(CounterFamily)
    }

    /// A number of things that exist right now, counted by guards.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn gauge(&self, name: &'static str, help: &str) -> Result<Gauge, MetricsError> {
        self.register(name, IntGauge::new(name, help)).map(Gauge)
    }

    /// A state that is so or isn't: 1 or 0.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn state(&self, name: &'static str, help: &str) -> Result<StateGauge, MetricsError> {
        self.register(name, IntGauge::new(name, help)).map(StateGauge)
    }

    /// Durations, counted by upper bounds in microseconds and published in seconds; its name ends
    /// in `_seconds`.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn histogram(
        &self,
        name: &'static str,
        help: &str,
        bounds: &'static [u64],
    ) -> Result<Histogram, MetricsError> {
        self.histogram_family(name, help, bounds, []).map(|family| family.with([]))
    }

    /// Histograms that differ in `N` labels.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn histogram_family<const N: usize>(
        &self,
        name: &'static str,
        help: &str,
        bounds: &'static [u64],
        labels: [&'static str; N],
    ) -> Result<HistogramFamily<N>, MetricsError> {
        self.register(name, HistogramFamily::new(name, help, bounds, labels))
    }

    /// Gauges that are read when the page is rendered and differ in one label.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn measured(
        &self,
        name: &'static str,
        help: &str,
        label: &'static str,
        members: impl Into<Arc<[(String, GaugeReader)]>>,
    ) -> Result<(), MetricsError> {
        self.register(name, PolledGauge::new(name, help, Some(label), members.into())).map(drop)
    }

    /// The same for a single one.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn polled_gauge(
        &self,
        name: &'static str,
        help: &str,
        read: GaugeReader,
    ) -> Result<(), MetricsError> {
        let member = [(String::new(), read)];
        self.register(name, PolledGauge::new(name, help, None, Arc::new(member))).map(drop)
    }

    /// What is running, as the labels of a constant 1 (`notify_push_build_info`).
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn build_info(&self, version: &str) -> Result<(), MetricsError> {
        const NAME: &str = "build_info";
        let options = Opts::new(NAME, "What is running.").const_label("version", version);
        self.register(NAME, IntGauge::with_opts(options)).map(|one| one.set(1))
    }

    /// The metrics of all these registries in the Prometheus text format, sorted by name. Metrics of one
    /// name in several of them are one family.
    ///
    /// # Errors
    /// None with what can be registered here; the crate below checks it.
    pub fn text(registries: &[Self]) -> Result<String, MetricsError> {
        let mut families: BTreeMap<String, MetricFamily> = BTreeMap::new();
        for mut family in registries.iter().flat_map(|metrics| metrics.registry.gather()) {
            match families.entry(family.name().to_owned()) {
                Entry::Vacant(free) => drop(free.insert(family)),
                Entry::Occupied(mut known) => {
                    known.get_mut().mut_metric().append(family.mut_metric());
                }
            }
        }
        let families: Vec<_> = families.into_values().collect();
        TextEncoder::new()
            .encode_to_string(&families)
            .map_err(|source| MetricsError { name: PREFIX, source })
    }

    fn register<C: Collector + Clone + 'static>(
        &self,
        name: &'static str,
        made: prometheus::Result<C>,
    ) -> Result<C, MetricsError> {
        let failed = |source| MetricsError { name, source };
        let collector = made.map_err(failed)?;
        self.registry.register(Box::new(collector.clone())).map_err(failed)?;
        Ok(collector)
    }
}

#[cfg(test)]
mod tests {
    use super::MetricsRegistry;

    #[test]
    fn names_get_the_prefix_and_come_with_type_and_help() {
        let metrics = MetricsRegistry::new(None).unwrap();
        metrics.counter("things_total", "Things.").unwrap().add(3);
        metrics.build_info("1.2.3").unwrap();
        let expected = "\
            # HELP notify_push_build_info What is running.\n\
            # TYPE notify_push_build_info gauge\n\
            notify_push_build_info{version=\"1.2.3\"} 1\n\
            # HELP notify_push_things_total Things.\n\
            # TYPE notify_push_things_total counter\n\
            notify_push_things_total 3\n";
        assert_eq!(MetricsRegistry::text(&[metrics]).unwrap(), expected);
    }

    #[test]
    fn a_family_without_members_is_left_out() {
        let metrics = MetricsRegistry::new(None).unwrap();
        metrics.counter_family("things_total", "Things.", ["kind"]).unwrap();
        assert_eq!(MetricsRegistry::text(&[metrics]).unwrap(), "");
    }

    #[test]
    fn a_name_taken_twice_is_an_error_that_names_it() {
        let metrics = MetricsRegistry::new(None).unwrap();
        metrics.counter("things_total", "Things.").unwrap();
        let error = metrics.counter("things_total", "Things.").unwrap_err();
        assert_eq!(error.to_string(), "metric things_total can't be registered");
    }
}
