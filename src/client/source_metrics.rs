//! What a source and the pipeline behind it count.

use crate::{
    health::DependencyState,
    telemetry::metrics::{Counter, MetricsError, MetricsRegistry, StateGauge},
};
use tokio::sync::watch;

/// Held by the supervisor of a source and by the pipeline.
#[derive(Debug)]
pub struct SourceMetrics {
    /// Whether the subscription stands.
    pub up: StateGauge,
    /// Times it was away and messages may have been missed.
    pub gaps: Counter,
    /// Attempts to connect after the first one that worked.
    pub reconnects: Counter,
    /// Changes whose recipients can't be looked up because no database is configured.
    pub unresolved: Counter,
    channels: Vec<&'static str>,
    received: Vec<Counter>,
    malformed: Vec<Counter>,
}

// A message on a channel nobody asked for: not expected, but never lost from sight.
const OTHER: &str = "other";

impl SourceMetrics {
    /// Registers them; `channels` are those the service asks for.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn register(
        metrics: &MetricsRegistry,
        channels: &[&'static str],
    ) -> Result<Self, MetricsError> {
        let channels: Vec<&'static str> = channels.iter().copied().chain([OTHER]).collect();
        let by_channel = |name, help| {
            let family = metrics.counter_family(name, help, ["channel"])?;
            Ok(channels.iter().map(|channel| family.with([channel])).collect())
        };
        const UNRESOLVED: &str = "Changes dropped because no database is set.";
        Ok(Self {
            up: metrics.state("source_up", "1 while events can arrive.")?,
            gaps: metrics.counter("source_gaps_total", "Times events may have been missed.")?,
            reconnects: metrics.counter("source_reconnects_total", "Attempts to come back.")?,
            unresolved: metrics.counter("events_unresolved_total", UNRESOLVED)?,
            received: by_channel("events_received_total", "Events that arrived.")?,
            malformed: by_channel("events_malformed_total", "Events nobody understood.")?,
            channels,
        })
    }

    /// Follows a source's state until the source ends.
    pub async fn follow(&self, mut state: watch::Receiver<DependencyState>) {
        let mut worked = false;
        loop {
            let now = state.borrow_and_update().clone();
            self.up.set(now.is_up());
            worked |= now.is_up();
            // Each time it says that it is away, an attempt to come back follows.
            if worked && matches!(now, DependencyState::Down { .. }) {
                self.reconnects.inc();
            }
            if state.changed().await.is_err() {
                return self.up.set(false);
            }
        }
    }

    /// A message arrived on this channel.
    pub fn received(&self, channel: &str) {
        self.received[self.position(channel)].inc();
    }

    /// A message on this channel could not be understood.
    pub fn malformed(&self, channel: &str) {
        self.malformed[self.position(channel)].inc();
    }

    /// Messages that have arrived, on all channels.
    pub fn received_count(&self) -> u64 {
        self.received.iter().map(Counter::get).sum()
    }

    // A dozen names: comparing them is cheaper than hashing one.
    fn position(&self, channel: &str) -> usize {
        let known = self.channels.len() - 1;
        self.channels.iter().position(|name| *name == channel).unwrap_or(known)
    }
}

#[cfg(test)]
mod tests {
    use super::{MetricsRegistry, SourceMetrics};
    use crate::health::DependencyState;
    use futures_util::poll;
    use std::pin::pin;
    use tokio::{sync::watch, time::Instant};

    #[test]
    fn a_channel_nobody_asked_for_is_counted_apart() {
        let metrics = MetricsRegistry::new(None).unwrap();
        let source = SourceMetrics::register(&metrics, &["a", "b"]).unwrap();
        source.received("b");
        source.received("b");
        source.received("c");
        source.malformed("a");
        let text = MetricsRegistry::text(&[metrics]).unwrap();
        assert!(text.contains("events_received_total{channel=\"b\"} 2\n"), "{text}");
        assert!(text.contains("events_received_total{channel=\"other\"} 1\n"), "{text}");
        assert!(text.contains("events_malformed_total{channel=\"a\"} 1\n"), "{text}");
        assert_eq!(source.received_count(), 3);
    }

    #[tokio::test]
    async fn a_sources_state_is_followed_and_its_ways_back_are_counted() {
        let metrics = MetricsRegistry::new(None).unwrap();
        let source = SourceMetrics::register(&metrics, &[]).unwrap();
        let (state, watched) = watch::channel(DependencyState::Untried);
        let mut following = pin!(source.follow(watched));
        let up = || DependencyState::Up { since: Instant::now() };
        let away = || DependencyState::Down { since: Instant::now(), why: "gone".into() };
        // Before it has ever worked, there is nothing to come back to.
        let steps = [(away(), 0), (up(), 0), (away(), 1), (away(), 2), (up(), 2)];
        for (next, reconnects) in steps {
            let connected = next.is_up();
            state.send_replace(next);
            assert!(poll!(&mut following).is_pending());
            assert_eq!((source.up.get(), source.reconnects.get()), (connected, reconnects));
        }
        drop(state);
        following.await;
        assert!(!source.up.get());
    }
}
