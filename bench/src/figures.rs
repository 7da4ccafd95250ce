//! Measured numbers with their names and units.

use std::time::Duration;

/// One number.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// In this unit.
    pub unit: &'static str,
    /// How much.
    pub value: f64,
}

/// The numbers of one measurement.
#[derive(Debug, Default)]
pub struct Figures(pub Vec<Figure>);

impl Figures {
    /// Adds a number.
    pub fn add(&mut self, name: &'static str, unit: &'static str, value: f64) {
        self.0.push(Figure { name, unit, value });
    }

    /// Adds the median, the 99th percentile and the greatest of some times, in milliseconds.
    pub fn add_times(&mut self, names: [&'static str; 3], times: &mut [Duration]) {
        times.sort_unstable();
        let at = |percent: usize| {
            let last = times.len().saturating_sub(1);
            times.get(last * percent / 100).map_or(f64::NAN, |time| millis(*time))
        };
        for (name, part) in names.into_iter().zip([50, 99, 100]) {
            self.add(name, "ms", at(part));
        }
    }
}

/// In milliseconds.
pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// In microseconds.
pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
