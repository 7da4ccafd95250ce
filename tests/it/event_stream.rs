//! Server-sent events: a stream opens, tells, goes on where it broke off, and ends with the daemon.

use crate::support::{http, until, webhook::Webhook, within};
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A stream as a browser reads it, without one.
struct RawEventStream {
    stream: TcpStream,
    read: String,
}

impl RawEventStream {
    async fn open(host: &Webhook, path: &str, last: Option<&str>) -> Self {
        let address = host.daemon.address();
        let mut stream = TcpStream::connect(&address).await.expect("it listens");
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        Self { stream, read: String::new() }
    }

    /// Reads on until this has come.
    async fn says(&mut self, wanted: &str) -> &str {
        let coming = async {
            while !self.read.contains(wanted) {
                let mut bytes = [0; 4096];
                let count = self.stream.read(&mut bytes).await.expect("a connection");
                assert!(count > 0, "no {wanted:?} in {:?}", self.read);
                self.read.push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        };
        within(wanted, coming).await;
        &self.read
    }

    /// Reads to its end.
    async fn ends(mut self) -> String {
        let mut rest = Vec::new();
        within("its end", self.stream.read_to_end(&mut rest)).await.expect("a connection");
        self.read + &String::from_utf8_lossy(&rest)
    }
}

#[tokio::test]
async fn an_event_stream_resumes_after_the_last_id() {
    let host = Webhook::start().await;
    host.register("a%2Fb", "c%201").await;
    let path = "/events/a%2Fb?connectionId=c%201";
    let mut events = RawEventStream::open(&host, path, None).await;
    let head = events.says(": registered").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    for line in ["text/event-stream", "access-control-allow-origin: *", "x-accel-buffering: no"] {
        assert!(head.contains(line), "{line}: {head}");
    }
    let first = host.push("a%2Fb", "{\"a\":\n\"é☃😀\"}").await;
    events.says(&format!("id: {first}\ndata: {{\"a\":\ndata: \"é☃😀\"}}\n\n")).await;
    drop(events);
    let second = host.push("a%2Fb", "2").await;
    let third = host.push("a%2Fb", "3").await;
    let mut events = RawEventStream::open(&host, path, Some(&first)).await;
    let told = format!("id: {second}\ndata: 2\n\n");
    events.says(&told).await;
    let read = events.says(&format!("id: {third}\ndata: 3\n\n")).await;
    assert!(!read.contains(&first) && read.matches("data: ").count() == 2, "{read}");
}

#[tokio::test]
async fn a_refused_event_stream_gets_a_final_status() {
    let host = Webhook::start().await;
    host.register("alice", "c1").await;
    for (path, last, status, words) in [
        ("/events/alice?connectionId=c2", "", 404, "unknown\n"),
        ("/events/__proto__?connectionId=c1", "", 404, "unknown\n"),
        ("/events/alice", "", 400, "malformed\n"),
        ("/events/alice?connectionId=", "", 400, "malformed\n"),
        ("/events/alice?connectionId=c1", "x", 400, "malformed\n"),
    ] {
        let headers = [("Last-Event-ID", last)];
        let answer = http::get(&host.daemon.address(), path, &headers).await;
        assert_eq!((answer.status, &*answer.body), (status, words), "{path} {last}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
}

#[tokio::test]
async fn a_newer_connection_ends_an_event_stream() {
    let host = Webhook::start().await;
    host.register("alice", "c1").await;
    let path = "/events/alice?connectionId=c1";
    let mut older = RawEventStream::open(&host, path, None).await;
    older.says(": registered").await;
    let mut newer = RawEventStream::open(&host, path, None).await;
    newer.says(": registered").await;
    older.says("retry: 2147483647\nevent: replaced\n").await;
    host.push("alice", "1").await;
    newer.says("data: 1\n\n").await;
}

#[tokio::test]
async fn the_daemon_ends_with_streams_open() {
    let mut host = Webhook::start().await;
    host.register("alice", "c1").await;
    let path = "/events/alice?connectionId=c1";
    let mut events = RawEventStream::open(&host, path, None).await;
    events.says(": registered").await;
    host.daemon.signal(Signal::TERM);
    let read = events.ends().await;
    // Properly: the last chunk of a body.
    assert!(read.ends_with("0\r\n\r\n"), "{read:?}");
    let status = until("the daemon ends", async || host.daemon.ended()).await;
    assert!(status.success(), "{}", host.daemon.log());
}
