//! A real Chromium without a window, driven over the W3C WebDriver protocol through ChromeDriver.

use super::{Folder, Server, folder, free_port, until, within};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::path::Path;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Chromium in a closed network asks nobody but the page's server.
const ARGUMENTS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
];

/// One browser with one tab; gone with all its processes when dropped.
pub(crate) struct Browser {
    driver: Server,
    address: String,
    session: String,
    _folder: Folder,
}

impl Browser {
    /// Starts ChromeDriver and a browser.
    pub(crate) async fn start() -> Self {
        let (folder, port) = (folder("browser"), free_port());
        let home = folder.path().to_owned();
        let driver = Server::start("chromedriver", &folder.path().join("log"), move |command| {
            command.arg(format!("--port={port}")).env("HOME", &home).current_dir(&home);
        });
        let address = format!("127.0.0.1:{port}");
        let mut browser = Self { driver, address, session: String::new(), _folder: folder };
        let there = async || TcpStream::connect(&browser.address).await.ok();
        drop(until("ChromeDriver listens", there).await);
        let profile = browser._folder.path().join("profile").display().to_string();
        let arguments: Vec<String> = ARGUMENTS.iter().map(|text| (*text).to_owned()).collect();
        let arguments = [arguments, vec![format!("--user-data-dir={profile}")]].concat();
        let options = json!({"binary": super::find("chromium"), "args": arguments});
        let wanted = json!({"alwaysMatch": {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }});
        let session = browser.ask("POST", "", json!({"capabilities": wanted})).await;
        browser.session = format!("/{}", session["sessionId"].as_str().expect("a session"));
        browser
    }

    /// Opens a page and waits until it is loaded.
    pub(crate) async fn open(&self, url: &str) {
        self.ask("POST", "/url", json!({"url": url})).await;
    }

    /// What an expression is on the page.
    pub(crate) async fn eval(&self, expression: &str) -> Value {
        let script = json!({"script": format!("return ({expression});"), "args": []});
        self.ask("POST", "/execute/sync", script).await
    }

    /// The text of an element, by CSS selector; empty while there is none.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let expression = format!("document.querySelector({selector:?})?.innerText ?? ''");
        self.eval(&expression).await.as_str().expect("a text").to_owned()
    }

    /// Waits until the text of an element is as wanted.
    pub(crate) async fn shows(&self, selector: &str, wanted: impl Fn(&str) -> bool) -> String {
        let last = std::sync::Mutex::new(String::new());
        let look = until(selector, async || {
            let text = self.text(selector).await;
            last.lock().expect("no panic").clone_from(&text);
            wanted(&text).then_some(text)
        });
        let found = tokio::time::timeout(super::wait::PATIENCE * 9 / 10, look).await;
        found.unwrap_or_else(|_| panic!("{selector} shows {last:?}; {}", self.driver.log()))
    }

    /// A real click in the middle of an element: what lies over it would get it instead.
    pub(crate) async fn click(&self, selector: &str) {
        let found = json!({"using": "css selector", "value": selector});
        let element = self.ask("POST", "/element", found).await;
        let id = element.as_object().and_then(|element| element.values().next());
        let id = id.and_then(Value::as_str).expect("an element");
        self.ask("POST", &format!("/element/{id}/click"), json!({})).await;
    }

    /// Chrome DevTools Protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.ask("POST", "/goog/cdp/execute", body).await
    }

    /// A viewport of this size with this colour scheme.
    pub(crate) async fn viewport(&self, width: u32, height: u32, scheme: &str) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", scheme).await;
    }

    /// The whole page as a PNG, written to a file.
    pub(crate) async fn picture(&self, file: &Path) -> usize {
        let shot = json!({"format": "png", "captureBeyondViewport": true});
        let shot = self.devtools("Page.captureScreenshot", shot).await;
        let png = STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("base64");
        assert!(png.starts_with(b"\x89PNG"));
        std::fs::write(file, &png).expect("a file");
        png.len()
    }

    /// What the browser complained of since it was last asked: broken scripts, what a policy forbids.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.ask("POST", "/se/log", json!({"type": "browser"})).await;
        let lines = log.as_array().expect("a log").iter();
        lines.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let path = format!("/session{}{path}", self.session);
        let answer = within(&path, exchange(&self.address, method, &path, &body.to_string())).await;
        let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
        let value = answer["value"].take();
        assert!(value["error"].is_null(), "{path} {body}: {value}");
        value
    }
}

/// ChromeDriver says "Connection: close" and doesn't: the length counts.
async fn exchange(address: &str, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("ChromeDriver listens");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    loop {
        assert!(stream.read_buf(&mut answer).await.expect("it answers") > 0, "cut off: {path}");
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
        });
        let length = length.expect("a length").expect("a number");
        if body.len() >= length {
            return body.to_owned();
        }
    }
}
