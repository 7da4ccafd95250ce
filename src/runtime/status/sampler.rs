//! Samples for the status page: one a second, shared by all viewers.

use super::{
    history::{MetricsHistory, SAMPLE_INTERVAL},
    metrics_view::MetricsScrape,
};
use crate::health::HealthRegistry;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// The age at which a sample is replaced; slightly less than the viewers' interval.
const MAX_SAMPLE_AGE: Duration = Duration::from_millis(900);

/// Takes a sample on request, and one every ten seconds for the history.
pub struct StatusSampler {
    page: Box<dyn Fn() -> Option<String> + Send + Sync>,
    log: Box<dyn Fn() -> String + Send + Sync>,
    health: HealthRegistry,
    history: MetricsHistory,
    latest: Mutex<Option<(Instant, Arc<str>)>>,
}

/// A sample as the page receives it.
#[derive(Serialize)]
struct StatusSample<'a> {
    /// Milliseconds since 1970.
    at: u64,
    health: crate::health::HealthReport,
    log: String,
    /// The metrics by name.
    figures: BTreeMap<&'a str, Vec<StatusFigure<'a>>>,
}

/// A metric's labels and value.
#[derive(Serialize)]
struct StatusFigure<'a>(BTreeMap<&'a str, &'a str>, f64);

impl StatusSampler {
    /// `page` renders the metrics; `log` returns the current log filter.
    pub fn new(
        health: HealthRegistry,
        page: impl Fn() -> Option<String> + Send + Sync + 'static,
        log: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        let (page, log) = (Box::new(page), Box::new(log));
        Self { page, log, health, history: MetricsHistory::default(), latest: Mutex::default() }
    }

    /// Records the history until dropped. Run it as a core task.
    pub async fn record_history(&self) {
        let mut ticks = interval(SAMPLE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Some(page) = (self.page)() {
                self.history.keep(self.now(), &MetricsScrape::parse(&page));
            }
        }
    }

    /// The current sample as JSON: at most a second old.
    pub fn sample(&self, now: Instant) -> Arc<str> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some((at, sample)) if now.saturating_duration_since(*at) < MAX_SAMPLE_AGE => {
                Arc::clone(sample)
            }
            _ => {
                let sample: Arc<str> = self.take().into();
                *latest = Some((now, Arc::clone(&sample)));
                sample
            }
        }
    }

    /// The history of the past hour as JSON.
    pub fn history(&self) -> String {
        self.history.json()
    }

    /// The time of day of a past instant.
    pub fn timestamp_millis(&self, at: std::time::Instant) -> u64 {
        self.now().saturating_sub(u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn take(&self) -> String {
        let scrape = MetricsScrape::parse(&(self.page)().unwrap_or_default());
        let mut figures: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for sample in scrape.samples().filter(|sample| is_shown(&sample.name)) {
            let labels = sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let figure = StatusFigure(labels.collect(), sample.value);
            figures.entry(sample.name.as_str()).or_default().push(figure);
        }
        let (at, health, log) = (self.now(), self.health.report(true), (self.log)());
        // Strings and finite numbers always serialize.
        serde_json::to_string(&StatusSample { at, health, log, figures }).unwrap_or_default()
    }

    fn now(&self) -> u64 {
        let now: SystemTime = self.health.wall_time();
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The compatibility names repeat our own metrics.
fn is_shown(name: &str) -> bool {
    name.starts_with("notify_push_") || name.starts_with("process_")
}

#[cfg(test)]
mod tests {
    use super::{HealthRegistry, MAX_SAMPLE_AGE, StatusSampler};
    use serde_json::{Value, json};
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering::Relaxed},
        },
        time::{Duration, SystemTime},
    };
    use tokio::time::{Instant, advance};

    fn sampler() -> (Arc<StatusSampler>, Arc<AtomicU32>) {
        let taken = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&taken);
        let page = move || {
            let number = counted.fetch_add(1, Relaxed);
            Some(format!("notify_push_users{{service=\"a\"}} {number}\nuser_count 1\n"))
        };
        let wall_time = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
        let health = HealthRegistry::new([], Arc::new(move || wall_time));
        (Arc::new(StatusSampler::new(health, page, || "warn".to_owned())), taken)
    }

    #[test]
    fn all_who_look_share_one_sample_a_second() {
        let (sampler, taken) = sampler();
        let now = Instant::now();
        let first = sampler.sample(now);
        assert!(Arc::ptr_eq(&first, &sampler.sample(now + MAX_SAMPLE_AGE / 2)));
        assert!(!Arc::ptr_eq(&first, &sampler.sample(now + MAX_SAMPLE_AGE)));
        assert_eq!(taken.load(Relaxed), 2);
        let report: Value = serde_json::from_str(&first).unwrap();
        let expected = json!({
            "at": 5000,
            "health": {"ready": true, "dependencies": []},
            "log": "warn",
            "figures": {"notify_push_users": [[{"service": "a"}, 0.0]]},
        });
        assert_eq!(report, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn without_anybody_looking_only_the_history_is_kept() {
        let (sampler, taken) = sampler();
        let keeping = Arc::clone(&sampler);
        tokio::select! {
            () = keeping.record_history() => unreachable!("it never ends"),
            () = async {
                for _ in 0..35 {
                    advance(Duration::from_secs(1)).await;
                    tokio::task::yield_now().await;
                }
            } => {}
        }
        assert_eq!(taken.load(Relaxed), 4);
        assert!(sampler.history().contains("\"points\":[[5000,"), "{}", sampler.history());
    }
}
