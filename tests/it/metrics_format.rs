//! Prometheus's own checker reads the metrics page.

use notify_push::{
    push::{AuthDecision, notice::TopicId},
    runtime::MetricsPage,
    services::{MetricLabelNames, ServiceMetrics, nextcloud::CompatSnapshot},
};
use std::{
    io::Write,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

/// The original's names break the rules (`_count` is a histogram's) and must stay as they are.
const ORIGINAL: [&str; 5] = [
    "active_connection_count ",
    "active_user_count ",
    "total_connection_count ",
    "mapping_query_count ",
    "event_count_total ",
];

fn page() -> String {
    let observers = ServiceMetrics::register(MetricLabelNames {
        service: None,
        topics: &["file", "activity", "notification"],
        channels: &["notify_storage_update", "notify_activity"],
        methods: &["ticket", "database", "nextcloud"],
    })
    .unwrap();
    let _guard = observers.hub.connections.enter();
    observers.hub.notified(TopicId(0), 3, Duration::from_millis(100), Duration::ZERO);
    observers.hub.delivered(Duration::from_micros(80), 1);
    observers.auth.checked("database", AuthDecision::Accept(()), Duration::from_millis(2));
    let mut page = MetricsPage::new("1.2.3 \"quoted\\\"\n").unwrap();
    let metrics = observers.metrics().clone();
    page.add(None, metrics, Some(Arc::new(move || CompatSnapshot::from(&observers).metrics())));
    page.text().unwrap()
}

fn complaints(page: &str) -> Vec<String> {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is in the Debian package prometheus; tests/run installs it");
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    // 0: nothing to say; 3: readable, but against a custom; anything else: not readable.
    assert!(matches!(output.status.code(), Some(0 | 3)), "{said}\n{page}");
    said.lines().map(str::to_owned).collect()
}

#[test]
fn promtool_reads_the_page_and_finds_fault_with_the_originals_names_alone() {
    let complaints = complaints(&page());
    let new: Vec<_> = complaints
        .iter()
        .filter(|line| !ORIGINAL.iter().any(|name| line.starts_with(name)))
        .collect();
    assert_eq!(new, [""; 0], "about names of our own");
}

#[test]
fn promtool_would_notice_a_page_that_is_wrong() {
    let twice = page() + "# HELP notify_push_users Again.\n# TYPE notify_push_users gauge\n";
    let refused = std::panic::catch_unwind(|| complaints(&(twice + "notify_push_users 1\n")));
    assert!(refused.is_err());
}
