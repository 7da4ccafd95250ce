//! The log on stderr: text, journal or JSON lines behind a filter that can be changed while running.

pub mod settings;
pub use settings::{LogSettings, LogStyle};
mod control;
mod filter;
mod line;
mod output;
mod queue;
mod recent;

pub use control::LogControl;
pub use filter::{BadFilter, Filter, MAX_FILTER_BYTES, of_host};
pub use output::{LogFormat, Stderr};
pub use queue::LogGuard;
pub use recent::{Recent, Warning};

use line::{Line, Style};
use queue::Queue;
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
pub enum InstallError {
    /// The system gives no thread.
    #[error("no thread for the log")]
    Thread(#[source] io::Error),
    /// A log has already been installed in this process.
    #[error("there is a log already")]
    Twice(#[source] TryInitError),
}

/// Installs the process's log on stderr and hands out its control.
///
/// # Errors
/// [`InstallError`].
pub fn install(filter: Filter, format: LogFormat) -> Result<(LogControl, LogGuard), InstallError> {
    let missed = |lines| tracing::warn!(lines, "left out: the log was not read fast enough");
    let (queue, guard) = Queue::start(io::stderr(), missed).map_err(InstallError::Thread)?;
    let (log, control) = build(filter, format, queue);
    log.try_init().map_err(InstallError::Twice)?;
    Ok((control, guard))
}

/// The same, written to `writer` and not installed: for tests, and for whoever has two.
pub fn build<W>(
    filter: Filter,
    format: LogFormat,
    writer: W,
) -> (impl Subscriber + Send + Sync + 'static, LogControl)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (gate, handle) = reload::Layer::new(filter.targets());
    let recent = Recent::default();
    let log = Registry::default().with(gate).with(lines(format, writer)).with(recent.clone());
    // The handle is dead only once the log is, and then nobody is left to hear about it.
    let apply = move |filter: &Filter| drop(handle.reload(filter.targets()));
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
        LogFormat::Journal => layer.event_format(Line::new(Style::Journal, ())).boxed(),
        LogFormat::Text { colours } => {
            layer.event_format(Line::new(Style::Text { colours }, SystemTime)).boxed()
        }
    }
}

#[cfg(test)]
mod tests;
