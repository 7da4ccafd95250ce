//! The log on stderr: text, journal or JSON lines behind a filter that can be changed while running.

pub mod settings;
pub use settings::{LogSettings, LogStyle};
mod control;
mod filter;
mod format;
mod line_formatter;
mod queue;
mod recent_warnings;

pub use control::LogControl;
pub use filter::{LogFilter, LogFilterError, MAX_FILTER_BYTES, service_span};
pub use format::{LogFormat, StderrKind};
pub use queue::LogGuard;
pub use recent_warnings::{LogWarning, RecentWarnings};

use line_formatter::{LineFormatter, LinePrefixStyle};
use queue::LogQueue;
use std::io;
use tracing::Subscriber;
use tracing_subscriber::{
    Layer, Registry,
    fmt::{MakeWriter, time::SystemTime},
    layer::SubscriberExt,
    reload,
    util::{SubscriberInitExt, TryInitError},
};

/// Why the log can't be installed.
#[derive(Debug, thiserror::Error)]
pub enum LogInstallError {
    /// The system refuses a thread.
    #[error("no thread for the log")]
    Thread(#[source] io::Error),
    /// A log has already been installed in this process.
    #[error("there is a log already")]
    Twice(#[source] TryInitError),
}

/// Installs the process's log on stderr and returns its control.
///
/// # Errors
/// [`LogInstallError`].
pub fn install(
    filter: LogFilter,
    format: LogFormat,
) -> Result<(LogControl, LogGuard), LogInstallError> {
    let missed =
        |lines| tracing::warn!(lines, "log lines dropped; stderr was not read fast enough");
    let (queue, guard) = LogQueue::start(io::stderr(), missed).map_err(LogInstallError::Thread)?;
    let (log, control) = build(filter, format, queue);
    log.try_init().map_err(LogInstallError::Twice)?;
    Ok((control, guard))
}

/// The same, written to `writer` and not installed.
pub fn build<W>(
    filter: LogFilter,
    format: LogFormat,
    writer: W,
) -> (impl Subscriber + Send + Sync + 'static, LogControl)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (gate, handle) = reload::Layer::new(filter.targets());
    let recent = RecentWarnings::default();
    let log = Registry::default().with(gate).with(lines(format, writer)).with(recent.clone());
    // The handle fails only after the log has ended.
    let apply = move |filter: &LogFilter| drop(handle.reload(filter.targets()));
    (log, LogControl::new(filter, recent, apply))
}

fn lines<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'l> tracing_subscriber::registry::LookupSpan<'l>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // A full disk or a closed stderr must not end up in `eprintln!`, which panics on it.
    let layer = tracing_subscriber::fmt::layer().log_internal_errors(false).with_writer(writer);
    match format {
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
        LogFormat::Journal => {
            layer.event_format(LineFormatter::new(LinePrefixStyle::Journal, ())).boxed()
        }
        LogFormat::Text { colours } => layer
            .event_format(LineFormatter::new(LinePrefixStyle::Text { colours }, SystemTime))
            .boxed(),
    }
}

#[cfg(test)]
mod tests;
