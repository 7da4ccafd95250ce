//! The log filter: `info`, `notify_push=debug`, or several of them, comma-separated.

use std::fmt;
use tracing::{Span, level_filters::LevelFilter};
use tracing_subscriber::filter::Targets;

/// The longest filter: it arrives over Redis and HTTP and is kept.
pub const MAX_FILTER_BYTES: usize = 1024;

/// The target of the spans that name services, which no module has.
pub(super) const SERVICE_SPAN: &str = "notify_push::service_name";

/// The span of the service of this name.
pub fn service_span(name: impl fmt::Display) -> Span {
    tracing::error_span!(target: SERVICE_SPAN, "service", name = %name)
}

/// A valid filter: levels by module path, the longest matching path decides.
#[derive(Clone, PartialEq)]
pub struct LogFilter {
    text: String,
    targets: Targets,
}

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogFilterError {
    /// More than [`MAX_FILTER_BYTES`].
    #[error("a log filter has at most {MAX_FILTER_BYTES} bytes")]
    TooLong,
    /// The filter is empty.
    #[error("the log filter is empty; write a level ({LEVELS}) or module=level")]
    Empty,
    /// A part that is neither a level nor `module=level`.
    #[error(
        "{0:?} is no log filter; write a level ({LEVELS}) or module=level, for example notify_push=debug"
    )]
    Directive(String),
}

const LEVELS: &str = "off, error, warn, info, debug, trace";

impl LogFilter {
    /// Reads a filter. A module path alone means all its messages.
    ///
    /// Stricter than what `tracing` itself accepts, where a mistyped level silently becomes the
    /// name of a module and switches off everything else.
    ///
    /// # Errors
    /// [`LogFilterError`] names the faulty part.
    pub fn parse(text: &str) -> Result<Self, LogFilterError> {
        if text.len() > MAX_FILTER_BYTES {
            return Err(LogFilterError::TooLong);
        }
        let mut targets = Targets::new();
        let mut parts = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            targets = directive(targets, part)?;
            parts.push(part);
        }
        if parts.is_empty() {
            return Err(LogFilterError::Empty);
        }
        Ok(Self { text: parts.join(","), targets })
    }

    /// The filter as text, without superfluous blanks and commas.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The levels. Spans of services are always enabled, as their names belong to every line.
    pub(super) fn targets(&self) -> Targets {
        self.targets.clone().with_target(SERVICE_SPAN, LevelFilter::ERROR)
    }
}

impl Default for LogFilter {
    /// `warn`, the original's default: `specs/nextcloud.md` section 8.
    fn default() -> Self {
        Self { text: "warn".to_owned(), targets: Targets::new().with_default(LevelFilter::WARN) }
    }
}

impl fmt::Debug for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.text).finish()
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn directive(targets: Targets, part: &str) -> Result<Targets, LogFilterError> {
    let bad = || LogFilterError::Directive(part.chars().take(64).collect());
    if let Some((path, name)) = part.split_once('=') {
        let (path, level) = (path.trim(), level(name.trim()).ok_or_else(bad)?);
        return if is_path(path) { Ok(targets.with_target(path, level)) } else { Err(bad()) };
    }
    if let Some(level) = level(part) {
        return Ok(targets.with_default(level));
    }
    let ours = part == "notify_push" || part.contains("::");
    if ours && is_path(part) {
        Ok(targets.with_target(part, LevelFilter::TRACE))
    } else {
        Err(bad())
    }
}

fn level(name: &str) -> Option<LevelFilter> {
    Some(match name.to_ascii_lowercase().as_str() {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return None,
    })
}

fn is_path(path: &str) -> bool {
    !path.is_empty() && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:-.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::{LogFilter, LogFilterError, MAX_FILTER_BYTES};
    use tracing::Level;

    fn enables(filter: &str, target: &str, level: Level) -> bool {
        LogFilter::parse(filter).unwrap().targets().would_enable(target, &level)
    }

    #[test]
    fn a_bare_level_counts_for_every_module() {
        assert!(enables("INFO", "notify_push::hub", Level::INFO));
        assert!(enables("info", "sqlx", Level::INFO));
        assert!(!enables("info", "notify_push::hub", Level::DEBUG));
    }

    #[test]
    fn a_module_counts_for_what_is_below_it_and_nothing_else() {
        let filter = "warn, notify_push=debug ,notify_push::auth=off";
        assert!(enables(filter, "notify_push::hub", Level::DEBUG));
        assert!(!enables(filter, "notify_push::auth::chain", Level::ERROR));
        assert!(!enables(filter, "hyper", Level::INFO));
        assert!(!enables("notify_push=debug", "hyper", Level::ERROR));
    }

    #[test]
    fn a_path_without_level_means_everything_from_there() {
        assert!(enables("notify_push", "notify_push::hub", Level::TRACE));
        assert!(enables("notify_push::hub", "notify_push::hub", Level::TRACE));
    }

    #[test]
    fn mistakes_are_named_instead_of_silencing_the_log() {
        for wrong in ["debgu", "notify_push=debgu", "=debug", "a[b]=info", "notify push=info"] {
            let error = LogFilter::parse(wrong).unwrap_err();
            assert_eq!(error, LogFilterError::Directive(wrong.to_owned()));
            assert!(error.to_string().contains("notify_push=debug"), "{error}");
        }
        assert_eq!(LogFilter::parse(" , ").unwrap_err(), LogFilterError::Empty);
        let long = "a".repeat(MAX_FILTER_BYTES + 1);
        assert_eq!(LogFilter::parse(&long).unwrap_err(), LogFilterError::TooLong);
    }

    #[test]
    fn reads_back_what_it_prints() {
        let filter = LogFilter::parse(" warn ,, notify_push=trace,").unwrap();
        assert_eq!(filter.as_str(), "warn,notify_push=trace");
        assert_eq!(LogFilter::parse(filter.as_str()).unwrap(), filter);
        assert_eq!(LogFilter::parse(LogFilter::default().as_str()).unwrap(), LogFilter::default());
    }
}
