//! Counters, gauges and states; each costs one atomic operation.
//!
//! Families exist only to be resolved into their members at the start: counting looks nothing up.

/// A number that only grows.
#[derive(Debug, Clone)]
pub struct Counter(pub(crate) prometheus::IntCounter);

impl Counter {
    /// Adds one to it.
    pub fn inc(&self) {
        self.0.inc();
    }

    /// Adds `more` at once: one addition for a whole fan-out.
    pub fn add(&self, more: u64) {
        self.0.inc_by(more);
    }

    /// The number so far.
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

/// The current number of something: as many as there are guards.
#[derive(Debug, Clone)]
pub struct Gauge(pub(crate) prometheus::IntGauge);

/// Counts for one in its [`Gauge`] until it is dropped. One pointer in size.
#[derive(Debug)]
#[must_use = "counts only as long as it is kept"]
pub struct GaugeGuard(prometheus::IntGauge);

impl Gauge {
    /// Adds one until the guard is dropped.
    pub fn enter(&self) -> GaugeGuard {
        self.0.inc();
        GaugeGuard(self.0.clone())
    }

    /// Adds or subtracts one, for holders that are too many for a guard each.
    pub(crate) fn step(&self, up: bool) {
        self.0.add(if up { 1 } else { -1 });
    }

    /// The current number.
    pub fn get(&self) -> u64 {
        u64::try_from(self.0.get()).unwrap_or(0)
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A state: yes or no.
#[derive(Debug, Clone)]
pub struct StateGauge(pub(crate) prometheus::IntGauge);

impl StateGauge {
    /// Sets the state.
    pub fn set(&self, so: bool) {
        self.0.set(i64::from(so));
    }

    /// Returns the state.
    pub fn get(&self) -> bool {
        self.0.get() != 0
    }
}

/// Counters under one name that differ in the values of `N` labels.
#[derive(Debug)]
pub struct CounterFamily<const N: usize>(pub(crate) prometheus::IntCounterVec);

impl<const N: usize> CounterFamily<N> {
    /// The member with these values; it is on the page from now on, even while it is 0.
    pub fn with(&self, values: [&str; N]) -> Counter {
        Counter(self.0.with_label_values(&values))
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::metrics::MetricsRegistry;

    #[test]
    fn a_gauge_is_the_number_of_its_guards() {
        let gauge = MetricsRegistry::new(None).unwrap().gauge("things", "Things.").unwrap();
        let (one, two) = (gauge.enter(), gauge.enter());
        assert_eq!(gauge.get(), 2);
        drop(one);
        assert_eq!(gauge.get(), 1);
        drop(two);
        assert_eq!(gauge.get(), 0);
    }

    #[test]
    fn a_guard_left_by_a_panic_is_counted_out() {
        let gauge = MetricsRegistry::new(None).unwrap().gauge("things", "Things.").unwrap();
        let inside = gauge.clone();
        let ended = std::thread::spawn(move || {
            let _guard = inside.enter();
            panic!("boom");
        });
        assert!(ended.join().is_err());
        assert_eq!(gauge.get(), 0);
    }
}
