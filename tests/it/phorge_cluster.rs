//! Several servers that pass messages on to one another: each browser receives each message once,
//! whichever server it was published to, and a server that is away misses nothing for a while.

use crate::support::{
    phorge::{Aphlict, AphlictPorts, LeaderTab},
    until,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

const TRIES: usize = 5;

/// Three servers, each of which lists all three, itself included.
async fn mesh() -> [Aphlict; 3] {
    for _ in 0..TRIES {
        let ports: [AphlictPorts; 3] = AphlictPorts::several();
        let everybody = listing(&ports.map(|ports| ports.admin));
        let mut servers = Vec::new();
        for own in ports {
            servers.extend(Aphlict::at(own, &everybody).await);
        }
        if let Ok(servers) = servers.try_into() {
            return servers;
        }
    }
    panic!("no free ports for three servers");
}

fn listing(admins: &[u16]) -> impl Fn(&mut Value) + use<> {
    let peer = |port| json!({"host": "127.0.0.1", "port": port, "protocol": "http"});
    let cluster: Vec<Value> = admins.iter().map(peer).collect();
    move |file| file["cluster"] = json!(cluster)
}

async fn browsers(servers: &[Aphlict; 3]) -> [LeaderTab; 3] {
    let [a, b, c] = servers;
    let mut browsers = [a.browser("").await, b.browser("").await, c.browser("").await];
    for browser in &mut browsers {
        browser.subscribe(&["a", "end"]).await;
    }
    browsers
}

/// Waits until no message is on its way any more.
async fn is_quiet(servers: &[Aphlict; 3]) {
    let mut before = Vec::new();
    until("nothing is on its way", async || {
        let mut counts = Vec::new();
        for server in servers {
            counts.push(server.status("").await["messages.in"].as_u64().unwrap());
        }
        let same = before == counts;
        before = counts;
        same.then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_browser_hears_each_message_once_wherever_it_was_published() {
    let servers = mesh().await;
    let mut browsers = browsers(&servers).await;
    let mut expected = Vec::new();
    for round in 0..10 {
        for (number, server) in servers.iter().enumerate() {
            let unique = format!("{round} at {number}");
            server.tell("", &["a"], &unique).await;
            expected.push(unique);
        }
    }
    is_quiet(&servers).await;
    for (number, server) in servers.iter().enumerate() {
        server.tell("", &["end"], &format!("end of {number}")).await;
    }
    expected.sort_unstable();
    for browser in &mut browsers {
        let mut told = Vec::new();
        while told.len() < expected.len() + 3 {
            told.push(browser.next().await["uniqueID"].as_str().unwrap().to_owned());
        }
        is_quiet(&servers).await;
        assert_eq!(browser.told().await, [""; 0], "nothing comes twice");
        for number in 0..3 {
            let own = told.iter().filter(|unique| unique.ends_with(&format!("at {number}")));
            let rounds: Vec<String> = own.map(|unique| unique[..1].to_owned()).collect();
            let ordered: Vec<String> = (0..10).map(|round| round.to_string()).collect();
            assert_eq!(rounds, ordered, "of server {number}");
        }
        told.retain(|unique| !unique.starts_with("end"));
        told.sort_unstable();
        assert_eq!(told, expected);
    }
    for server in &servers {
        assert_eq!(server.status("").await["history.size"], 33, "each is held once");
    }
}

#[tokio::test]
async fn a_message_without_a_unique_id_arrives_once_per_publication() {
    let servers = mesh().await;
    let mut browsers = browsers(&servers).await;
    let text = r#"{"type":"grüße","subscribers":["a"]}"#;
    for round in 1..=2 {
        assert_eq!(servers[0].publish("", text).await.status, 200);
        for browser in &mut browsers {
            let message = browser.next().await;
            assert_eq!(message["type"], "grüße", "round {round}");
        }
        is_quiet(&servers).await;
        for browser in &mut browsers {
            assert_eq!(browser.ping().await, [Value::Null; 0], "round {round}");
        }
    }
}

#[tokio::test]
async fn a_peer_that_was_away_receives_what_it_missed_in_order() {
    let mut servers = mesh().await;
    let mut browsers = browsers(&servers).await;
    servers[0].tell("", &["a"], "before").await;
    for browser in &mut browsers {
        assert_eq!(browser.next().await["uniqueID"], "before");
    }
    until("it knows it", async || {
        (said("learned the fingerprint of a peer", &servers) > 0).then_some(())
    })
    .await;
    // As long as not all servers had started, they may have missed each other.
    let before = said("peer unreachable", &servers);
    assert_eq!(servers[2].daemon.stop().await.code(), Some(0));
    for number in 0..20 {
        servers[0].tell("", &["a"], &number.to_string()).await;
    }
    until("it is missed", async || (said("peer unreachable", &servers) > before).then_some(()))
        .await;
    // The others go on.
    for browser in browsers.iter_mut().take(2) {
        for number in 0..20 {
            assert_eq!(browser.next().await["uniqueID"], number.to_string());
        }
    }
    servers[2].daemon.start_again();
    assert!(servers[2].daemon.ready().await, "{}", servers[2].daemon.log());
    until("it has what it missed", async || {
        (servers[2].status("").await["history.size"] == 20).then_some(())
    })
    .await;
    let mut back = servers[2].browser("").await;
    back.subscribe(&["a"]).await;
    let expected: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(back.replay(0).await, expected);
    let (told, log) = (said("peer unreachable", &servers), servers[0].daemon.log());
    assert_eq!(told, before + 1, "once, however often it is tried: {log}");
}

#[tokio::test]
async fn the_longest_message_that_one_takes_its_peers_take_too() {
    let servers = mesh().await;
    let around = r#"{"subscribers":["a"],"uniqueID":"long","x":""}"#;
    let longest = 1024 * 1024 - around.len();
    for (length, status, held) in [(longest + 1, 413, 0), (longest, 200, 1)] {
        let body = around.replace(r#""""#, &format!("\"{}\"", "x".repeat(length)));
        assert_eq!(servers[0].publish("", &body).await.status, status, "{length}");
        for server in &servers {
            until("it is held", async || {
                (server.status("").await["history.size"] == held).then_some(())
            })
            .await;
        }
    }
    assert_eq!(said("messages to peer dropped", &servers), 0);
}

#[tokio::test]
async fn a_server_does_not_miss_itself_before_it_listens() {
    for _ in 0..TRIES {
        let ports = AphlictPorts::free();
        let Some(server) = Aphlict::at(ports, &listing(&[ports.admin])).await else { continue };
        server.tell("", &["a"], "1").await;
        server.daemon.logs("learned the fingerprint of a peer").await;
        assert!(!server.daemon.log().contains("peer unreachable"), "{}", server.daemon.log());
        return;
    }
    panic!("no free ports for a server");
}

/// How often the first server has said this of the last.
fn said(what: &str, servers: &[Aphlict; 3]) -> usize {
    let (log, address) = (servers[0].daemon.log(), servers[2].admins());
    log.lines().filter(|line| line.contains(&address) && line.contains(what)).count()
}

#[tokio::test]
async fn a_server_that_hangs_holds_nobody_up() {
    let servers = mesh().await;
    let mut browsers = browsers(&servers).await;
    servers[2].daemon.pause();
    for number in 0..5 {
        servers[0].tell("", &["a"], &number.to_string()).await;
    }
    for browser in browsers.iter_mut().take(2) {
        for number in 0..5 {
            assert_eq!(browser.next().await["uniqueID"], number.to_string());
        }
    }
    servers[2].daemon.resume();
    for number in 0..5 {
        assert_eq!(browsers[2].next().await["uniqueID"], number.to_string());
    }
    servers[2].daemon.signal(Signal::TERM);
}

/// As Phorge's client does: one server after the other, two seconds for each, until one has taken it.
async fn publish_as_phorge_does(servers: &[&Aphlict], body: &str) {
    for server in servers {
        let publish = server.publish("", body);
        if let Ok(answer) = timeout(Duration::from_secs(2), publish).await
            && answer.status == 200
        {
            return;
        }
    }
    panic!("nobody took it");
}

#[tokio::test]
async fn a_message_that_a_second_server_got_after_a_time_out_arrives_once() {
    let servers = mesh().await;
    let mut browsers = browsers(&servers).await;
    // It takes connections in, and what is posted there waits in the kernel.
    servers[2].daemon.pause();
    let body = json!({"type": "t", "subscribers": ["a"], "uniqueID": "once"}).to_string();
    publish_as_phorge_does(&[&servers[2], &servers[0], &servers[1]], &body).await;
    for browser in browsers.iter_mut().take(2) {
        assert_eq!(browser.next().await["uniqueID"], "once");
    }
    servers[2].daemon.resume();
    assert_eq!(browsers[2].next().await["uniqueID"], "once");
    let marker = json!({"subscribers": ["end"], "uniqueID": "end"}).to_string();
    publish_as_phorge_does(&[&servers[2]], &marker).await;
    for browser in &mut browsers {
        assert_eq!(browser.next().await["uniqueID"], "end", "nothing comes twice");
    }
}

/// In a peer's place: keeps what is posted to it and answers with this fingerprint.
struct FakePeer {
    port: u16,
    posted: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl FakePeer {
    async fn start(fingerprint: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (posted, mut tasks) = (Arc::<Mutex<Vec<String>>>::default(), JoinSet::new());
        let kept = Arc::clone(&posted);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer(stream, fingerprint, Arc::clone(&kept)));
            }
        });
        Self { port, posted, _tasks: tasks }
    }

    async fn posts(&self, count: usize) -> Vec<String> {
        until("a peer has the message", async || {
            let posted = self.posted.lock().unwrap().clone();
            (posted.len() >= count).then_some(posted)
        })
        .await
    }
}

async fn answer(mut stream: TcpStream, fingerprint: &str, posted: Arc<Mutex<Vec<String>>>) {
    let mut read = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let Ok(count @ 1..) = stream.read(&mut buffer).await else { return };
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let named =
            |line: &str| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned);
        let length = head.lines().find_map(named).map_or(0, |length| length.parse().unwrap());
        if body.len() < length {
            continue;
        }
        if head.starts_with("POST") {
            posted.lock().unwrap().push(text.clone());
        }
        read.clear();
        let receipt = format!(r#"{{"fingerprint":"{fingerprint}"}}"#);
        let length = receipt.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{receipt}").as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_peer_is_sent_is_whole_and_nothing_that_it_has_handled() {
    let peer = FakePeer::start("PeerPeerPeerPeer").await;
    let server = Aphlict::with(listing(&[peer.port])).await;
    let text = r#"{"subscribers":["a"],"key":7391827364518273645,"text":"grüße"}"#;
    server.publish("a%2Fb%20%C3%BC", text).await;
    let posted = peer.posts(1).await.remove(0);
    let (head, body) = posted.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /?instance=a%2Fb+%C3%BC HTTP/1.1\r\n"), "{head}");
    let length = format!("content-length: {}", body.len());
    assert!(head.to_lowercase().lines().any(|line| line == length), "{head}");
    let whole = text.strip_suffix('}').unwrap();
    assert!(body.starts_with(&format!(r#"{whole},"touched":[""#)), "{body}");
    // By now it is known who answers there.
    let again = r#"{"subscribers":["a"],"uniqueID":"1","touched":["PeerPeerPeerPeer"]}"#;
    server.publish("", again).await;
    server.tell("", &["a"], "2").await;
    let posted = peer.posts(2).await;
    assert_eq!(posted.len(), 2);
    assert!(posted[1].contains(r#""uniqueID":"2""#), "{posted:?}");
}
