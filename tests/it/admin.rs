//! The admin listener over real sockets: metrics, log filter, sessions.

use futures_util::future::BoxFuture;
use notify_push::{
    health::HealthRegistry,
    lifecycle::TaskGroup,
    runtime::{
        MetricsPage,
        admin::{
            AdminApi, AdminClientError, AdminCommand, MAX_WATCHERS, StatusContext, admin, ask,
        },
        status::StatusSampler,
    },
    server::{
        BindAddress, BoundListener, ConnectionTimeouts, HttpServer, LocalAddress,
        NoopConnectionObserver, PreAuthLimiter, PreAuthLimits, routes,
    },
    services::{MetricLabelNames, ServiceMetrics, SessionSummary, Sessions},
    telemetry::log::{LogControl, LogFilter, LogFormat, build},
};
use std::{
    sync::{Arc, Mutex},
    time::SystemTime,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Records the users whose sessions were revoked; each had three.
struct RecordingSessions(Arc<Mutex<Vec<String>>>);

impl Sessions for RecordingSessions {
    fn count(&self) -> usize {
        2
    }

    fn list(&self, user: Option<&str>) -> BoxFuture<'static, Vec<SessionSummary>> {
        let all = ["alice", "bob & co"];
        let user = user.map(str::to_owned);
        let listed = all
            .iter()
            .enumerate()
            .filter(|(_, name)| user.as_deref().is_none_or(|it| it == **name));
        let listed = listed
            .map(|(n, name)| SessionSummary { id: format!("0-{n}-1"), user: (*name).to_owned() });
        let listed = listed.collect();
        Box::pin(std::future::ready(listed))
    }

    fn revoke(&self, user: &str) -> BoxFuture<'static, usize> {
        self.0.lock().unwrap().push(user.to_owned());
        Box::pin(std::future::ready(3))
    }
}

struct AdminFixture {
    tasks: TaskGroup,
    tcp: BindAddress,
    unix: BindAddress,
    log: LogControl,
    revoked: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl AdminFixture {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let unix = BindAddress::Unix { path: folder.path().join("admin"), permissions: 0o660 };
        let names =
            MetricLabelNames { service: None, topics: &["file"], channels: &[], methods: &[] };
        let observers = ServiceMetrics::register(names).unwrap();
        let mut page = MetricsPage::new("0").unwrap();
        page.add(None, observers.metrics().clone(), None);
        let (_, log) = build(LogFilter::default(), LogFormat::Json, std::io::sink);
        let revoked = Arc::new(Mutex::new(Vec::new()));
        let sessions: Arc<dyn Sessions> = Arc::new(RecordingSessions(Arc::clone(&revoked)));
        let health = HealthRegistry::new([], Arc::new(|| SystemTime::UNIX_EPOCH));
        let (numbers, filter) = (page.clone(), log.clone());
        let (numbers, current) = (move || numbers.text().ok(), move || filter.current());
        let tasks = TaskGroup::default();
        let status = StatusContext {
            sampler: Arc::new(StatusSampler::new(health.clone(), numbers, current)),
            log: log.clone(),
            play: None,
            stopping: tasks.stopping().clone(),
        };
        let asked = AdminApi {
            page: Arc::new(move || page.text()),
            log: log.clone(),
            sessions: [(None, sessions)].into(),
            health,
        };
        let filter = admin(asked, status);
        let pre_auth = PreAuthLimits { total: 99, per_address: 99 };
        let front = HttpServer {
            routes: routes(filter),
            pre_auth: PreAuthLimiter::new(pre_auth, |_| false, Arc::new(NoopConnectionObserver)),
            limits: ConnectionTimeouts::default(),
            tasks,
            observer: Arc::new(NoopConnectionObserver),
        };
        let tasks = front.tasks.clone();
        let loopback = BindAddress::Tcp { address: Some([127, 0, 0, 1].into()), port: 0 };
        let bound = [&loopback, &unix].map(|bind| {
            let listener = BoundListener::bind(bind).unwrap();
            let local = listener.local().unwrap();
            tasks.spawn(front.clone().serve(listener, None));
            local
        });
        let LocalAddress::Tcp(address) = bound[0] else { panic!("not TCP") };
        let tcp = BindAddress::Tcp { address: Some(address.ip()), port: address.port() };
        Self { tasks, tcp, unix, log, revoked, _folder: folder }
    }

    async fn raw(&self, request: &str) -> String {
        let BindAddress::Tcp { port, .. } = self.tcp else { panic!("not TCP") };
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn say(&self, line: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-length: {length}\r\n{headers}\r\n{body}"
        );
        self.raw(&request).await
    }
}

impl Drop for AdminFixture {
    fn drop(&mut self) {
        self.tasks.stopping().cancel();
    }
}

