//! Labels with a closed set of values, and one counter for each.

use super::instruments::Counter;
use std::marker::PhantomData;

/// A closed set of label values: a fieldless enum whose variants are numbered from 0 in the order
/// of [`MetricLabel::ALL`]. The macro `labels!` declares it so that both agree.
pub trait MetricLabel: Copy + 'static {
    /// Every value, in order.
    const ALL: &'static [Self];
    /// Its position in [`MetricLabel::ALL`].
    fn index(self) -> usize;
    /// The value as it appears in the metrics: lower case.
    fn text(self) -> &'static str;
}

/// One counter for each value of a label; counting is an array access and an addition.
#[derive(Debug, Clone)]
pub struct LabeledCounters<L> {
    counters: Vec<Counter>,
    label: PhantomData<fn(L)>,
}

impl<L: MetricLabel> LabeledCounters<L> {
    /// Creates a counter for each value.
    pub fn new(one: impl Fn(L) -> Counter) -> Self {
        Self { counters: L::ALL.iter().map(|value| one(*value)).collect(), label: PhantomData }
    }

    /// Adds one to a value's counter.
    pub fn inc(&self, value: L) {
        if let Some(counter) = self.counters.get(value.index()) {
            counter.inc();
        }
    }

    /// A value's count so far.
    pub fn get(&self, value: L) -> u64 {
        self.counters.get(value.index()).map_or(0, Counter::get)
    }
}

macro_rules! labels {
    ($(#[$about:meta])* $visibility:vis $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visibility enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $crate::telemetry::metrics::MetricLabel for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn index(self) -> usize {
                self as usize
            }

            fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

pub(crate) use labels;

#[cfg(test)]
mod tests {
    use super::MetricLabel;
    use crate::{push::SessionEndLabel, telemetry::metrics::MetricsRegistry};

    #[test]
    fn every_value_has_a_counter_of_its_own() {
        let metrics = MetricsRegistry::new(None).unwrap();
        let ends = metrics.counters::<SessionEndLabel>("ends_total", "Ends.", "reason").unwrap();
        for (count, end) in (1..).zip(SessionEndLabel::ALL) {
            (0..count).for_each(|_| ends.inc(*end));
        }
        for (count, end) in (1..).zip(SessionEndLabel::ALL) {
            assert_eq!(ends.get(*end), count);
            let line = format!("notify_push_ends_total{{reason=\"{}\"}} {count}\n", end.text());
            assert!(
                MetricsRegistry::text(std::slice::from_ref(&metrics)).unwrap().contains(&line),
                "{line}"
            );
        }
    }
}
