//! A stream's second life, over real sockets.

use super::{ClientStream, IdleStream};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{PrivateKeyDer, ServerName},
};
use std::{
    io::{ErrorKind, Read, Write},
    sync::Arc,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client};

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener.accept().await.unwrap().0, client)
}

async fn tls() -> (ClientStream, client::TlsStream<TcpStream>) {
    let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (near, far) = tcp().await;
    let name = ServerName::try_from("localhost").unwrap();
    let (acceptor, connector) =
        (TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client)));
    let (near, far) = tokio::join!(acceptor.accept(near), connector.connect(name, far));
    (ClientStream::Tls(Box::new(near.unwrap())), far.unwrap())
}

/// Reads what there is, waiting for the first of it.
fn read(stream: &mut IdleStream) -> Vec<u8> {
    let (mut found, mut buffer) = (Vec::new(), [0; 1000]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return found,
            Ok(read) => found.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock && found.is_empty() => {
                std::thread::yield_now();
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return found,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn an_idle_stream_is_two_words() {
    assert!(size_of::<IdleStream>() <= 16);
}

#[tokio::test]
async fn a_plain_stream_goes_on_without_the_runtime() {
    let (near, mut far) = tcp().await;
    let mut idle = ClientStream::Tcp(near).into_idle().unwrap();
    assert_eq!(idle.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
    far.write_all(b"hello").await.unwrap();
    assert_eq!(read(&mut idle), b"hello");
    idle.write_all(b"world").unwrap();
    idle.shutdown_write().unwrap();
    let mut answer = Vec::new();
    far.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"world");
}

#[tokio::test]
async fn a_tls_stream_goes_on_without_the_runtime() {
    let (near, mut far) = tls().await;
    let mut idle = near.into_idle().unwrap();
    assert_eq!(idle.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
    far.write_all(&[7; 5000]).await.unwrap();
    far.flush().await.unwrap();
    let mut received = 0;
    while received < 5000 {
        received += read(&mut idle).len();
    }
    idle.write_all(b"world").unwrap();
    assert!(!idle.wants_write());
    idle.shutdown_write().unwrap();
    let mut answer = Vec::new();
    far.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"world");
    drop(far);
    assert!(read(&mut idle).is_empty());
}

/// Writes until the stream takes no more, and says how much it took.
fn stuff(idle: &mut IdleStream) -> usize {
    let mut taken = 0;
    loop {
        match idle.write(&[b'x'; 1000]) {
            Ok(written) => taken += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return taken,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn what_a_tls_client_does_not_read_is_bounded_and_arrives_when_it_does() {
    let (near, mut far) = tls().await;
    let mut idle = near.into_idle().unwrap();
    let taken = stuff(&mut idle);
    assert!(idle.wants_write());
    assert_eq!(idle.flush().unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut received = 0;
    let mut buffer = vec![0; 64 * 1024];
    while received < taken {
        received += far.read(&mut buffer).await.unwrap();
        drop(idle.flush());
    }
    assert_eq!(received, taken);
    assert!(!idle.wants_write());
}

#[tokio::test]
async fn aborting_drops_what_waits_to_be_sent() {
    let (near, mut far) = tcp().await;
    let mut idle = ClientStream::Tcp(near).into_idle().unwrap();
    let taken = stuff(&mut idle);
    idle.abort();
    let mut received = Vec::new();
    let error = far.read_to_end(&mut received).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(received.len() < taken);
}

#[tokio::test]
async fn a_tls_peer_that_sends_garbage_is_an_error() {
    let (near, far) = tls().await;
    let mut idle = near.into_idle().unwrap();
    let (mut socket, _) = far.into_inner();
    socket.write_all(&[0xff; 100]).await.unwrap();
    let error = loop {
        match idle.read(&mut [0; 9]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            other => break other.unwrap_err(),
        }
    };
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}