#[tokio::test]
async fn the_command_changes_the_filter_of_the_running_daemon_and_restores_it() {
    let daemon = AdminFixture::start();
    for bind in [&daemon.tcp, &daemon.unix] {
        let bind = std::slice::from_ref(bind);
        let set = AdminCommand::SetLog("notify_push=debug".into());
        assert_eq!(ask(bind, &set).await.unwrap(), "notify_push=debug");
        assert_eq!(daemon.log.current(), "notify_push=debug");
        assert_eq!(ask(bind, &AdminCommand::ShowLog).await.unwrap(), "notify_push=debug");
        assert_eq!(ask(bind, &AdminCommand::RestoreLog).await.unwrap(), "warn");
        assert_eq!(daemon.log.current(), "warn");
    }
}

#[tokio::test]
async fn a_filter_that_is_none_is_explained_and_changes_nothing() {
    let daemon = AdminFixture::start();
    let asked =
        ask(std::slice::from_ref(&daemon.tcp), &AdminCommand::SetLog("verbose".into())).await;
    let error = asked.unwrap_err();
    assert!(
        matches!(&error, AdminClientError::BadRequest(text) if text.contains("\"verbose\"")),
        "{error}"
    );
    assert_eq!(daemon.log.current(), "warn");
}

fn revoke(user: &str) -> AdminCommand {
    AdminCommand::Revoke { service: None, user: user.to_owned() }
}

#[tokio::test]
async fn revoke_names_the_user_and_hears_how_many_sessions_there_were() {
    let daemon = AdminFixture::start();
    let bind = std::slice::from_ref(&daemon.unix);
    assert_eq!(ask(bind, &revoke("bob b/ö@x")).await.unwrap(), "3");
    assert_eq!(*daemon.revoked.lock().unwrap(), ["bob b/ö@x"]);
    assert!(matches!(ask(bind, &revoke("")).await, Err(AdminClientError::BadRequest(_))));
}

