//! The status page in a real browser: what happens is seen, the log level changes, it can be read in
//! light and dark, on a phone, by keyboard and without colour.

use crate::support::{
    Server, browser::Browser, client::Client, daemon::Daemon, folder, free_port, http,
    installation::Installation, until,
};
use notify_push::{
    health::{DependencyState, HealthRegistry, ServiceDependency},
    lifecycle::TaskGroup,
    push::notice::TopicId,
    runtime::{
        MetricsPage,
        admin::{AdminApi, StatusContext, admin},
        status::StatusSampler,
    },
    server::{
        BindAddress, BoundListener, ConnectionTimeouts, HttpServer, NoopConnectionObserver,
        PreAuthLimiter, PreAuthLimits, routes,
    },
    services::{MetricLabelNames, ServiceMetrics},
    telemetry::log::{LogFilter, LogFormat, build},
};
use serde_json::json;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

const OUT: &str = env!("CARGO_TARGET_TMPDIR");

async fn daemon() -> (Installation, Daemon, String) {
    let port = free_port().to_string();
    let installation = Installation::start().await;
    installation.user_with_home("alice", 7, 1).await;
    let daemon = installation.daemon(&[("ADMIN_PORT", &port), ("LOG", "warn")]).await;
    (installation, daemon, format!("127.0.0.1:{port}"))
}

fn shown(number: u64) -> impl Fn(&str) -> bool {
    move |text| text == number.to_string()
}

#[tokio::test]
async fn values_move_when_events_flow_and_the_log_level_changes() {
    let (mut installation, daemon, address) = daemon().await;
    let browser = Browser::start().await;
    browser.open(&format!("http://{address}/")).await;
    assert_eq!(browser.eval("location.pathname").await, "/status");
    browser.shows("#verdict-text", |text| text == "ready").await;
    browser.shows("#connections", shown(0)).await;

    let mut alice = Client::log_in(&daemon.url(), "alice", "alice-password").await;
    browser.shows("#connections", shown(1)).await;
    browser.shows("#outcomes", |text| text.contains("accepted")).await;
    installation.redis.publish("notify_activity", r#"{"user":"alice"}"#).await;
    assert_eq!(alice.text().await, "notify_activity");
    browser.shows("#latency-table", |text| text.contains("activity\t1\t")).await;
    browser.shows("#received", |text| text.contains("activity")).await;
    browser.shows("#messages-note", |text| text == "1 so far").await;
    assert!(
        browser.eval("document.querySelectorAll('#sent-chart polyline').length").await.as_u64()
            >= Some(4)
    );
    drop(alice);
    browser.shows("#connections", shown(0)).await;
    browser
        .shows("#ends", |text| {
            text.contains("connection lost") || text.contains("closed by the client")
        })
        .await;

    let level = async |wanted: &str| {
        let is = async || {
            (http::get(&address, "/log-level", &[]).await.body.trim() == wanted).then_some(())
        };
        until(wanted, is).await;
    };
    browser.eval("document.querySelector('#level').value = 'error'").await;
    browser.click("#log button[type=submit]").await;
    level("error").await;
    browser.shows("#log-said", |text| text == "now error").await;
    browser.click("#restore").await;
    level("warn").await;

    installation.redis.kill();
    browser.shows("#verdict-text", |text| text.starts_with("not ready: Redis")).await;
    browser.shows("#dependencies [data-state=down] .why", |text| !text.is_empty()).await;
    browser.shows("#warnings [data-level=warn] .level", |text| text == "warning").await;
    assert_eq!(browser.complaints().await, [""; 0]);

    // An open status page doesn't delay the shutdown.
    let mut daemon = daemon;
    assert_eq!(daemon.stop().await.code(), Some(0));
    assert!(!daemon.log().contains("did not finish in time"), "{}", daemon.log());
    browser.shows("#verdict-text", |text| text == "no answer").await;
}

#[tokio::test]
async fn the_demo_page_is_a_client_that_hears_what_its_buttons_do() {
    let folder = folder("demo-page");
    let temporary = folder.path().to_owned();
    let demo = Server::start(
        env!("CARGO_BIN_EXE_notify_push"),
        &folder.path().join("log"),
        move |command| {
            command.arg("demo").env("TMPDIR", &temporary);
        },
    );
    let page = until("the demo says where its page is", async || {
        let log = demo.log();
        log.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned)
    })
    .await;
    let browser = Browser::start().await;
    browser.open(&page).await;
    for name in ["carol", "dave"] {
        browser.shows(&format!("#client-{name} h3"), |text| text.contains("logged in")).await;
    }
    browser.click("[data-act=shared]").await;
    for name in ["carol", "dave"] {
        browser
            .shows(&format!("#client-{name} ol"), |text| text.contains("notify_file_id [5000]"))
            .await;
    }
    browser.click("[data-act=custom]").await;
    browser.shows("#client-carol ol", |text| text.contains("text_steps {\"version\":5001}")).await;
    browser.click("[data-act=notification]").await;
    browser.shows("#client-dave ol", |text| text.contains("notify_notification")).await;
    assert!(!browser.text("#client-dave ol").await.contains("text_steps"));
    for (width, height, scheme, name) in
        [(1280, 900, "light", "light"), (1280, 900, "dark", "dark"), (390, 844, "light", "phone")]
    {
        browser.viewport(width, height, scheme).await;
        fits(&browser, width).await;
        let file = Path::new(OUT).join(format!("status-{name}.png"));
        assert!(browser.picture(&file).await > 20_000);
    }
    assert_eq!(browser.complaints().await, [""; 0]);
}

