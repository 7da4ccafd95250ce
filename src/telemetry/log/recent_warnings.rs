//! The last warnings and errors for the status page: as logged, and bounded.

use super::filter::SERVICE_SPAN;
use serde::Serialize;
use std::{
    collections::VecDeque,
    fmt::{self, Write as _},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

/// How many are kept; the oldest is dropped.
pub const MAX_RECENT: usize = 50;

/// The longest text of one, in bytes; longer ones are cut.
const MAX_TEXT: usize = 400;

/// The last warnings. Cheap to clone; clones share them.
#[derive(Debug, Clone, Default)]
pub struct RecentWarnings {
    kept: Arc<Mutex<VecDeque<LogWarning>>>,
    seen: Arc<AtomicU64>,
}

/// A logged warning or error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogWarning {
    /// `error` or `warn`.
    pub level: &'static str,
    /// The module that logged it.
    pub target: String,
    /// The message with its fields.
    pub text: String,
    /// The time of the message.
    #[serde(skip)]
    pub at: Instant,
}

impl RecentWarnings {
    /// The warnings, the newest last.
    pub fn warnings(&self) -> Vec<LogWarning> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// How many there have been so far, including dropped ones.
    pub fn count(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    fn keep(&self, warning: LogWarning) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_RECENT {
            kept.pop_front();
        }
        kept.push_back(warning);
        self.seen.fetch_add(1, Ordering::Release);
    }
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for RecentWarnings {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() != SERVICE_SPAN {
            return;
        }
        let mut fields = FieldCollector(String::new());
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(ServiceSpanField(fields.0));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            _ => return,
        };
        let mut fields = FieldCollector(String::new());
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(ServiceSpanField(service)) = span.extensions().get() {
                fields.0.push_str(service);
            }
        }
        let target = event.metadata().target().to_owned();
        self.keep(LogWarning { level, target, text: fields.bounded(), at: Instant::now() });
    }
}

/// The field of a span that names a service.
struct ServiceSpanField(String);

/// The message first, then the fields.
struct FieldCollector(String);

impl Visit for FieldCollector {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // What is beyond the limit is cut off anyway, and writing to a String can't fail.
        let _ = match field.name() {
            _ if self.0.len() > MAX_TEXT => Ok(()),
            "message" => {
                let rest = std::mem::take(&mut self.0);
                write!(self.0, "{value:?}{rest}")
            }
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

impl FieldCollector {
    fn bounded(mut self) -> String {
        if self.0.len() > MAX_TEXT {
            self.0.truncate(self.0.floor_char_boundary(MAX_TEXT));
            self.0.push('…');
        }
        self.0.replace(char::is_control, " ")
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_RECENT, MAX_TEXT};
    use crate::telemetry::log::{LogFilter, LogFormat, build, service_span};
    use std::io;

    #[test]
    fn warnings_and_errors_are_kept_with_their_fields_and_nothing_else_is() {
        let (log, control) = build(LogFilter::parse("trace").unwrap(), LogFormat::Json, io::sink);
        tracing::subscriber::with_default(log, || {
            tracing::info!("not this");
            tracing::warn!(lines = 3, "left\nout");
            tracing::error!(part = "hub", "died");
            service_span("a").in_scope(|| tracing::warn!(ms = 7, "late"));
        });
        let kept = control.recent().warnings();
        let texts: Vec<_> = kept.iter().map(|one| (one.level, one.text.as_str())).collect();
        let expected = [
            ("warn", "left out lines=3"),
            ("error", "died part=\"hub\""),
            ("warn", "late ms=7 name=a"),
        ];
        assert_eq!(texts, expected);
        assert!(kept[0].target.ends_with("recent_warnings::tests"), "{}", kept[0].target);
        assert_eq!(control.recent().count(), 3);
    }

    #[test]
    fn neither_their_number_nor_their_length_grows_without_bound() {
        let (log, control) = build(LogFilter::default(), LogFormat::Json, io::sink);
        tracing::subscriber::with_default(log, || {
            for number in 0..MAX_RECENT + 7 {
                tracing::warn!("{number} {}", "ö".repeat(MAX_TEXT));
            }
        });
        let kept = control.recent().warnings();
        assert_eq!((kept.len(), control.recent().count()), (MAX_RECENT, MAX_RECENT as u64 + 7));
        assert!(kept[0].text.starts_with("7 ") && kept[0].text.len() <= MAX_TEXT + "…".len());
    }
}
