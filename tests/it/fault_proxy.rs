//! The fault-injecting proxy does to a connection what its faults say, and nothing else.

use crate::support::{
    faults::{Fault, FaultProxy},
    until, within,
};
use std::{io::ErrorKind, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

/// Long enough for what is forwarded at once, short enough to wait for what is not.
const SILENCE: Duration = Duration::from_millis(200);

/// A server that answers each byte with the same byte, and the proxy in front of it.
struct EchoServer {
    proxy: FaultProxy,
    _server: JoinSet<()>,
}

impl EchoServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        Self { proxy: FaultProxy::to(address).await, _server: server }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.proxy.port())).await.unwrap()
    }
}

async fn echoed(stream: &mut TcpStream, sent: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(sent).await?;
    let mut got = vec![0; sent.len()];
    within("an answer", stream.read_exact(&mut got)).await?;
    Ok(got)
}

#[tokio::test]
async fn without_fault_it_forwards_both_ways_and_the_end_of_either() {
    let echo = EchoServer::start().await;
    let mut stream = echo.connect().await;
    assert_eq!(echoed(&mut stream, b"hello").await.unwrap(), b"hello");
    assert_eq!(echo.proxy.connections(), 1);
    stream.write_all(b"last words").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = String::new();
    within("the end", stream.read_to_string(&mut rest)).await.unwrap();
    assert_eq!(rest, "last words");
    until("the connection is gone", async || (echo.proxy.connections() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_cut_closes_what_is_open_and_what_comes() {
    let echo = EchoServer::start().await;
    let mut stream = echo.connect().await;
    echoed(&mut stream, b"hello").await.unwrap();
    echo.proxy.set(Fault::Cut);
    assert_eq!(within("the end", stream.read(&mut [0])).await.unwrap(), 0);
    assert_eq!(within("the end", echo.connect().await.read(&mut [0])).await.unwrap(), 0);
    echo.proxy.set(Fault::None);
    assert!(echoed(&mut echo.connect().await, b"hello").await.is_ok());
}

#[tokio::test]
async fn a_reset_is_an_error_to_the_client() {
    let echo = EchoServer::start().await;
    let mut stream = echo.connect().await;
    echoed(&mut stream, b"hello").await.unwrap();
    echo.proxy.reset_connections().await;
    let end = within("the end", stream.read(&mut [0])).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(echoed(&mut echo.connect().await, b"hello").await.is_ok());
}

#[tokio::test]
async fn a_stall_holds_everything_back_and_loses_nothing() {
    let echo = EchoServer::start().await;
    let mut stream = echo.connect().await;
    echoed(&mut stream, b"hello").await.unwrap();
    echo.proxy.set(Fault::Stall);
    stream.write_all(b"later").await.unwrap();
    let mut got = [0; 5];
    assert!(timeout(SILENCE, stream.read(&mut got)).await.is_err());
    echo.proxy.set(Fault::None);
    within("what was held back", stream.read_exact(&mut got)).await.unwrap();
    assert_eq!(&got, b"later");
}

#[tokio::test]
async fn slow_is_slow_and_complete() {
    let echo = EchoServer::start().await;
    let mut stream = echo.connect().await;
    echo.proxy.set(Fault::Slow(1));
    assert_eq!(echoed(&mut stream, b"byte by byte").await.unwrap(), b"byte by byte");
}

#[tokio::test]
async fn a_half_open_connection_stays_silent_for_good() {
    let echo = EchoServer::start().await;
    let mut stream = echo.connect().await;
    echoed(&mut stream, b"hello").await.unwrap();
    echo.proxy.set(Fault::HalfOpen);
    stream.write_all(b"is anybody there").await.unwrap();
    assert!(timeout(SILENCE, stream.read(&mut [0])).await.is_err());
    echo.proxy.set(Fault::None);
    assert!(echoed(&mut echo.connect().await, b"hello").await.is_ok());
}

#[tokio::test]
async fn garbage_has_the_length_of_the_answer() {
    let echo = EchoServer::start().await;
    let mut stream = echo.connect().await;
    echo.proxy.set(Fault::Garbage);
    let sent = [7; 64];
    assert_ne!(echoed(&mut stream, &sent).await.unwrap(), sent);
}
