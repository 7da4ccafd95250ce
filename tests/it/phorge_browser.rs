//! A real browser with a page that speaks as Phorge's leader tab does: it subscribes, hears, comes back,
//! asks for what it missed, and shows nothing twice.

use crate::support::{browser::Browser, phorge::Aphlict};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

const PAGE: &str = include_str!("phorge_browser/leader.html");
const USER: &str = "PHID-USER-aaaabbbbccccdddd1111";
const TASK: &str = "PHID-TASK-eeeeffffgggghhhh2222";

/// Phorge's web server, of which one page is enough.
struct PageServer {
    port: u16,
    _tasks: JoinSet<()>,
}

impl PageServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut request = [0; 8192];
                    let Ok(1..) = stream.read(&mut request).await else { return };
                    let length = PAGE.len();
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\
                         Connection: close\r\n\r\n"
                    );
                    // A browser that goes before it has read is none of ours.
                    let _ = stream.write_all((head + PAGE).as_bytes()).await;
                });
            }
        });
        Self { port, _tasks: tasks }
    }
}

/// A browser whose tab leads, once it subscribes.
async fn leading(server: &Aphlict, pages: &PageServer) -> Browser {
    let browser = Browser::start().await;
    let ws = format!("ws://{}/ws/~acme/%3Finstance=acme", server.clients());
    browser.open(&format!("http://127.0.0.1:{}/?ws={ws}", pages.port)).await;
    browser.shows("#status", |text| text == "open 1").await;
    browser.shows("#pongs", |text| text != "0").await;
    browser
}

#[tokio::test]
async fn a_tab_hears_comes_back_hears_what_it_missed_and_nothing_twice() {
    let (server, pages) = (Aphlict::start().await, PageServer::start().await);
    let browser = leading(&server, &pages).await;
    server.tell("acme", &[USER], "first").await;
    server.tell("acme", &[USER, TASK], "second").await;
    server.tell("acme", &["PHID-TASK-other"], "not for it").await;
    server.tell("default", &[USER], "of another instance").await;
    browser.shows("#heard", |text| text == "first:1 second:2").await;
    browser.eval("leader.leave()").await;
    browser.shows("#status", |text| text == "closed 1").await;
    server.tell("acme", &[TASK], "missed").await;
    browser.eval("leader.comeBack()").await;
    browser.shows("#status", |text| text == "open 2").await;
    browser.shows("#heard", |text| text == "first:1 second:2 missed:1").await;
    browser.shows("#again", |text| text == "2").await;
    server.tell("acme", &[USER], "live again").await;
    browser.shows("#heard", |text| text.ends_with("missed:1 live again:1")).await;
    assert_eq!(server.status("acme").await["clients.active"], 1);
    assert_eq!(server.status("acme").await["clients.total"], 2);
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_tab_finds_a_server_that_was_restarted() {
    let (mut server, pages) = (Aphlict::start().await, PageServer::start().await);
    let browser = leading(&server, &pages).await;
    assert_eq!(server.daemon.stop().await.code(), Some(0));
    browser.shows("#status", |text| text == "closed 1").await;
    server.daemon.start_again();
    assert!(server.daemon.ready().await, "{}", server.daemon.log());
    browser.shows("#status", |text| text == "open 2").await;
    browser.shows("#pongs", |text| text != "0").await;
    server.tell("acme", &[USER], "after").await;
    browser.shows("#heard", |text| text == "after:1").await;
}