#[tokio::test]
async fn metrics_are_typed_text_for_anybody() {
    let daemon = AdminFixture::start();
    for headers in ["", "x-forwarded-for: 192.0.2.1\r\n"] {
        let answer = daemon.say("GET /metrics", headers, "").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
        assert!(answer.contains("\nnotify_push_connections 0\n"), "{answer}");
    }
    let head = daemon.say("HEAD /metrics", "", "").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn a_forwarded_request_controls_nothing_and_learns_nothing() {
    let daemon = AdminFixture::start();
    for line in ["GET /log-level", "PUT /log-level", "DELETE /log-level", "POST /revoke"] {
        for header in ["x-forwarded-for: 127.0.0.1", "via: 1.1 x", "origin: http://localhost"] {
            let answer = daemon.say(line, &format!("{header}\r\n"), "trace").await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{line} {header}: {answer}");
            assert!(answer.ends_with("\r\n\r\nForbidden\n"), "{answer}");
        }
        let old = daemon.raw(&format!("{line} HTTP/1.0\r\nhost: localhost\r\n\r\n")).await;
        assert!(old.starts_with("HTTP/1.0 403 "), "{old}");
        let rebound = format!("{line} HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
        assert!(daemon.raw(&rebound).await.starts_with("HTTP/1.1 403 "));
    }
    assert_eq!(daemon.log.current(), "warn");
    assert!(daemon.revoked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn other_methods_and_paths_are_refused_by_name() {
    let daemon = AdminFixture::start();
    for (line, allow) in [
        ("POST /metrics", "GET, HEAD"),
        ("POST /log-level", "GET, HEAD, PUT, DELETE"),
        ("GET /revoke", "POST"),
    ] {
        let answer = daemon.say(line, "", "").await;
        assert!(answer.starts_with("HTTP/1.1 405 "), "{line}: {answer}");
        assert!(answer.contains(&format!("allow: {allow}\r\n")), "{line}: {answer}");
    }
    for line in
        ["PUT /", "GET /metrics/x", "POST /status/act/file", "PUT /log-level/x", "GET /push/ws"]
    {
        assert!(daemon.say(line, "", "").await.starts_with("HTTP/1.1 404 "), "{line}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_however_it_is_sent() {
    let daemon = AdminFixture::start();
    let long = "a".repeat(1025);
    let answer = daemon.say("PUT /log-level", "", &long).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let chunked = format!(
        "PUT /log-level HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         transfer-encoding: chunked\r\n\r\n401\r\n{long}\r\n0\r\n\r\n"
    );
    assert!(daemon.raw(&chunked).await.starts_with("HTTP/1.1 413 "));
    let not_text = "PUT /log-level HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                    transfer-encoding: chunked\r\n\r\nzz\r\n";
    assert!(daemon.raw(not_text).await.starts_with("HTTP/1.1 400 "));
    assert_eq!(daemon.log.current(), "warn");
}

#[tokio::test]
async fn the_status_page_brings_its_policy_and_is_shown_on_this_machine_alone() {
    let daemon = AdminFixture::start();
    let page = daemon.say("GET /status", "sec-fetch-site: cross-site\r\n", "").await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.contains("content-security-policy: default-src 'none';"), "{page}");
    assert!(page.contains("<!doctype html>"));
    let home = daemon.say("GET /", "", "").await;
    assert!(home.starts_with("HTTP/1.1 303 ") && home.contains("location: /status\r\n"), "{home}");
    let far = daemon.say("GET /status", "x-forwarded-for: 127.0.0.1\r\n", "").await;
    assert!(far.starts_with("HTTP/1.1 403 ") && far.contains("ssh -L"), "{far}");
    let rebound = "GET /status HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert!(daemon.raw(rebound).await.starts_with("HTTP/1.1 403 "));
    assert!(daemon.say("PUT /status", "", "").await.starts_with("HTTP/1.1 405 "));
}

/// A connection to the events, read up to the first sample.
async fn watch(daemon: &AdminFixture, headers: &str) -> (TcpStream, String) {
    let BindAddress::Tcp { port, .. } = daemon.tcp else { panic!("not TCP") };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET /status/events HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    loop {
        let count = stream.read_buf(&mut heard).await.unwrap();
        let text = String::from_utf8_lossy(&heard).into_owned();
        if count == 0 || text.contains("event:sample") || !text.starts_with("HTTP/1.1 200 ") {
            return (stream, text);
        }
    }
}

#[tokio::test]
async fn so_many_may_look_and_no_more_and_nobody_from_another_page() {
    let daemon = AdminFixture::start();
    let mut looking = Vec::new();
    for _ in 0..MAX_WATCHERS {
        let (stream, heard) = watch(&daemon, "sec-fetch-site: same-origin\r\n").await;
        assert!(heard.contains("event:history") && heard.contains("event:sample"), "{heard}");
        looking.push(stream);
    }
    assert!(watch(&daemon, "").await.1.starts_with("HTTP/1.1 503 "));
    looking.pop();
    // The place is free once the server has noticed; until then the answer is the same.
    crate::support::until("a place is free", async || {
        watch(&daemon, "last-event-id: 1\r\n").await.1.contains("event:sample").then_some(())
    })
    .await;
    for others in [
        "sec-fetch-site: cross-site\r\n",
        "sec-fetch-site: same-site\r\norigin: http://localhost:3000\r\n",
        "origin: http://evil.example\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
    ] {
        assert!(watch(&daemon, others).await.1.starts_with("HTTP/1.1 403 "), "{others}");
    }
}

#[tokio::test]
async fn only_the_page_itself_may_set_the_log_level_from_a_browser() {
    let daemon = AdminFixture::start();
    for others in [
        "sec-fetch-site: cross-site\r\norigin: http://evil.example\r\n",
        "sec-fetch-site: same-site\r\norigin: http://localhost:3000\r\n",
        "sec-fetch-site: same-origin\r\norigin: http://localhost:3000\r\n",
        "sec-fetch-site: none\r\n",
    ] {
        let answer = daemon.say("PUT /log-level", others, "trace").await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{others}: {answer}");
    }
    assert_eq!(daemon.log.current(), "warn");
    let ours = "sec-fetch-site: same-origin\r\norigin: http://localhost\r\n";
    assert!(daemon.say("POST /revoke", ours, "bob").await.starts_with("HTTP/1.1 403 "));
    let answer = daemon.say("PUT /log-level", ours, "info").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(daemon.log.current(), "info");
}

#[tokio::test]
async fn sessions_are_listed_for_programs_on_this_machine() {
    let daemon = AdminFixture::start();
    let get = |path: &str, headers: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close\r\n\r\n")
    };
    let all = daemon.raw(&get("/sessions", "")).await;
    assert!(all.contains(r#""count":2"#) && all.contains("alice") && all.contains("bob"), "{all}");
    let one = daemon.raw(&get("/sessions?user=bob%20%26%20co", "")).await;
    assert!(one.contains("bob & co") && !one.contains("alice"), "{one}");
    let unknown = daemon.raw(&get("/sessions?service=x", "")).await;
    assert!(unknown.starts_with("HTTP/1.1 400"), "{unknown}");
    let forwarded = daemon.raw(&get("/sessions", "x-forwarded-for: 192.0.2.1\r\n")).await;
    assert!(forwarded.starts_with("HTTP/1.1 403"), "{forwarded}");
}
