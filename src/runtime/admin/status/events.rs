//! The event stream of one viewer: the history, then a sample each second for half a minute.

use super::StatusContext;
use crate::telemetry::log::LogWarning;
use futures_util::{Stream, stream};
use serde::Serialize;
use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Interval, MissedTickBehavior, interval},
};
use warp::{
    reply::{Reply, Response},
    sse::{self, Event},
};

/// The time between two samples.
const EVERY: Duration = Duration::from_secs(1);

/// The stream's duration; then the browser reconnects. A connection's requests have a minute in all
/// ([`crate::server::ConnectionTimeouts`]), and a viewer that left is forgotten soon.
const LIFE: Duration = Duration::from_secs(30);

/// The browser's delay before it reconnects.
const RETRY: Duration = Duration::from_millis(300);

struct StatusWatcher {
    status: StatusContext,
    ticks: Interval,
    ends: Instant,
    waiting: VecDeque<Event>,
    /// The number of warnings when they were last sent.
    warnings: Option<u64>,
    _permit: OwnedSemaphorePermit,
}

/// A warning as the page receives it.
#[derive(Serialize)]
struct WarningEvent {
    /// Milliseconds since 1970.
    at: u64,
    #[serde(flatten)]
    warning: LogWarning,
}

/// The stream. A viewer that has the history already doesn't receive it again.
pub(super) fn reply(status: StatusContext, permit: OwnedSemaphorePermit, known: bool) -> Response {
    let mut response = sse::reply(watch(status, permit, known)).into_response();
    let never = http::HeaderValue::from_static("no-store");
    response.headers_mut().insert(http::header::CACHE_CONTROL, never);
    response
}

fn watch(
    status: StatusContext,
    permit: OwnedSemaphorePermit,
    known: bool,
) -> impl Stream<Item = Result<Event, Infallible>> + Send + Sync {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut waiting = VecDeque::new();
    if !known {
        waiting.push_back(Event::default().event("history").data(status.sampler.history()));
        let play = status.play.as_ref().map(|play| play.json());
        waiting.extend(play.map(|play| Event::default().event("play").data(play)));
    }
    let ends = Instant::now() + LIFE;
    let watcher = StatusWatcher { status, ticks, ends, waiting, warnings: None, _permit: permit };
    stream::unfold(watcher, async |mut watcher| {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    })
}

impl StatusWatcher {
    async fn next(&mut self) -> Option<Event> {
        if self.waiting.is_empty() {
            let stopping = self.status.stopping.clone();
            let now = stopping.run_until_cancelled(self.ticks.tick()).await?;
            if now >= self.ends {
                return None;
            }
            self.take_sample(now);
        }
        self.waiting.pop_front()
    }

    fn take_sample(&mut self, now: Instant) {
        let recent = self.status.log.recent();
        let count = recent.count();
        if self.warnings != Some(count) {
            self.warnings = Some(count);
            let sampler = Arc::clone(&self.status.sampler);
            let warning_event = |warning: LogWarning| WarningEvent {
                at: sampler.timestamp_millis(warning.at),
                warning,
            };
            let warnings: Vec<_> = recent.warnings().into_iter().map(warning_event).collect();
            // Strings and numbers always serialize.
            let warnings = serde_json::to_string(&warnings).unwrap_or_default();
            self.waiting.push_back(Event::default().event("warnings").data(warnings));
        }
        let sample = self.status.sampler.sample(now);
        let sample = Event::default().event("sample").id("1").retry(RETRY).data(&*sample);
        self.waiting.push_back(sample);
    }
}
