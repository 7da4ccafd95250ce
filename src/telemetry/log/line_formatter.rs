//! Formats a message as one line of text, whatever a peer put into it.

use std::fmt::{self, Write};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer, time::FormatTime,
    },
    registry::LookupSpan,
};

/// The text before the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinePrefixStyle {
    /// Time, level, module.
    Text {
        /// Whether the level is coloured.
        colours: bool,
    },
    /// `<priority>` and module.
    Journal,
}

/// Formats events as single lines; `T` writes the time (`()` writes none).
pub(super) struct LineFormatter<T> {
    style: LinePrefixStyle,
    timer: T,
}

impl<T: FormatTime> LineFormatter<T> {
    pub(super) fn new(style: LinePrefixStyle, timer: T) -> Self {
        Self { style, timer }
    }

    fn head(&self, out: &mut Writer<'_>, level: Level) -> fmt::Result {
        match self.style {
            LinePrefixStyle::Journal => write!(out, "<{}>", priority(level)),
            LinePrefixStyle::Text { colours } => {
                self.timer.format_time(out)?;
                match colours.then(|| colour(level)) {
                    Some(code) => write!(out, " \x1b[{code}m{level:>5}\x1b[0m "),
                    None => write!(out, " {level:>5} "),
                }
            }
        }
    }
}

impl<S, N, T> FormatEvent<S, N> for LineFormatter<T>
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
    T: FormatTime,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        write!(text, "{}: ", event.metadata().target())?;
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            write!(text, "{}", span.name())?;
            match span.extensions().get::<FormattedFields<N>>() {
                Some(fields) if !fields.is_empty() => write!(text, "{{{fields}}}: ")?,
                _ => text.push_str(": "),
            }
        }
        context.format_fields(Writer::new(&mut text), event)?;
        self.head(&mut out, *event.metadata().level())?;
        write_printable(&mut out, &text)?;
        writeln!(out)
    }
}

// A line break in a field would start a forged line, and an escape sequence would reach a reader's
// terminal.
fn write_printable(out: &mut Writer<'_>, text: &str) -> fmt::Result {
    for piece in text.split_inclusive(char::is_control) {
        match piece.chars().next_back() {
            Some(last) if last.is_control() => {
                out.write_str(&piece[..piece.len() - last.len_utf8()])?;
                write!(out, "{}", last.escape_default())?;
            }
            _ => out.write_str(piece)?,
        }
    }
    Ok(())
}

// sd-daemon(3), the levels of syslog.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

// ECMA-48 "select graphic rendition": red, yellow, green, blue, magenta.
fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        _ => 35,
    }
}
