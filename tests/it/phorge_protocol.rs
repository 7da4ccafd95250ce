//! Aphlict's protocol over real sockets, byte for byte: what publishers, Phorge's status page and browsers
//! say, and what the original answered (`specs/aphlict.md`).

use crate::support::{client::Client, http, phorge::Aphlict, until, within};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn the_table_of_the_admin_server() {
    let server = Aphlict::start().await;
    let good = r#"{"type":"notification","subscribers":["PHID-USER-a"]}"#;
    for (method, path, body, status) in [
        ("POST", "/?instance=acme", good, 200),
        ("POST", "/", good, 200),
        ("POST", "/", "", 400),
        ("POST", "/", "type=notification", 400),
        ("POST", "/", "[]", 400),
        ("POST", "/", r#"{"type":"notification"}"#, 400),
        ("POST", "/", r#"{"subscribers":"PHID-USER-a"}"#, 400),
        ("POST", "/", r#"{"subscribers":[],"touched":5}"#, 400),
        ("GET", "/", "", 405),
        ("PUT", "/?instance=acme", good, 405),
        ("GET", "/status/", "", 200),
        ("POST", "/status/?instance=toString", "", 200),
        ("GET", "/status", "", 404),
        ("GET", "/status/more", "", 404),
        ("POST", "/publish", good, 404),
    ] {
        let answer = http::request(method, &server.admins(), path, &[], body).await;
        assert_eq!(answer.status, status, "{method} {path} {body}");
        assert_eq!(answer.body.is_empty(), status != 200, "{method} {path} {body}");
    }
}

#[tokio::test]
async fn a_receipt_names_the_server_and_stays_the_same() {
    let server = Aphlict::start().await;
    let mut fingerprints = Vec::new();
    for _ in 0..2 {
        let answer = server.publish("", r#"{"subscribers":[]}"#).await.body;
        let receipt: Value = serde_json::from_str(&answer).unwrap();
        let fingerprint = receipt["fingerprint"].as_str().unwrap().to_owned();
        assert_eq!(answer, format!(r#"{{"fingerprint":"{fingerprint}"}}"#));
        assert_eq!(fingerprint.len(), 16);
        fingerprints.push(fingerprint);
    }
    assert_eq!(fingerprints[0], fingerprints[1]);
    // A message that it has handled is taken and goes nowhere.
    let mut browser = server.browser("").await;
    browser.subscribe(&["a"]).await;
    let body = json!({"subscribers": ["a"], "touched": [fingerprints[0]]}).to_string();
    let answer = server.publish("", &body).await;
    assert_eq!((answer.status, answer.body.contains(&fingerprints[0])), (200, true));
    assert_eq!(browser.told().await, [""; 0]);
}

#[tokio::test]
async fn a_request_without_an_upgrade_gets_501() {
    let server = Aphlict::start().await;
    for (method, path) in [("GET", "/"), ("GET", "/ws/~acme/"), ("POST", "/"), ("GET", "/status/")]
    {
        let answer = http::request(method, &server.clients(), path, &[], "").await;
        assert_eq!(answer.status, 501, "{method} {path}");
        assert_eq!(answer.body, "HTTP/501 Use Websockets\n");
    }
}

#[tokio::test]
async fn browsers_hear_what_was_published_as_it_was_written_and_who_handled_it() {
    let server = Aphlict::start().await;
    let mut browser = server.browser("acme").await;
    browser.subscribe(&["PHID-USER-aaaabbbbccccdddd1111"]).await;
    let body = concat!(
        r#"{"type":"notification","key":7391827364518273645,"deep":{"b":1.0,"a":[1e400]},"#,
        r#""text":"gr\u00fc\u00dfe \ud83d\ude00 ü","subscribers":["PHID-USER-aaaabbbbccccdddd1111"],"#,
        r#""uniqueID":"k2m9x4c7v1b8n3q6w5e2r7t4y1u8p3aa","touched":["Qd7hT2mZ9xKc4vBn"]}"#,
    );
    let receipt: Value = serde_json::from_str(&server.publish("acme", body).await.body).unwrap();
    let own = receipt["fingerprint"].as_str().unwrap();
    let expected = body.replace(r#"Bn"]}"#, &format!(r#"Bn","{own}"]}}"#));
    assert_eq!(browser.0.text().await, expected);
}

#[tokio::test]
async fn each_hears_what_it_subscribes_to_once_and_only_as_long_as_it_does() {
    let server = Aphlict::start().await;
    let (mut one, mut two) = (server.browser("").await, server.browser("").await);
    one.subscribe(&["a"]).await;
    one.subscribe(&["b", "a"]).await;
    two.subscribe(&["b", "toString"]).await;
    server.tell("", &["a", "b", "a"], "both").await;
    server.tell("", &["b"], "b").await;
    server.tell("", &["toString"], "odd").await;
    server.tell("", &["__proto__", "constructor"], "nobody").await;
    server.tell("", &[], "empty").await;
    assert_eq!(one.told().await, ["both", "b"]);
    assert_eq!(two.told().await, ["both", "b", "odd"]);
    one.say("unsubscribe", &json!(["a", "never"])).await;
    one.ping().await;
    server.tell("", &["a"], "too late").await;
    server.tell("", &["b"], "in time").await;
    assert_eq!(one.told().await, ["in time"]);
}

#[tokio::test]
async fn messages_keep_their_order() {
    let server = Aphlict::start().await;
    let mut browser = server.browser("").await;
    browser.subscribe(&["a", "b"]).await;
    let expected: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    for (number, unique) in expected.iter().enumerate() {
        server.tell("", &[["a"], ["b"]][number % 2], unique).await;
    }
    let mut told = Vec::new();
    while told.len() < expected.len() {
        told.push(browser.next().await["uniqueID"].as_str().unwrap().to_owned());
    }
    assert_eq!(told, expected);
}

#[tokio::test]
async fn instances_are_apart_live_and_in_replays() {
    let server = Aphlict::start().await;
    let mut acme = server.browser("acme").await;
    let mut other = server.browser("").await;
    let mut marked =
        Client::connect(&format!("ws://{}/~ac/me~x/?instance=other", server.clients())).await;
    acme.subscribe(&["a"]).await;
    other.subscribe(&["a"]).await;
    marked.say(r#"{"command":"subscribe","data":["a"]}"#).await;
    marked.say(r#"{"command":"ping","data":null}"#).await;
    assert_eq!(marked.text().await, r#"{"type":"pong"}"#);
    server.tell("acme", &["a"], "of acme").await;
    server.tell("default", &["a"], "of default").await;
    // What has a slash is no client's, not even that of `acme`.
    server.tell("acme/x", &["y"], "of nobody").await;
    assert_eq!(acme.told().await, ["of acme"]);
    assert_eq!(other.told().await, ["of default"]);
    assert!(marked.text().await.contains("of acme"));
    assert_eq!(acme.replay(0).await, ["of acme"]);
    assert_eq!(other.replay(0).await, ["of default"]);
    acme.subscribe(&["x/y"]).await;
    server.tell("acme/x", &["y"], "of nobody again").await;
    assert_eq!(acme.told().await, [""; 0]);
}

#[tokio::test]
async fn a_replay_is_what_is_held_and_subscribed_to_oldest_first() {
    let server = Aphlict::start().await;
    let mut before = server.browser("").await;
    before.subscribe(&["a"]).await;
    server.tell("", &["a"], "first").await;
    server.tell("", &["b"], "not for it").await;
    server.tell("", &["a", "b"], "second").await;
    // Comes a second time, as a relay would.
    server.tell("", &["a"], "first").await;
    assert_eq!(server.publish("", r#"{"type":"no subscribers"}"#).await.status, 400);
    assert_eq!(before.told().await, ["first", "second"]);
    let mut after = server.browser("").await;
    assert_eq!(after.replay(60_000).await, [""; 0], "it subscribes to nothing yet");
    after.subscribe(&["a"]).await;
    assert_eq!(after.replay(60_000).await, ["first", "second"]);
    assert_eq!(after.replay(0).await, ["first", "second"]);
    after.say("replay", &json!({})).await;
    assert_eq!(after.told().await, ["first", "second"]);
    after.say("unsubscribe", &json!(["a"])).await;
    after.subscribe(&["b"]).await;
    assert_eq!(after.replay(60_000).await, ["not for it", "second"]);
    assert_eq!(server.status("").await["history.size"], 3);
}

#[tokio::test]
async fn nonsense_leaves_a_browser_able_to_hear_and_to_speak() {
    let server = Aphlict::start().await;
    let mut browser = server.browser("").await;
    for nonsense in [
        "null",
        "",
        "{",
        r#"{"command":"listen"}"#,
        r#"{"command":"subscribe","data":null}"#,
        r#"{"command":"subscribe","data":"abc"}"#,
        r#"{"command":"replay"}"#,
        r#"{"command":"replay","data":null}"#,
    ] {
        browser.0.say(nonsense).await;
    }
    browser.0.send(Message::binary(b"\xff\xfe".to_vec())).await;
    let subscribe = br#"{"command":"subscribe","data":["bin"]}"#;
    browser.0.send(Message::binary(subscribe.to_vec())).await;
    browser.ping().await;
    server.tell("", &["a"], "letters of a text are no ids").await;
    server.tell("", &["bin"], "bin").await;
    assert_eq!(browser.told().await, ["bin"]);
}

#[tokio::test]
async fn the_status_page_gets_every_field() {
    let server = Aphlict::start().await;
    let fresh = server.status("acme").await;
    let keys: Vec<_> = fresh.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        keys,
        [
            "instance",
            "uptime",
            "clients.active",
            "clients.total",
            "messages.in",
            "messages.out",
            "version",
            "history.size",
            "history.age",
        ]
    );
    assert_eq!((&fresh["instance"], &fresh["version"]), (&json!("acme"), &json!(7)));
    assert_eq!(fresh["history.age"], Value::Null);
    let (mut one, gone) = (server.browser("acme").await, server.browser("acme").await);
    one.subscribe(&["a"]).await;
    let mut other = server.browser("").await;
    other.subscribe(&["a"]).await;
    server.tell("acme", &["a"], "1").await;
    server.tell("acme", &["a"], "1").await;
    server.tell("", &["a"], "2").await;
    assert_eq!((one.told().await, other.told().await), (vec!["1".into()], vec!["2".into()]));
    one.replay(0).await;
    drop(gone);
    let status = until("the closed tab is counted out", async || {
        let status = server.status("acme").await;
        (status["clients.active"] == 1).then_some(status)
    });
    let status = status.await;
    for (key, value) in
        [("clients.total", 2), ("messages.in", 3), ("messages.out", 2), ("history.size", 2)]
    {
        assert_eq!(status[key], value, "{key}");
    }
    assert!(status["history.age"].is_u64() && status["uptime"].is_u64());
    assert_eq!(server.status("").await["clients.active"], 1);
}

#[tokio::test]
async fn the_first_subprotocol_is_agreed_to_and_compression_is_not() {
    let server = Aphlict::start().await;
    let head = handshake(
        server.clients(),
        "Sec-WebSocket-Protocol: chat, more\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\
         Origin: https://elsewhere.example\r\n",
    );
    let head = head.await.to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("\r\nsec-websocket-protocol: chat\r\n"), "{head}");
    assert!(!head.contains("extensions"), "{head}");
    let plain = handshake(server.clients(), "").await.to_lowercase();
    assert!(plain.starts_with("http/1.1 101 ") && !plain.contains("protocol:"), "{plain}");
}

async fn handshake(address: String, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /anywhere/at?all HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = String::new();
    let mut byte = [0];
    while !head.ends_with("\r\n\r\n") {
        within("a head", stream.read_exact(&mut byte)).await.unwrap();
        head.push(char::from(byte[0]));
    }
    head
}

#[tokio::test]
async fn phps_requests_are_understood_on_one_connection() {
    let server = Aphlict::start().await;
    let mut stream = TcpStream::connect(server.admins()).await.unwrap();
    let body = r#"{"type":"message","threadPHID":"PHID-CONP-a","messageID":"17","subscribers":["PHID-CONP-a"],"uniqueID":"u"}"#;
    let form =
        "Accept: */*\r\nAccept-Encoding: gzip\r\nContent-Type: application/x-www-form-urlencoded";
    let requests = [
        (
            format!(
                "GET /status/?instance=acme HTTP/1.1\r\nHost: h\r\n{form}\r\nContent-Length: 0\r\n\r\n"
            ),
            "clients.active",
        ),
        (
            format!(
                "POST /?instance=acme HTTP/1.1\r\nHost: h\r\n{form}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
            "fingerprint",
        ),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                body.len()
            ),
            "fingerprint",
        ),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx".to_owned(), "400 Bad Request"),
        ("GET /status/ HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), r#""instance":"default""#),
    ];
    for (request, expected) in requests {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let mut buffer = [0; 4096];
        while !answer.contains(expected) {
            let count = within(expected, stream.read(&mut buffer)).await.unwrap();
            assert!(count > 0, "{answer}");
            answer.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
        assert!(!answer.to_lowercase().contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn what_is_too_long_is_refused_and_leaves_nothing_behind() {
    let server = Aphlict::start().await;
    let body = format!(r#"{{"subscribers":[],"x":"{}"}}"#, "x".repeat(1024 * 1024));
    let mut stream = TcpStream::connect(server.admins()).await.unwrap();
    let length = body.len();
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // The answer may come before all of it has been read.
    let (mut reading, mut writing) = stream.into_split();
    let _ = tokio::join!(writing.write_all(body.as_bytes()), async {
        let mut answer = [0; 12];
        within("an answer", reading.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
    });
    assert_eq!(server.status("").await["history.size"], 0);
}

#[tokio::test]
async fn an_instance_with_an_endless_name_is_nobodys() {
    let server = Aphlict::start().await;
    let name = "x".repeat(257);
    for path in [format!("/?instance={name}"), format!("/status/?instance={name}")] {
        let admin = server.admins();
        let answer = http::request("POST", &admin, &path, &[], r#"{"subscribers":[]}"#).await;
        assert_eq!(answer.status, 400);
    }
    let url = format!("ws://{}/~{name}/", server.clients());
    let refused = Client::connect_with(&url, &[]).await.err().expect("a refusal").to_string();
    assert!(refused.contains("400"), "{refused}");
    server.browser(&name[1..]).await.subscribe(&["a"]).await;
}

#[tokio::test]
async fn who_listens_to_an_id_does_not_count_as_an_instance() {
    let server = Aphlict::start().await;
    let mut browser = server.browser("a").await;
    browser.subscribe(&["b"]).await;
    assert_eq!(server.status("a").await["clients.active"], 1);
    assert_eq!(server.status("a/b").await["clients.active"], 0);
}

#[tokio::test]
async fn a_browser_that_subscribes_to_too_much_is_closed_and_may_come_back() {
    let server = Aphlict::start().await;
    let mut browser = server.browser("").await;
    for part in 0..9 {
        let ids: Vec<String> =
            (0..1000).map(|number| format!("PHID-TASK-{part}-{number}")).collect();
        let text = json!({"command": "subscribe", "data": ids}).to_string();
        if !browser.0.send_or_end(Message::text(text)).await {
            break;
        }
    }
    let (code, reason) = browser.0.closed().await.expect("a close frame");
    assert_eq!((code, reason.starts_with("too many subscriptions")), (1008, true), "{reason}");
    let mut again = server.browser("").await;
    again.subscribe(&["a"]).await;
    server.tell("", &["a"], "1").await;
    assert_eq!(again.told().await, ["1"]);
}
