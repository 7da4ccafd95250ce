//! Pages of another origin in a real browser: the original's bundle and today's, over every way they
//! have, and event streams.

use crate::{
    documents::blocks::{CodeBlock, blocks},
    support::{browser::Browser, until, webhook::Webhook},
};
use notify_push::{
    lifecycle::TaskGroup,
    server::{
        BindAddress, BoundListener, ConnectionTimeouts, HttpServer, LocalAddress,
        NoopConnectionObserver, PreAuthLimiter, PreAuthLimits, routes,
    },
};
use std::{path::Path, sync::Arc};
use warp::{Filter, Reply};

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/socketio/node_modules");

fn bundle(package: &str, file: &str) -> String {
    let path = Path::new(CLIENTS).join(package).join("dist").join(file);
    std::fs::read_to_string(path).expect("tests/install has been run")
}

/// Pages somewhere else than the daemon, `/page/0` and on, and their port.
async fn elsewhere(pages: Vec<String>, tasks: &TaskGroup) -> u16 {
    let bind = BindAddress::Tcp { address: Some([127, 0, 0, 1].into()), port: 0 };
    let listener = BoundListener::bind(&bind).unwrap();
    let LocalAddress::Tcp(address) = listener.local().unwrap() else { panic!("not TCP") };
    let old = bundle("socket.io-client-1.7", "socket.io.js");
    let new = bundle("socket.io-client-4.8", "socket.io.js");
    let page = warp::path!("page" / usize)
        .map(move |number: usize| warp::reply::html(pages[number].clone()).into_response());
    let old = warp::path("old.js").map(move || script(&old));
    let new = warp::path("new.js").map(move || script(&new));
    let limits = PreAuthLimits { total: 99, per_address: 99 };
    let front = HttpServer {
        routes: routes(page.or(old).unify().or(new).unify()),
        pre_auth: PreAuthLimiter::new(limits, |_| false, Arc::new(NoopConnectionObserver)),
        limits: ConnectionTimeouts::default(),
        tasks: tasks.clone(),
        observer: Arc::new(NoopConnectionObserver),
    };
    tasks.spawn(front.serve(listener, None));
    address.port()
}

fn script(text: &str) -> warp::reply::Response {
    warp::reply::with_header(text.to_owned(), "content-type", "text/javascript").into_response()
}

/// What each client of the page is called, and how it is made.
const WAYS: [(&str, &str); 7] = [
    ("old", "old(URL, { forceNew: true })"),
    ("old-polling", "old(URL, { forceNew: true, transports: ['polling'] })"),
    ("old-websocket", "old(URL, { forceNew: true, transports: ['websocket'] })"),
    ("old-jsonp", "old(URL, { forceNew: true, transports: ['polling'], forceJSONP: true })"),
    ("new", "io(URL, { forceNew: true, withCredentials: true })"),
    ("new-polling", "io(URL, { forceNew: true, transports: ['polling'] })"),
    ("new-websocket", "io(URL, { forceNew: true, transports: ['websocket'] })"),
];

fn page(host: &str) -> String {
    let starts = WAYS.iter().map(|(name, made)| format!("start('{name}', {made});\n"));
    let clients: String = starts.collect();
    format!(
        "<!doctype html><meta charset=utf-8><title>elsewhere</title>
<script src=/old.js></script><script>const old = io;</script><script src=/new.js></script>
<script>
function show(name, text) {{
    let line = document.getElementById(name);
    if (!line) {{
        line = document.body.appendChild(document.createElement('p'));
        line.id = name;
    }}
    line.textContent = text;
}}
function start(name, socket) {{
    socket.on('connect', () => socket.emit('register', 'é☃', name, answer => {{
        show(name, JSON.stringify(answer));
    }}));
    socket.on('message', message => show(name, JSON.stringify(message)));
}}
const URL = 'http://{host}';
addEventListener('load', () => {{
    {clients}
    const events = new EventSource('http://{host}/events/%C3%A9%E2%98%83?connectionId=events');
    events.onopen = () => show('events', 'open');
    events.onmessage = event => show('events', event.data);
}});
</script><body>"
    )
}

#[tokio::test]
async fn a_page_of_another_origin_receives_over_every_transport() {
    let host = Webhook::start().await;
    let user = "%C3%A9%E2%98%83";
    let (tasks, browser) = (TaskGroup::default(), Browser::start().await);
    let port = elsewhere(vec![page(&host.daemon.address())], &tasks).await;
    let names = || WAYS.iter().map(|(name, _)| *name);
    for name in names().chain(["events"]) {
        host.register(user, name).await;
    }
    browser.open(&format!("http://localhost:{port}/page/0")).await;
    for name in names() {
        browser.shows(&format!("#{name}"), |text| text == r#"{"ok":true}"#).await;
    }
    browser.shows("#events", |text| text == "open").await;
    let message = r#"{"t":"é☃😀","n":[1,null,"</script>"]}"#;
    host.push(user, message).await;
    for name in names().chain(["events"]) {
        browser.shows(&format!("#{name}"), |text| text == message).await;
    }
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|line| line.contains("favicon")), "{complaints:?}");
    tasks.stopping().cancel();
}

#[tokio::test]
async fn the_bundle_that_pages_load_from_the_daemon_is_npms() {
    let host = Webhook::start().await;
    let answer = host.daemon.get("/socket.io/socket.io.js", &[]).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")));
    assert_eq!(answer.body, bundle("socket.io-client-4.8", "socket.io.min.js"));
    let licence = std::fs::read_to_string(Path::new(CLIENTS).join("socket.io-client-4.8/LICENSE"));
    assert_eq!(
        licence.expect("tests/install has been run"),
        include_str!("../../src/services/webhook/socketio/bundle.LICENSE"),
    );
}

/// A page around an example of the documents, which shows what it hears.
fn example(block: &CodeBlock, host: &str, connection: usize) -> String {
    let code = block.text.replace("://push.example.com", &format!("://{host}"));
    let code = code.replace("https://", "http://").replace("wss://", "ws://");
    let code = if block.language == "html" { code } else { format!("<script>{code}</script>") };
    format!(
        "<!doctype html><meta charset=utf-8><title>example</title><p id=heard></p><script>
const userId = 'é/☃', connectionId = 'c {connection}';
const show = message => document.getElementById('heard').textContent += message;
</script>{code}"
    )
}

#[tokio::test]
async fn the_documented_examples_receive_pushes() {
    let host = Webhook::start().await;
    let document = include_str!("../../docs/webhook-clients.md");
    let mut examples = blocks(document);
    examples.retain(|block| matches!(&*block.language, "html" | "javascript"));
    assert_eq!(examples.len(), 3);
    let address = host.daemon.address();
    let pages = examples.iter().zip(0..).map(|(block, number)| example(block, &address, number));
    let (tasks, user) = (TaskGroup::default(), "%C3%A9%2F%E2%98%83");
    let port = elsewhere(pages.collect(), &tasks).await;
    let browser = Browser::start().await;
    for number in 0..examples.len() {
        host.register(user, &format!("c%20{number}")).await;
        browser.open(&format!("http://localhost:{port}/page/{number}")).await;
        let entered = async || {
            let log = host.daemon.log();
            (log.matches("client connected").count() > number).then_some(())
        };
        until("it comes in", entered).await;
        for message in [r#""é""#, "1", "2"] {
            host.push(user, message).await;
        }
        browser.shows("#heard", |text| text == "é12").await;
    }
    tasks.stopping().cancel();
}
