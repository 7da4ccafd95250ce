//! Gauges that are read from their owner on each scrape.

use crate::{
    health::{DependencyState, HealthRegistry, QueueGauge, ServiceDependency, WallClock},
    push::hub::Hub,
    telemetry::metrics::{GaugeReader, MetricsError, MetricsRegistry},
};
use std::sync::Arc;

/// Registers the gauges of one service: queues, pending notices, dependencies.
pub fn register(
    metrics: &MetricsRegistry,
    dependencies: &[ServiceDependency],
    clock: &WallClock,
    hub: &Hub,
    queues: &[QueueGauge],
) -> Result<(), MetricsError> {
    const DEPTH: &str = "Entries in a queue.";
    const CAPACITY: &str = "Entries that fit into a queue.";
    const UP: &str = "1 while it answers, 0 while it doesn't; NaN before the first request.";
    const WAITING: &str = "Changes that wait to be sent to clients, merged by topic.";
    const BLOCKED: &str = "Clients whose socket is full.";
    const READY: &str = "1 while the service is ready.";
    let health = HealthRegistry::new(dependencies, Arc::clone(clock));
    let up = dependencies.iter().map(|dependency| {
        let condition = Arc::clone(&dependency.condition);
        let up = move || match condition() {
            DependencyState::Untried => f64::NAN,
            condition => f64::from(u8::from(condition.is_up())),
        };
        (dependency.name.clone().into_owned(), Arc::new(up) as GaugeReader)
    });
    metrics.measured("dependency_up", UP, "dependency", up.collect::<Vec<_>>())?;
    let depth = queues.iter().map(|queue| {
        let depth = Arc::clone(&queue.depth);
        reading(queue.name, move || depth())
    });
    metrics.measured("queue_depth", DEPTH, "queue", depth.collect::<Vec<_>>())?;
    let capacity = queues.iter().map(|queue| {
        let capacity = queue.capacity;
        reading(queue.name, move || capacity)
    });
    metrics.measured("queue_capacity", CAPACITY, "queue", capacity.collect::<Vec<_>>())?;
    let (waiting, blocked) = (hub.clone(), hub.clone());
    metrics.polled_gauge("pending_notices", WAITING, one(move || waiting.depths().waiting))?;
    metrics.polled_gauge("clients_blocked", BLOCKED, one(move || blocked.depths().blocked))?;
    metrics.polled_gauge("ready", READY, one(move || usize::from(health.is_ready())))
}

fn reading(name: &str, read: impl Fn() -> usize + Send + Sync + 'static) -> (String, GaugeReader) {
    (name.to_owned(), one(read))
}

#[expect(clippy::cast_precision_loss, reason = "no queue holds more than 2^53")]
fn one(read: impl Fn() -> usize + Send + Sync + 'static) -> GaugeReader {
    Arc::new(move || read() as f64)
}
