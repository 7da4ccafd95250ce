//! Socket.IO byte by byte: the transcript of `specs/webhook-push.md` section 3, its errors, JSONP, and
//! what clients must not be able to do.

use crate::support::{
    free_port,
    http::{self, Answer},
    node::NodeClient,
    until,
    webhook::Webhook,
    within,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const TEXT: (&str, &str) = ("Content-Type", "text/plain;charset=UTF-8");

/// A session that polls.
struct Session {
    address: String,
    /// What its requests have in their query.
    query: String,
}

impl Session {
    /// Begins one of this generation.
    async fn begin(host: &Webhook, query: &str) -> Self {
        let (address, query) = (host.daemon.address(), format!("{query}&transport=polling"));
        let mut session = Self { address, query };
        let opened = session.get().await;
        assert_eq!(opened.status, 200, "{opened:?}");
        let sid = opened.body.replace('\\', "");
        let sid = sid.split(r#""sid":""#).nth(1).and_then(|rest| rest.split('"').next());
        session.query += &format!("&sid={}", sid.expect("a session id"));
        session
    }

    async fn get(&self) -> Answer {
        http::get(&self.address, &format!("/socket.io/?{}", self.query), &[]).await
    }

    async fn post(&self, body: &str) -> Answer {
        self.post_as(TEXT, body).await
    }

    async fn post_as(&self, kind: (&str, &str), body: &str) -> Answer {
        let path = format!("/socket.io/?{}", self.query);
        http::request("POST", &self.address, &path, &[kind], body).await
    }

    /// Says a packet of the older generation, and waits for it to be taken.
    async fn say(&self, packet: &str) {
        let payload = format!("{}:{packet}", packet.encode_utf16().count());
        let answer = self.post(&payload).await;
        assert_eq!((answer.status, &*answer.body), (200, "ok"), "{packet}");
    }

    /// Registers a pair and expects this answer.
    async fn registers(&self, arguments: &Value, answer: &Value) {
        let mut event = vec![json!("register")];
        event.extend(arguments.as_array().expect("arguments").iter().cloned());
        self.say(&format!("427{}", Value::from(event))).await;
        let heard = self.get().await.body;
        let (_, packet) = heard.split_once(":437").expect("an acknowledgement");
        assert_eq!(serde_json::from_str::<Value>(packet).unwrap(), json!([answer]), "{arguments}");
    }
}

#[tokio::test]
async fn the_transcript_of_the_original() {
    let host = Webhook::start().await;
    host.register("u1", "c1").await;
    let session = Session::begin(&host, "EIO=3&b64=1").await;
    assert_eq!(session.get().await.body, "2:40");
    session.registers(&json!(["u1", "c1"]), &json!({ "ok": true })).await;
    let (heard, _) = tokio::join!(session.get(), host.push("u1", r#"{"title":"Hello!"}"#));
    assert_eq!(heard.body, r#"32:42["message",{"title":"Hello!"}]"#);
    session.say("2").await;
    assert_eq!(session.get().await.body, "1:3");
    session.say("1").await;
    let over = session.get().await;
    assert_eq!((over.status, &*over.body), (400, r#"{"code":1,"message":"Session ID unknown"}"#));
}

#[tokio::test]
async fn errors_are_the_originals() {
    let host = Webhook::start().await;
    let session = Session::begin(&host, "EIO=3").await;
    let sid = session.query.rsplit('=').next().unwrap();
    let wrong_way = format!("transport=websocket&sid={sid}");
    for (method, query, status, error) in [
        ("GET", "", 400, json!({"code": 0, "message": "Transport unknown"})),
        ("GET", "transport=flash", 400, json!({"code": 0, "message": "Transport unknown"})),
        (
            "GET",
            "transport=polling&sid=x",
            400,
            json!({"code": 1, "message": "Session ID unknown"}),
        ),
        (
            "POST",
            "transport=polling&sid=",
            400,
            json!({"code": 1, "message": "Session ID unknown"}),
        ),
        (
            "GET",
            "transport=websocket&sid=x",
            400,
            json!({"code": 1, "message": "Session ID unknown"}),
        ),
        ("POST", "transport=polling", 400, json!({"code": 2, "message": "Bad handshake method"})),
        ("GET", "transport=websocket", 400, json!({"code": 3, "message": "Bad request"})),
        ("GET", &wrong_way, 400, json!({"code": 3, "message": "Bad request"})),
        ("DELETE", &session.query, 400, json!({"code": 3, "message": "Bad request"})),
    ] {
        let path = format!("/socket.io/?EIO=3&{query}");
        let answer = http::request(method, &host.daemon.address(), &path, &[], "").await;
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, body), (status, error), "{method} {query}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    let garbage = session.post("9999999:x").await;
    assert_eq!((garbage.status, garbage.body.contains("\"code\":3")), (400, true));
    assert_eq!(session.get().await.status, 400);
}

#[tokio::test]
async fn any_origin_has_access_and_the_cookie_holds_the_session_id() {
    let host = Webhook::start().await;
    let path = "/socket.io/?EIO=3&transport=polling";
    let answer = http::get(&host.daemon.address(), path, &[]).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let cookie = answer.header("set-cookie").unwrap();
    let sid = cookie.strip_prefix("io=").and_then(|rest| rest.strip_suffix("; Path=/; HttpOnly"));
    assert!(answer.body.contains(&format!(r#""sid":"{}""#, sid.unwrap())), "{cookie}");
    assert!(
        answer
            .body
            .contains(r#""upgrades":["websocket"],"pingInterval":25000,"pingTimeout":60000"#)
    );
    let from = ("Origin", "https://app.example");
    for method in ["GET", "OPTIONS"] {
        let answer = http::request(method, &host.daemon.address(), path, &[from], "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("access-control-allow-origin"), Some(from.1));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
    let answer = http::request("OPTIONS", &host.daemon.address(), path, &[from], "").await;
    assert_eq!(answer.header("access-control-allow-headers"), Some("Content-Type"));
}

#[tokio::test]
async fn an_unknown_generation_is_served_as_the_older_one() {
    let host = Webhook::start().await;
    for query in ["", "EIO=2", "EIO=x"] {
        let session = Session::begin(&host, query).await;
        assert_eq!(session.get().await.body, "2:40");
    }
    let newer = Session::begin(&host, "EIO=4").await;
    assert_eq!(newer.post("40").await.body, "ok");
    // A ping may come first.
    while !newer.get().await.body.contains(r#"40{"sid":""#) {}
}

#[tokio::test]
async fn jsonp_clients_use_scripts_and_forms() {
    let host = Webhook::start().await;
    host.register("%C3%A9", "c1").await;
    let session = Session::begin(&host, "EIO=3&j=2").await;
    let answer = session.get().await;
    assert_eq!(answer.body, r#"___eio[2]("2:40");"#);
    assert_eq!(answer.header("content-type"), Some("text/javascript; charset=UTF-8"));
    // What 1.x makes of it: UTF-8 taken for letters, and line feeds escaped for the form.
    let packet = "421[\"register\",\n\"\u{c3}\u{a9}\",\"c1\"]";
    let payload = format!("{}:{packet}", packet.encode_utf16().count()).replace('\n', "\\n");
    let form = format!("d={}", utf8_percent_encode(&payload, NON_ALPHANUMERIC));
    let posted =
        session.post_as(("Content-Type", "application/x-www-form-urlencoded"), &form).await;
    assert_eq!((posted.status, &*posted.body), (200, "ok"));
    assert_eq!(session.get().await.body, r#"___eio[2]("16:431[{\"ok\":true}]");"#);
    let (heard, _) = tokio::join!(session.get(), host.push("%C3%A9", r#""é☃😀</script>""#));
    let expected = r#"___eio[2]("49:42[\"message\",\"\\u00e9\\u2603\\ud83d\\ude00</script>\"]");"#;
    assert_eq!(heard.body, expected);
    let hostile = "/socket.io/?EIO=3&transport=polling&j=alert(1)";
    assert!(!http::get(&host.daemon.address(), hostile, &[]).await.body.contains("alert"));
}

#[tokio::test]
async fn invalid_registrations_are_isolated() {
    let host = Webhook::start().await;
    host.register("alice", "c1").await;
    let healthy =
        NodeClient::start("1.7", "websocket", host.daemon.port(), ("alice", "c1"), &json!({}));
    healthy.says("registered", 1).await;
    let session = Session::begin(&host, "EIO=3&b64=1").await;
    session.get().await;
    let malformed = json!({ "ok": false, "error": "malformed" });
    for bad in [
        json!([]),
        json!(["alice"]),
        json!([1, 2]),
        json!([null, null]),
        json!([["alice"], {"c1": 1}]),
        json!([{"_placeholder": true, "num": 0}, "c1"]),
        json!(["", ""]),
        json!(["alice", "x".repeat(10_000)]),
    ] {
        session.registers(&bad, &malformed).await;
    }
    for (user, connection) in [("__proto__", "toString"), ("alice", "__proto__"), ("nobody", "c1")]
    {
        let refused = json!({
            "ok": false, "error": "unknown", "userId": user, "connectionId": connection,
        });
        session.registers(&json!([user, connection]), &refused).await;
    }
    // Without a callback it is an event.
    session.say(r#"42["register","alice","guessed"]"#).await;
    let received = session.get().await.body;
    assert!(received.contains(r#"42["error",{"ok":false,"error":"unknown""#), "{received}");
    // Unknown packets are ignored.
    for odd in [r#"42["disconnect"]"#, r#"42["no such event",1]"#, "43999[]"] {
        session.say(odd).await;
    }
    session
        .registers(
            &json!(["alice", "c2"]),
            &json!({
                "ok": false, "error": "unknown", "userId": "alice", "connectionId": "c2",
            }),
        )
        .await;
    host.push("alice", "1").await;
    assert_eq!(healthy.says("message", 1).await, json!([1]));
    assert_eq!(healthy.all("disconnected"), [Value::Null; 0]);
    assert!(!host.daemon.log().contains("panicked"), "{}", host.daemon.log());
}

#[tokio::test]
async fn one_socket_may_be_registered_as_several() {
    let host = Webhook::start().await;
    let session = Session::begin(&host, "EIO=3&b64=1").await;
    session.get().await;
    for number in 0..16 {
        host.register("u", &number.to_string()).await;
        session.registers(&json!(["u", number.to_string()]), &json!({ "ok": true })).await;
    }
    host.register("v", "1").await;
    let full = json!({ "ok": false, "error": "full", "userId": "v", "connectionId": "1" });
    session.registers(&json!(["v", "1"]), &full).await;
    // A pair that it has may be taken anew, and is received once.
    session.registers(&json!(["u", "3"]), &json!({ "ok": true })).await;
    host.push("u", "1").await;
    let mut heard = 0;
    while heard < 16 {
        heard += session.get().await.body.matches(r#"42["message",1]"#).count();
    }
    session.say("2").await;
    assert_eq!((heard, &*session.get().await.body), (16, "1:3"));
}

#[tokio::test]
async fn a_client_outside_the_namespace_receives_nothing() {
    let host = Webhook::start().await;
    host.register("u", "c").await;
    let session = Session::begin(&host, "EIO=4").await;
    let hears = async |wanted: &str| {
        let mut heard = String::new();
        while !heard.contains(wanted) {
            heard += &session.get().await.body;
        }
        heard
    };
    for message in ["1", "2"] {
        session.post("40").await;
        hears("40{").await;
        session.post(r#"420["register","u","c"]"#).await;
        hears(r#"430[{"ok":true}]"#).await;
        let wanted = format!(r#"42["message",{message}]"#);
        let (_, _) = tokio::join!(hears(&wanted), host.push("u", message));
        session.post("41").await;
        let times = message.parse().unwrap();
        until("its session ends", async || {
            let left = host.daemon.log().matches("client disconnected").count();
            (left >= times).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn there_is_one_namespace() {
    let host = Webhook::start().await;
    let session = Session::begin(&host, "EIO=3&b64=1").await;
    session.get().await;
    session.say("40/other,").await;
    let received = session.get().await.body;
    assert!(received.contains("44/other,") && received.contains("Invalid namespace"), "{received}");
}

#[tokio::test]
async fn a_client_creates_its_own_private_url() {
    let host = Webhook::start().await;
    host.register("alice", "c1").await;
    let session = Session::begin(&host, "EIO=3&b64=1").await;
    session.get().await;
    let ask = async |options: Value| {
        session.say(&format!("423{}", json!(["hook", "alice", "c1", options]))).await;
        let heard = session.get().await.body;
        let (_, packet) = heard.split_once(":433").expect("an acknowledgement");
        serde_json::from_str::<Value>(packet).unwrap()[0].take()
    };
    assert_eq!(ask(json!({})).await, json!({ "error": "unknown" }));
    session.registers(&json!(["alice", "c1"]), &json!({ "ok": true })).await;
    assert_eq!(ask(json!({ "to": 7 })).await, json!({ "error": "malformed" }));
    let made = ask(json!({ "seconds": 60 })).await;
    let url = made["url"].as_str().expect("a URL");
    let path = &url[url.find("/hook/").expect("a hook")..];
    let json = [("Content-Type", "application/json")];
    let (address, body) = (host.daemon.address(), r#"{"message":"psst"}"#);
    let call = http::request("POST", &address, path, &json, body);
    let (heard, called) = tokio::join!(session.get(), call);
    assert!((200..300).contains(&called.status), "{called:?}");
    assert_eq!(heard.body, r#"20:42["message","psst"]"#);
    let revoked = ask(json!({ "revoke": made["id"] })).await;
    assert_eq!(revoked, json!({ "revoked": true }));
}

/// Asks for a WebSocket that takes over from polling; its connection once that is granted.
async fn upgrade(session: &Session) -> TcpStream {
    let query = session.query.replace("transport=polling", "transport=websocket");
    let mut stream = TcpStream::connect(&session.address).await.expect("it listens");
    let request = format!(
        "GET /socket.io/?{query} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        session.address,
    );
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within("a byte", stream.read_u8()).await.expect("it answers"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream
}

#[tokio::test]
async fn a_mute_websocket_upgrade_leaves_polling_intact() {
    let host = Webhook::start().await;
    host.register("u", "c").await;
    let session = Session::begin(&host, "EIO=3&b64=1").await;
    session.get().await;
    session.registers(&json!(["u", "c"]), &json!({ "ok": true })).await;
    let mute = upgrade(&session).await;
    for number in 1..4 {
        let message = number.to_string();
        let (heard, _) = tokio::join!(session.get(), host.push("u", &message));
        assert_eq!(heard.body, format!(r#"15:42["message",{number}]"#));
    }
    drop(mute);
    session.say("2").await;
    assert_eq!(session.get().await.body, "1:3");
}

#[tokio::test]
async fn a_client_that_stops_polling_loses_only_its_own_session() {
    let host = Webhook::start().await;
    host.register("u", "c").await;
    host.register("v", "d").await;
    let other = NodeClient::start("4.8", "websocket", host.daemon.port(), ("v", "d"), &json!({}));
    other.says("registered", 1).await;
    let session = Session::begin(&host, "EIO=3&b64=1").await;
    session.get().await;
    session.registers(&json!(["u", "c"]), &json!({ "ok": true })).await;
    let long = Value::from("x".repeat(90_000)).to_string();
    until("the hub has had enough", async || {
        host.push("u", &long).await;
        host.daemon.log().contains("client disconnected").then_some(())
    })
    .await;
    host.push("v", "1").await;
    assert_eq!(other.says("message", 1).await, json!([1]));
    assert_eq!(other.all("disconnected"), [Value::Null; 0]);
    // What was on its way may still be fetched; then it is over.
    until("its session is over", async || (session.get().await.status == 400).then_some(())).await;
}

#[tokio::test]
async fn disconnected_clients_leave_nothing_behind() {
    let port = free_port().to_string();
    let host = Webhook::start_with(&[("METRICS_PORT", &port)]).await;
    host.register("u", "c").await;
    let client = |transport, connection| {
        let pair = ("u", connection);
        NodeClient::start("4.8", transport, host.daemon.port(), pair, &json!({}))
    };
    let clients = [("websocket", "c"), ("websocket", "no"), ("default", "no"), ("polling", "no")]
        .map(|(transport, connection)| client(transport, connection));
    for client in &clients {
        client.says("registered", 1).await;
    }
    let mut sessions = Vec::new();
    for number in 0..20 {
        let newer = number % 2 == 1;
        let session = Session::begin(&host, if newer { "EIO=4" } else { "EIO=3" }).await;
        if newer {
            session.post("40").await;
            while !session.get().await.body.contains("40{") {}
        }
        sessions.push(session);
    }
    let address = format!("127.0.0.1:{port}");
    let figure = async |name: &str| {
        let page = http::get(&address, "/metrics", &[]).await.body;
        let line = page.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u32>().ok()).expect("a figure")
    };
    assert!(figure("notify_push_unauthenticated_connections").await >= 23);
    assert_eq!(figure("notify_push_connections").await, 1);
    drop(clients);
    for session in &sessions {
        let farewell = if session.query.contains("EIO=3") { "1:1" } else { "1" };
        assert_eq!(session.post(farewell).await.status, 200);
    }
    // The one that polled went without a word, and is missed only after a minute; and we ask.
    until("its place is free", async || {
        let left = figure("notify_push_unauthenticated_connections").await;
        (left <= 2 && figure("notify_push_connections").await == 0).then_some(())
    })
    .await;
}
