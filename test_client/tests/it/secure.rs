//! TLS: which certificates are taken.

use crate::support::{
    Task,
    probe::run,
    push::{Do, Push},
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

const GOOD: &[Do] = &[Do::Say("authenticated"), Do::Say("notify_activity")];

/// A push endpoint with a self-signed certificate for this name, and the certificate.
async fn self_signed(name: &str) -> (Push, tempfile::NamedTempFile) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), cert.pem()).unwrap();
    (Push::start_with(&[GOOD], Some(TlsAcceptor::from(Arc::new(config)))).await, file)
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused_unless_it_is_given_or_none_is_asked_for() {
    let (push, file) = self_signed("localhost").await;
    let url = format!("wss://localhost:{}/push/ws", push.port());
    let outcome = run(&[&url, "bob", "--once"]).await;
    assert_eq!(outcome.code, Some(7), "{outcome:?}");
    assert!(outcome.stderr.contains("self-signed"), "{outcome:?}");
    assert!(outcome.stderr.contains("--ca") && outcome.stderr.contains("--insecure"));
    let ca = file.path().to_str().unwrap();
    for options in [&["--insecure"][..], &["--ca", ca]] {
        let arguments = [&[url.as_str(), "bob", "--once"], options].concat();
        let outcome = run(&arguments).await;
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_even_when_it_is_given() {
    let (push, file) = self_signed("elsewhere.example.com").await;
    let url = format!("wss://localhost:{}/push/ws", push.port());
    let outcome = run(&[&url, "bob", "--ca", file.path().to_str().unwrap()]).await;
    assert_eq!(outcome.code, Some(7), "{outcome:?}");
    assert!(outcome.stderr.contains("elsewhere.example.com"), "{outcome:?}");
}

#[tokio::test]
async fn discovery_judges_certificates_alike() {
    let (push, _file) = self_signed("localhost").await;
    let outcome = run(&[&format!("https://localhost:{}", push.port()), "bob"]).await;
    assert_eq!(outcome.code, Some(7), "{outcome:?}");
}

#[tokio::test]
async fn tls_where_none_is_spoken_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _plain = Task::start(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // As a web server does with a TLS hello.
            stream.read_u8().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    for scheme in ["wss", "https"] {
        let outcome = run(&[&format!("{scheme}://{address}/ws"), "bob"]).await;
        assert_eq!(outcome.code, Some(7), "{outcome:?}");
        assert!(outcome.stderr.contains("is it TLS that is spoken there"), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_ca_file_without_a_certificate_is_exit_code_1() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let ca = file.path().to_str().unwrap();
    let outcome = run(&["wss://localhost:1/ws", "bob", "--ca", ca]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("holds no certificate"), "{outcome:?}");
}
