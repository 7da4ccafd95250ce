//! What ends up in the log, seen through a writer that keeps it.

use super::{LogControl, LogFilter, LogFilterError, LogFormat, build, service_span};
use std::{
    io,
    sync::{Arc, Mutex},
};
use tracing::dispatcher::{Dispatch, with_default};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl CapturedLog {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for CapturedLog {
    type Writer = CapturedLog;
    fn make_writer(&self) -> CapturedLog {
        self.clone()
    }
}

fn log(filter: &str, format: LogFormat) -> (Dispatch, LogControl, CapturedLog) {
    let kept = CapturedLog::default();
    let (subscriber, control) = build(LogFilter::parse(filter).unwrap(), format, kept.clone());
    (Dispatch::new(subscriber), control, kept)
}

const TEXT: LogFormat = LogFormat::Text { colours: false };

#[test]
fn a_filter_set_while_running_takes_effect_and_restore_goes_back_to_the_configured_one() {
    let (log, control, kept) = log("warn", TEXT);
    let say = || with_default(&log, || tracing::debug!("hello"));
    say();
    assert_eq!(kept.take(), "");
    control.set("info").unwrap();
    control.set("notify_push=debug").unwrap();
    say();
    assert!(kept.take().contains("hello"));
    assert_eq!(control.current(), "notify_push=debug");
    control.restore();
    say();
    assert_eq!((kept.take().as_str(), control.current().as_str()), ("", "warn"));
}

#[test]
fn a_bad_filter_changes_nothing() {
    let (_log, control, _kept) = log("info", TEXT);
    assert!(matches!(control.set("nonsense"), Err(LogFilterError::Directive(_))));
    assert_eq!(control.current(), "info");
}

#[test]
fn settings_read_again_wait_behind_a_temporary_filter() {
    let (_log, control, _kept) = log("warn", TEXT);
    control.configure(LogFilter::parse("info").unwrap());
    assert_eq!(control.current(), "info");
    control.set("trace").unwrap();
    control.configure(LogFilter::parse("error").unwrap());
    assert_eq!(control.current(), "trace");
    control.restore();
    assert_eq!(control.current(), "error");
}

#[test]
fn text_has_time_level_module_message_and_fields_on_one_line() {
    let (log, _control, kept) = log("info", TEXT);
    with_default(&log, || {
        let _span = tracing::info_span!("redis", server = 1).entered();
        tracing::warn!(retry_ms = 250, "lost the connection");
    });
    let line = kept.take();
    let (time, rest) = line.split_once(' ').unwrap();
    assert!(time.ends_with('Z') && time.contains('T'), "{line}");
    let expected =
        format!(" WARN {}: redis{{server=1}}: lost the connection retry_ms=250\n", module_path!());
    assert_eq!(rest, expected);
}

#[test]
fn a_line_names_its_service_whatever_the_filter_was_at_the_start() {
    let (log, control, kept) = log("off", TEXT);
    with_default(&log, || {
        let _span = service_span("a").entered();
        tracing::error!("unheard");
        control.set("notify_push::telemetry=info").unwrap();
        tracing::info!("heard");
    });
    assert!(
        kept.take().ends_with(&format!(" INFO {}: service{{name=a}}: heard\n", module_path!()))
    );
}

#[test]
fn the_journal_gets_a_priority_and_no_time() {
    let (log, _control, kept) = log("trace", LogFormat::Journal);
    with_default(&log, || {
        tracing::error!("a");
        tracing::warn!("b");
        tracing::info!("c");
        tracing::debug!("d");
    });
    let here = module_path!();
    assert_eq!(kept.take(), format!("<3>{here}: a\n<4>{here}: b\n<6>{here}: c\n<7>{here}: d\n"));
}

#[test]
fn nothing_in_a_field_can_forge_a_line_or_steer_a_terminal() {
    for format in [TEXT, LogFormat::Journal, LogFormat::Json] {
        let (log, _control, kept) = log("info", format);
        let user = "eve\n<0>all is well\x1b[2J\u{9b}2J\r";
        with_default(&log, || {
            let _span = tracing::info_span!("session", %user).entered();
            tracing::info!(%user, "said {user}");
        });
        let line = kept.take();
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
        assert!(line.ends_with('\n'), "{line:?}");
        assert!(!line.contains(['\x1b', '\r']), "{line:?}");
    }
}

#[test]
fn colours_stand_around_the_level_alone() {
    let (log, _control, kept) = log("info", LogFormat::Text { colours: true });
    with_default(&log, || tracing::info!(number = 1, "x"));
    let line = kept.take();
    assert!(line.contains("\x1b[32m INFO\x1b[0m notify_push"), "{line:?}");
    assert_eq!(line.matches('\x1b').count(), 2, "{line:?}");
}

#[test]
fn every_json_line_is_an_object_with_the_fields_beside_the_message() {
    let (log, _control, kept) = log("info", LogFormat::Json);
    with_default(&log, || {
        tracing::info!(storage = 7, path = "a \"b\"\n", "looked up");
        tracing::error!("second");
    });
    let text = kept.take();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["level"], "INFO");
    assert_eq!(lines[0]["target"], module_path!());
    assert_eq!(lines[0]["message"], "looked up");
    assert_eq!(lines[0]["storage"], 7);
    assert_eq!(lines[0]["path"], "a \"b\"\n");
    assert!(lines[0]["timestamp"].is_string());
}
