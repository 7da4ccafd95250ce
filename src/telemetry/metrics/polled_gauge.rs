//! Gauges that are read from their owner on each scrape and cost nothing in between.

use prometheus::{
    core::{Collector, Desc},
    proto,
};
use std::{fmt, sync::Arc};

/// Reads a number from its owner; NaN, which is omitted, while there is none. Called for each
/// scrape: must be cheap and must not block.
pub type GaugeReader = Arc<dyn Fn() -> f64 + Send + Sync>;

/// Gauges under one name that differ in the values of one label, or a single one without.
#[derive(Clone)]
pub struct PolledGauge {
    desc: Desc,
    label: Option<&'static str>,
    members: Arc<[(String, GaugeReader)]>,
}

impl fmt::Debug for PolledGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Measured").field(&self.desc.fq_name).finish()
    }
}

impl PolledGauge {
    pub(crate) fn new(
        name: &str,
        help: &str,
        label: Option<&'static str>,
        members: Arc<[(String, GaugeReader)]>,
    ) -> prometheus::Result<Self> {
        let labels = label.into_iter().map(str::to_owned).collect();
        let desc = Desc::new(name.to_owned(), help.to_owned(), labels, Default::default())?;
        Ok(Self { desc, label, members })
    }
}

impl Collector for PolledGauge {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let metric = |(value, read): &(String, GaugeReader)| {
            let reading = read();
            if reading.is_nan() {
                return None;
            }
            let pair = self.label.map(|name| {
                let mut pair = proto::LabelPair::default();
                pair.set_name(name.to_owned());
                pair.set_value(value.clone());
                pair
            });
            let mut gauge = proto::Gauge::default();
            gauge.set_value(reading);
            let mut metric = proto::Metric::from_label(pair.into_iter().collect());
            metric.set_gauge(gauge);
            Some(metric)
        };
        let mut family = proto::MetricFamily::default();
        family.set_name(self.desc.fq_name.clone());
        family.set_help(self.desc.help.clone());
        family.set_field_type(proto::MetricType::GAUGE);
        family.set_metric(self.members.iter().filter_map(metric).collect());
        vec![family]
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::metrics::MetricsRegistry;
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    };

    #[test]
    fn they_show_what_is_so_when_they_are_asked() {
        let metrics = MetricsRegistry::new(None).unwrap();
        let depth = Arc::new(AtomicU32::new(1));
        let read = Arc::clone(&depth);
        let none = ("none".to_owned(), Arc::new(|| f64::NAN) as _);
        let members =
            [("events".to_owned(), Arc::new(move || f64::from(read.load(Relaxed))) as _), none];
        metrics.measured("queue_depth", "Waiting.", "queue", members).unwrap();
        metrics.polled_gauge("answer", "Known.", Arc::new(|| 42.0)).unwrap();
        assert!(
            MetricsRegistry::text(std::slice::from_ref(&metrics))
                .unwrap()
                .contains("notify_push_answer 42\n")
        );
        depth.store(7, Relaxed);
        let text = MetricsRegistry::text(std::slice::from_ref(&metrics)).unwrap();
        assert!(text.contains("# TYPE notify_push_queue_depth gauge\n"), "{text}");
        assert!(text.contains("notify_push_queue_depth{queue=\"events\"} 7\n"), "{text}");
        assert!(!text.contains("none"), "{text}");
    }
}
