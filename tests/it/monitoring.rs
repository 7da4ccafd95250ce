//! The alert rules and the dashboard in `monitoring/`: what they name exists, and the alerts fire
//! when they should.

use crate::support::{client::Client, free_port, http, installation::Installation};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path, process::Command};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/monitoring"))
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

/// All texts anywhere in a JSON document under the key `expr`.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| expressions(value, found));
        }
        _ => {}
    }
}

/// The metrics an expression names, each with the label values it asks for.
fn named(expression: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found = Vec::new();
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    for prefix in ["notify_push_", "process_"] {
        for (at, _) in expression.match_indices(prefix) {
            if expression[..at].ends_with(is_name) {
                continue;
            }
            let end = expression[at..]
                .find(|letter| !is_name(letter))
                .map_or(expression.len(), |end| at + end);
            let selector =
                expression[end..].strip_prefix('{').and_then(|rest| rest.split('}').next());
            found.push((expression[at..end].to_owned(), selector.map_or(Vec::new(), values)));
        }
    }
    found
}

/// `a="x", b=~"y|z"` as single values; variables of the dashboard are left out.
fn values(selector: &str) -> Vec<(String, String)> {
    let mut values = Vec::new();
    for part in selector.split(',') {
        let Some((label, value)) = part.split_once('=') else { continue };
        let value = value.trim_start_matches('~').trim_matches('"');
        let known = ["job", "instance", "service"].contains(&label.trim());
        let each = value.split('|').filter(|_| !known);
        values.extend(each.map(|value| (label.trim().to_owned(), value.to_owned())));
    }
    values
}

async fn page() -> String {
    let port = free_port().to_string();
    let installation = Installation::start().await;
    installation.user_with_home("alice", 7, 1).await;
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let variables =
        [("METRICS_PORT", &*port), ("NEXTCLOUD_URL", &nowhere), ("AUTH", "database,nextcloud")];
    let daemon = installation.daemon(&variables).await;
    // A user that only Nextcloud could know, so that it was asked.
    let mut unauthenticated = Client::connect(&daemon.url()).await;
    assert!(unauthenticated.credentials("nobody", "wrong").await.starts_with("err:"));
    http::get(&format!("127.0.0.1:{port}"), "/metrics", &[]).await.body
}

#[tokio::test]
async fn every_metric_and_label_that_is_named_exists() {
    let page = page().await;
    let mut expressions_found = Vec::new();
    expressions(&serde_json::from_str(&read("grafana.json")).unwrap(), &mut expressions_found);
    assert!(expressions_found.len() > 40);
    expressions_found.push(read("alerts.yml"));
    expressions_found.push(read("README.md"));
    let mut names = BTreeSet::new();
    for (name, wanted) in expressions_found.iter().flat_map(|text| named(text)) {
        let lines: Vec<&str> = page
            .lines()
            .filter(|line| {
                line.strip_prefix(&*name).is_some_and(|rest| {
                    rest.starts_with(['{', ' ']) || rest.starts_with("_bucket{")
                })
            })
            .collect();
        assert!(!lines.is_empty(), "{name} is not on the page:\n{page}");
        for (label, value) in wanted {
            let pair = format!("{label}=\"{value}\"");
            assert!(lines.iter().any(|line| line.contains(&pair)), "{name}{{{pair}}}");
        }
        names.insert(name);
    }
    assert!(names.len() > 30, "{names:?}");
}

#[test]
fn promtool_finds_the_rules_good_and_each_alert_has_an_example_that_fires() {
    for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]] {
        let run = Command::new("promtool").args(arguments).current_dir(folder()).output();
        let run = run.expect("promtool is in the Debian package prometheus; tests/run installs it");
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        let complaints = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{arguments:?}: {said}{complaints}");
    }
    let examples = read("alerts.test.yml");
    let rules = read("alerts.yml");
    let alerts: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 10);
    for alert in alerts {
        let fires = format!("alertname: {alert}\n        exp_alerts:\n");
        assert!(examples.contains(&fires), "{alert} has no example");
    }
}

#[test]
fn the_dashboard_is_one_that_grafana_imports() {
    let dashboard: Value = serde_json::from_str(&read("grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "an id given twice");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(!panel["title"].as_str().unwrap().is_empty());
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{}", panel["title"]);
        assert_eq!(panel["datasource"]["uid"], "${datasource}");
    }
}
