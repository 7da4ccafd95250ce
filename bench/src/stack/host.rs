//! A stand-in for Nextcloud's `/uid`: so many workers, so long for each login, a queue in front.

use crate::options::Options;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::sleep,
};

/// What it has seen.
#[derive(Debug, Default)]
pub struct RequestCounts {
    /// Requests that reached it.
    pub requests: AtomicUsize,
    /// Requests whose asker was gone by the time they were answered.
    pub given_up: AtomicUsize,
}

/// A running stand-in; it ends with the process.
pub struct NextcloudStandIn {
    port: u16,
    /// What it has seen.
    pub counted: Arc<RequestCounts>,
}

struct WorkerPool {
    workers: Semaphore,
    delay: Duration,
    queue: usize,
    waiting: AtomicUsize,
    counted: Arc<RequestCounts>,
}

impl NextcloudStandIn {
    /// Starts one.
    pub fn start(options: &Options) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let counted = Arc::new(RequestCounts::default());
        let shop = Arc::new(WorkerPool {
            workers: Semaphore::new(options.host_workers.max(1)),
            delay: Duration::from_millis(options.host_delay),
            queue: if options.host_queue == 0 { usize::MAX } else { options.host_queue },
            waiting: AtomicUsize::new(0),
            counted: Arc::clone(&counted),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::spawn(move || runtime.block_on(serve(listener, shop)));
        Ok(Self { port, counted })
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

async fn serve(listener: std::net::TcpListener, shop: Arc<WorkerPool>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(attend(stream, Arc::clone(&shop)));
        }
    }
}

/// One connection, one request after the other.
async fn attend(mut stream: TcpStream, shop: Arc<WorkerPool>) {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        let head: Vec<u8> = buffer.drain(..end).collect();
        let (status, body) = shop.work(&String::from_utf8_lossy(&head)).await;
        let gone = matches!(stream.try_read(&mut [0; 1]), Ok(0));
        if gone {
            shop.counted.given_up.fetch_add(1, Relaxed);
            return;
        }
        let reply = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

impl WorkerPool {
    async fn work(&self, head: &str) -> (u16, String) {
        self.counted.requests.fetch_add(1, Relaxed);
        if self.waiting.fetch_add(1, Relaxed) >= self.queue {
            self.waiting.fetch_sub(1, Relaxed);
            return (502, String::new());
        }
        let worker = self.workers.acquire().await;
        self.waiting.fetch_sub(1, Relaxed);
        // A worker works to the end whether anybody still waits or not, as PHP does.
        sleep(self.delay).await;
        drop(worker);
        match login(head) {
            Some(user) => (200, user),
            None => (401, String::new()),
        }
    }
}

/// The user name of basic authentication, if the password is that user's.
fn login(head: &str) -> Option<String> {
    let line =
        head.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization: basic "))?;
    let decoded = base64(line.get(21..)?.trim())?;
    let (user, password) = decoded.split_once(':')?;
    let number = user.strip_prefix("user")?.parse().ok()?;
    (password == super::app_password(number)).then(|| user.to_owned())
}

fn base64(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}
