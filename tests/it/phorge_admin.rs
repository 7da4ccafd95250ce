//! The admin server against web pages and floods: pages can't publish through a user's browser, and idle
//! connections can't displace a publisher.

use crate::support::{http, phorge::Aphlict, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const MESSAGE: &str = r#"{"subscribers":["a"],"uniqueID":"1"}"#;

#[tokio::test]
async fn a_web_page_can_neither_publish_nor_read_the_status() {
    let server = Aphlict::start().await;
    let mut browser = server.browser("").await;
    browser.subscribe(&["a"]).await;
    let page = ("Origin", "https://evil.example");
    let site = |site| ("Sec-Fetch-Site", site);
    for (method, path, headers) in [
        ("POST", "/", vec![page]),
        ("POST", "/", vec![page, site("cross-site"), ("Content-Type", "text/plain")]),
        ("POST", "/", vec![("Origin", "null")]),
        ("POST", "/", vec![site("same-site")]),
        ("GET", "/status/", vec![site("cross-site")]),
        (
            "OPTIONS",
            "/",
            vec![
                page,
                ("Access-Control-Request-Method", "POST"),
                ("Access-Control-Request-Private-Network", "true"),
            ],
        ),
    ] {
        let answer = http::request(method, &server.admins(), path, &headers, MESSAGE).await;
        assert_eq!(answer.status, 403, "{method} {headers:?}");
        assert_eq!(answer.header("Access-Control-Allow-Origin"), None);
    }
    assert_eq!(browser.told().await, [""; 0]);
    // A user who opens the page by hand, and Phorge itself.
    let typed = http::get(&server.admins(), "/status/", &[site("none")]).await;
    assert_eq!(typed.status, 200);
    assert_eq!(server.publish("", MESSAGE).await.status, 200);
    assert_eq!(browser.told().await, ["1"]);
}

#[tokio::test]
async fn touched_may_be_null() {
    let server = Aphlict::start().await;
    let mut browser = server.browser("").await;
    browser.subscribe(&["a"]).await;
    let body = r#"{"subscribers":["a"],"uniqueID":"1","touched":null}"#;
    assert_eq!(server.publish("", body).await.status, 200);
    assert_eq!(browser.next().await["touched"].as_array().map(Vec::len), Some(1));
}

/// Publishes over a kept connection; false if the server has closed it.
async fn publish_over(connection: &mut TcpStream, unique: u32) -> bool {
    let body = format!(r#"{{"subscribers":["a"],"uniqueID":"{unique}"}}"#);
    let request =
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    if connection.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        match connection.read_buf(&mut answer).await {
            Ok(1..) => {}
            _ => return false,
        }
    }
    answer.starts_with(b"HTTP/1.1 200")
}

#[tokio::test]
async fn idle_connections_do_not_displace_a_publisher() {
    let limit = [("MAX_UNAUTHENTICATED", "2")];
    let server = Aphlict::with_environment(|_| {}, &limit).await;
    let mut publisher = TcpStream::connect(server.admins()).await.unwrap();
    assert!(within("the first message", publish_over(&mut publisher, 1)).await);
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(TcpStream::connect(server.admins()).await.unwrap());
    }
    // The oldest of them makes room for the newest: then all have been accepted.
    let mut byte = [0];
    assert_eq!(within("the first is closed", idle[0].read(&mut byte)).await.unwrap_or(0), 0);
    assert_eq!(within("the second is closed", idle[1].read(&mut byte)).await.unwrap_or(0), 0);
    assert!(within("the next message", publish_over(&mut publisher, 2)).await);
}