/// Nothing sticks out of the window, and the text of every chart lies within it.
async fn fits(browser: &Browser, width: u32) {
    until("nothing sticks out", async || {
        let wide = browser.eval("document.documentElement.scrollWidth").await.as_u64();
        (wide <= Some(width.into())).then_some(())
    })
    .await;
}

#[tokio::test]
async fn it_can_be_read_in_light_and_dark_by_keyboard_and_without_colour() {
    let (_installation, daemon, address) = daemon().await;
    let _alice = Client::log_in(&daemon.url(), "alice", "alice-password").await;
    let browser = Browser::start().await;
    browser.open(&format!("http://{address}/status")).await;
    browser.shows("#connections", shown(1)).await;
    for scheme in ["light", "dark"] {
        browser.viewport(1000, 800, scheme).await;
        let poor = browser.eval(&format!("({CONTRAST})()")).await;
        assert_eq!(poor, json!([]), "{scheme}: less contrast than WCAG 2.2, 1.4.3 asks for");
    }
    let nameless = browser.eval(
        "[...document.querySelectorAll('button, select, section, svg[role=img], [tabindex=\"0\"]')]\
         .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim() \
         || one.labels?.length || document.getElementById(one.getAttribute('aria-labelledby'))))\
         .map((one) => one.outerHTML)",
    );
    assert_eq!(nameless.await, json!([]), "without a name for screen readers");
    // By keyboard alone: the range is changed, and the chart is looked back in.
    browser.eval("document.querySelector('[data-range=\"3600\"]').focus()").await;
    let key = |kind: &str, key: &str| json!({"type": kind, "key": key, "text": if key == "Enter" { "\r" } else { "" }});
    for kind in ["keyDown", "keyUp"] {
        browser.devtools("Input.dispatchKeyEvent", key(kind, "Enter")).await;
    }
    let pressed = "document.querySelector('[data-range=\"3600\"]').ariaPressed";
    until("the hour is chosen", async || (browser.eval(pressed).await == "true").then_some(()))
        .await;
    browser.eval("document.querySelector('#clients-chart').focus()").await;
    browser.devtools("Input.dispatchKeyEvent", key("keyDown", "ArrowLeft")).await;
    browser.shows("#clients-read", |text| !text.starts_with("now")).await;
    // Each line has its name beside it and a dash pattern of its own.
    let dashes = browser
        .eval("[...document.querySelectorAll('#sent-chart polyline')].map((line) => line.getAttribute('stroke-dasharray'))")
        .await;
    let dashes: std::collections::BTreeSet<_> =
        dashes.as_array().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(dashes.len(), 4);
}

