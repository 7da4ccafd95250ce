//! The application's server in the demo: it knows the token and registers connections.

use super::{TOKEN, USER};
use std::{
    fmt::Write,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The most bytes of a response that are read.
const MAX_ANSWER: u64 = 64 * 1024;

/// The demo's back end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DemoBackEnd {
    address: Arc<OnceLock<SocketAddr>>,
    rng: Arc<Mutex<fastrand::Rng>>,
}

impl DemoBackEnd {
    /// Creates a back end that doesn't know the daemon's address yet.
    pub fn new(rng: fastrand::Rng) -> Self {
        Self { address: Arc::default(), rng: Arc::new(Mutex::new(rng)) }
    }

    /// Sets the daemon's address.
    pub fn set_address(&self, address: SocketAddr) {
        // It is set only here.
        let _ = self.address.set(address);
    }

    /// Registers a new connection of the one user; returns its id.
    ///
    /// # Errors
    /// If the daemon refuses the registration.
    pub async fn register(&self) -> io::Result<String> {
        let id = self.rng.lock().unwrap_or_else(PoisonError::into_inner).u128(..);
        let connection = format!("{id:032x}");
        let path = format!("/api/{USER}/register?connectionId={connection}");
        match self.send_request("PUT", &path, true, "").await? {
            200 => Ok(connection),
            status => Err(io::Error::other(format!("the daemon answered {status}"))),
        }
    }

    /// Calls a private URL without credentials; returns the status.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn call(&self, path: &str, body: &str) -> io::Result<u16> {
        self.send_request("POST", path, false, body).await
    }

    async fn send_request(
        &self,
        method: &str,
        path: &str,
        token: bool,
        body: &str,
    ) -> io::Result<u16> {
        let address = self.address.get().ok_or(io::ErrorKind::NotConnected)?;
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n");
        if token {
            // Writing to a string never fails.
            let _ = write!(request, "X-AUTH-TOKEN: {TOKEN}\r\n");
        }
        let _ = write!(
            request,
            "Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        timeout(super::TIMEOUT, exchange(*address, &request)).await?
    }
}

async fn exchange(address: SocketAddr, request: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    let status = answer.split(|byte| *byte == b' ').nth(1);
    let status = status.and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    status.ok_or_else(|| io::Error::other("the daemon's answer is no HTTP"))
}
