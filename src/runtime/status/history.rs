//! The past hour in points ten seconds apart, which the status page shows at once.

use super::metrics_view::MetricsScrape;
use serde::Serialize;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The time between two points.
pub const SAMPLE_INTERVAL: Duration = Duration::from_secs(10);

/// The number of points: an hour.
pub const POINTS: usize = 361;

/// A series: its name on the page, its metric, and one label with its value.
type HistorySeries = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// All series, each summed over its other labels.
const SERIES: &[HistorySeries] = &[
    ("connections", "notify_push_connections", None),
    ("users", "notify_push_users", None),
    ("events", "notify_push_events_received_total", None),
    ("file", "notify_push_messages_sent_total", Some(("topic", "file"))),
    ("activity", "notify_push_messages_sent_total", Some(("topic", "activity"))),
    ("notification", "notify_push_messages_sent_total", Some(("topic", "notification"))),
    ("custom", "notify_push_messages_sent_total", Some(("topic", "custom"))),
    ("accepted", "notify_push_logins_total", Some(("outcome", "accepted"))),
    ("logins", "notify_push_logins_total", None),
];

/// The points, the newest last.
#[derive(Debug, Default)]
pub struct MetricsHistory(Mutex<VecDeque<HistoryPoint>>);

#[derive(Debug, Clone, Serialize)]
struct HistoryPoint(u64, Vec<f64>);

/// The history as the page receives it.
#[derive(Serialize)]
struct HistoryBody {
    series: Vec<&'static str>,
    /// Per point: milliseconds since 1970 and the value of each series.
    points: Vec<HistoryPoint>,
}

impl MetricsHistory {
    /// Adds a point at `at` milliseconds since 1970.
    pub fn keep(&self, at: u64, scrape: &MetricsScrape) {
        let of = |(_, name, label): &HistorySeries| -> f64 {
            let is = |sample: &&super::metrics_view::MetricSample| {
                label.is_none_or(|(label, value)| sample.label(label) == Some(value))
            };
            scrape.all(name).filter(is).map(|sample| sample.value).sum()
        };
        let point = HistoryPoint(at, SERIES.iter().map(of).collect());
        let mut points = self.lock();
        if points.len() >= POINTS {
            points.pop_front();
        }
        points.push_back(point);
    }

    /// The whole history as JSON.
    pub fn json(&self) -> String {
        let points = self.lock().iter().cloned().collect();
        let told = HistoryBody { series: SERIES.iter().map(|(name, ..)| *name).collect(), points };
        // Names and finite numbers always serialize.
        serde_json::to_string(&told).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<HistoryPoint>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{MetricsHistory, MetricsScrape, POINTS};
    use serde_json::Value;

    #[test]
    fn an_hour_is_kept_and_hosts_are_summed() {
        let history = MetricsHistory::default();
        let page = "notify_push_connections{host=\"a\"} 3\nnotify_push_connections{host=\"b\"} 4\n\
                    notify_push_messages_sent_total{host=\"a\",topic=\"file\"} 5\n\
                    notify_push_messages_sent_total{host=\"a\",topic=\"custom\"} 7\n";
        let scrape = MetricsScrape::parse(page);
        (0..POINTS as u64 + 2).for_each(|at| history.keep(at, &scrape));
        let told: Value = serde_json::from_str(&history.json()).unwrap();
        assert_eq!(told["points"].as_array().unwrap().len(), POINTS);
        assert_eq!(told["points"][0][0], 2);
        let series = told["series"].as_array().unwrap();
        for (name, value) in [("connections", 7.0), ("file", 5.0), ("custom", 7.0), ("users", 0.0)]
        {
            let index = series.iter().position(|known| known == name).unwrap();
            assert_eq!(told["points"][0][1][index], value, "{name}");
        }
    }
}