/// Names of colours that stand out less than 4.5 : 1 from what is behind them.
const CONTRAST: &str = "() => {
    const style = getComputedStyle(document.documentElement);
    const light = (name) => {
        const hex = style.getPropertyValue(name).trim();
        const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
            .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const poor = [];
    for (const ground of ['--paper', '--card']) {
        for (const ink of ['--ink', '--dim', '--good', '--bad', '--c0', '--c1', '--c2', '--c3']) {
            const [a, b] = [light(ink), light(ground)];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (!(ratio >= 4.5)) poor.push(`${ink} on ${ground}: ${ratio}`);
        }
    }
    return poor;
}";

/// The admin listener of a daemon with two hosts, one of which is broken; where it is.
async fn two_hosts() -> (TaskGroup, String) {
    let mut page = MetricsPage::new("0").unwrap();
    for (name, sessions) in [("north", 30), ("south", 4)] {
        let names = MetricLabelNames {
            service: Some(name),
            topics: &["file"],
            channels: &[],
            methods: &[],
        };
        let observers = ServiceMetrics::register(names).unwrap();
        observers.hub.notified(TopicId(0), sessions, Duration::from_millis(101), Duration::ZERO);
        page.add(Some(name), observers.metrics().clone(), None);
    }
    let begun = Instant::now();
    let redis = |service: &str, up: bool| {
        let condition = move || match up {
            true => DependencyState::Up { since: begun },
            false => DependencyState::Down { since: begun, why: "connection refused".into() },
        };
        let (service, condition) = (Some(service.into()), Arc::new(condition));
        ServiceDependency { name: "redis".into(), service, needed: true, condition }
    };
    let dependencies = [redis("north", true), redis("south", false)];
    let health = HealthRegistry::new(dependencies, Arc::new(|| SystemTime::UNIX_EPOCH));
    let (_, log) = build(LogFilter::default(), LogFormat::Json, std::io::sink);
    let (numbers, filter, tasks) = (page.clone(), log.clone(), TaskGroup::default());
    let sampler =
        StatusSampler::new(health.clone(), move || numbers.text().ok(), move || filter.current());
    let stopping = tasks.stopping().clone();
    let status =
        StatusContext { sampler: Arc::new(sampler), log: log.clone(), play: None, stopping };
    let asked =
        AdminApi { page: Arc::new(move || page.text()), log, sessions: Arc::new([]), health };
    let limits = PreAuthLimits { total: 99, per_address: 99 };
    let front = HttpServer {
        routes: routes(admin(asked, status)),
        pre_auth: PreAuthLimiter::new(limits, |_| true, Arc::new(NoopConnectionObserver)),
        limits: ConnectionTimeouts::default(),
        tasks: tasks.clone(),
        observer: Arc::new(NoopConnectionObserver),
    };
    let loopback = BindAddress::Tcp { address: Some([127, 0, 0, 1].into()), port: 0 };
    let listener = BoundListener::bind(&loopback).unwrap();
    let address = listener.local().unwrap().to_string();
    tasks.spawn(front.serve(listener, None));
    (tasks, address)
}

#[tokio::test]
async fn of_several_hosts_one_can_be_looked_at_alone() {
    let (tasks, address) = two_hosts().await;
    let browser = Browser::start().await;
    browser.open(&format!("http://{address}/status")).await;
    browser.shows("#messages-note", |text| text == "34 so far").await;
    browser
        .shows("#dependencies", |text| {
            text.contains("north: Redis") && text.contains("south: Redis")
        })
        .await;
    assert_eq!(browser.text("#verdict-text").await, "ready", "the north is whole");
    for (host, so_far) in [("south", "4 so far"), ("north", "30 so far"), ("", "34 so far")] {
        let choose = format!(
            "(select => {{ select.value = {host:?}; select.dispatchEvent(new Event('change')); }})\
             (document.querySelector('#service select'))"
        );
        browser.eval(&choose).await;
        browser.shows("#messages-note", |text| text == so_far).await;
        browser
            .shows("#latency-table", |text| text.contains(so_far.trim_end_matches(" so far")))
            .await;
        let alone = |text: &str| host.is_empty() || text.matches("Redis").count() == 1;
        assert!(browser.shows("#dependencies", alone).await.contains(host));
    }
    assert_eq!(browser.complaints().await, [""; 0]);
    tasks.stopping().cancel();
}
