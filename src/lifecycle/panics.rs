//! Logs a panic with its place, and its message only if it is a literal.

use std::panic::{self, PanicHookInfo};

/// Logs every panic of the process as an error: thread and place, and the message only when it is
/// a literal in the source. A formatted message may quote a peer's input or a secret.
///
/// Replaces the hook that prints to stderr; call it once the log is installed.
pub fn log_panics() {
    panic::set_hook(Box::new(log));
}

fn log(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let message = panic.payload().downcast_ref::<&'static str>().copied();
    let message = message.unwrap_or("(a formatted message, left out)");
    tracing::error!(place, thread, "panic, a defect of this program: {message}");
}

#[cfg(test)]
mod tests {
    use crate::telemetry::log::{LogFilter, LogFormat, build};
    use std::{io, sync::mpsc};

    struct LineSender(mpsc::Sender<String>);

    impl io::Write for LineSender {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let line = String::from_utf8_lossy(bytes).into_owned();
            self.0.send(line).map_err(io::Error::other)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    // The hook is the process's: other tests that panic meanwhile keep the one they had.
    fn on_this_thread() {
        let (before, here) = (std::panic::take_hook(), std::thread::current().id());
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().id() == here { super::log(panic) } else { before(panic) }
        }));
    }

    fn logged(body: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let (sender, lines) = mpsc::channel();
        let writer = move || LineSender(sender.clone());
        let (log, _control) = build(LogFilter::default(), LogFormat::Journal, writer);
        tracing::subscriber::with_default(log, || assert!(std::panic::catch_unwind(body).is_err()));
        lines.recv().unwrap()
    }

    #[test]
    fn the_place_is_logged_but_no_data() {
        on_this_thread();
        let password = String::from("hunter2");
        let line = logged(move || panic!("no such user: {password}"));
        assert!(line.starts_with("<3>notify_push::lifecycle::panics: panic"), "{line}");
        assert!(line.contains("src/lifecycle/panics.rs:"), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
        assert!(logged(|| panic!("a literal")).contains("a literal"));
    }
}
