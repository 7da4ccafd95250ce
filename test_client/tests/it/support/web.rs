//! An HTTP server with scripted answers that records its requests.

use super::Task;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What to answer to a request's path: status, further header lines, body.
pub(crate) type Answer = (u16, String, String);

/// A server on a free port, gone when dropped.
pub(crate) struct Web {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<String>>>,
    _task: Task,
}

impl Web {
    pub(crate) async fn start(
        answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heads, own) = (Arc::clone(&asked), address.clone());
        let serve = async move {
            while let Ok((stream, _)) = listener.accept().await {
                one(stream, |path| answer(path, &own), &heads).await;
            }
        };
        Self { address, asked, _task: Task::start(serve) }
    }

    /// The same answer to everything.
    pub(crate) async fn always(status: u16, header: &str, body: &str) -> Self {
        let answer = (status, header.to_owned(), body.to_owned());
        Self::start(move |_, _| answer.clone()).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of all requests so far, in lower case.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

async fn one(mut stream: TcpStream, answer: impl Fn(&str) -> Answer, asked: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().expect("no panic").push(head.to_lowercase());
    let (status, header, body) = answer(&path);
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} x\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    // A client that has gone does not read it.
    let _ = stream.write_all(text.as_bytes()).await;
}

/// A Nextcloud, in a sub-directory, whose push is at this address.
pub(crate) async fn nextcloud(websocket: &str) -> Web {
    let websocket = websocket.to_owned();
    Web::start(move |path, address| {
        let (status, body) = match path.split('?').next().unwrap_or_default() {
            "/nc/status.php" => (200, r#"{"installed":true,"maintenance":false}"#.to_owned()),
            "/nc/ocs/v2.php/cloud/capabilities" => (200, capabilities(&websocket, address)),
            "/nc/pre_auth" => (200, "one+time/ticket".to_owned()),
            _ => (404, "not here".to_owned()),
        };
        (status, String::new(), body)
    })
    .await
}

fn capabilities(websocket: &str, address: &str) -> String {
    let pre_auth = format!("http://{address}/nc/pre_auth");
    let push = json!({"endpoints": {"websocket": websocket, "pre_auth": pre_auth}});
    json!({"ocs": {"data": {"capabilities": {"core": {}, "notify_push": push}}}}).to_string()
}
