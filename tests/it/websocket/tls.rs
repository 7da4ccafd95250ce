//! TLS: handshake, ALPN, certificates that change.

use super::server::{PATIENCE, REQUEST, RawClient, ServerOptions, TestServer};
use notify_push::server::{ConnectionTimeouts, ReloadableTls, TlsFiles};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Writes a new certificate for `localhost` and its key.
fn certify(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn files(folder: &Path) -> TlsFiles {
    TlsFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem"), chain: None }
}

async fn server(folder: &Path) -> (TestServer, Arc<ReloadableTls>) {
    let tls = Arc::new(ReloadableTls::load(files(folder)).await.unwrap());
    let options = ServerOptions { tls: Some(Arc::clone(&tls)), ..ServerOptions::default() };
    (TestServer::start(options), tls)
}

async fn shake(
    server: &TestServer,
    trusted: &CertificateDer<'static>,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn a_websocket_is_served_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let cert = certify(folder.path());
    let (server, _) = server(folder.path()).await;
    let mut client = RawClient(shake(&server, &cert, &[]).await.unwrap());
    client.send(REQUEST.as_bytes()).await;
    assert!(client.reply().await.starts_with("HTTP/1.1 101"));
    client.send(b"\x81\x82\0\0\0\0hi").await;
    client.expect(b"\x81\x02hi").await;
    client.send(b"\x88\x80\0\0\0\0").await;
    client.expect(b"\x88\0").await;
    client.expect_end().await;
}

#[tokio::test]
async fn http_1_1_is_what_alpn_agrees_on() {
    let folder = tempfile::tempdir().unwrap();
    let cert = certify(folder.path());
    let (server, _) = server(folder.path()).await;
    let client = shake(&server, &cert, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(client.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(shake(&server, &cert, &["h2"]).await.is_err());
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let old = certify(folder.path());
    let (server, tls) = server(folder.path()).await;
    shake(&server, &old, &[]).await.unwrap();
    let new = certify(folder.path());
    let taken = async { while shake(&server, &new, &[]).await.is_err() {} };
    tokio::select! {
        () = tls.watch(Duration::from_millis(10)) => panic!("the files are watched no more"),
        taken = tokio::time::timeout(PATIENCE, taken) => {
            taken.expect("the new certificate is never used");
        }
    }
    assert!(shake(&server, &old, &[]).await.is_err());
}

#[tokio::test]
async fn a_broken_certificate_leaves_the_old_one_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let old = certify(folder.path());
    let (server, tls) = server(folder.path()).await;
    std::fs::write(folder.path().join("cert.pem"), "not a certificate").unwrap();
    let error = tls.reload().await.unwrap_err().to_string();
    assert!(error.contains("cert.pem"), "{error}");
    shake(&server, &old, &[]).await.unwrap();
    std::fs::remove_file(folder.path().join("key.pem")).unwrap();
    assert!(tls.reload().await.is_err());
    shake(&server, &old, &[]).await.unwrap();
    let new = certify(folder.path());
    tls.reload().await.unwrap();
    shake(&server, &new, &[]).await.unwrap();
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let key = std::fs::read(folder.path().join("key.pem")).unwrap();
    certify(folder.path());
    std::fs::write(folder.path().join("key.pem"), key).unwrap();
    let error = ReloadableTls::load(files(folder.path())).await.err().unwrap().to_string();
    assert!(error.contains("cert.pem") && error.contains("key.pem"), "{error}");
}

#[tokio::test]
async fn a_client_that_never_finishes_its_handshake_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let tls = Some(Arc::new(ReloadableTls::load(files(folder.path())).await.unwrap()));
    let limits = ConnectionTimeouts {
        handshake: Duration::from_millis(300),
        ..ConnectionTimeouts::default()
    };
    let server = TestServer::start(ServerOptions { tls, limits, ..ServerOptions::default() });
    let mut client = server.connect().await;
    client.send(b"\x16\x03\x01").await;
    client.expect_end().await;
    server.pre_auth(0).await;
}

#[tokio::test]
async fn a_chain_in_a_file_of_its_own_is_shown_behind_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let leaf = certify(folder.path());
    let above = rcgen::generate_simple_self_signed(["above".into()]).unwrap();
    std::fs::write(folder.path().join("chain.pem"), above.cert.pem()).unwrap();
    let chain = Some(folder.path().join("chain.pem"));
    let tls = ReloadableTls::load(TlsFiles { chain, ..files(folder.path()) }).await.unwrap();
    let options = ServerOptions { tls: Some(Arc::new(tls)), ..ServerOptions::default() };
    let server = TestServer::start(options);
    let stream = shake(&server, &leaf, &["http/1.1"]).await.unwrap();
    let shown = stream.get_ref().1.peer_certificates().unwrap();
    assert_eq!(shown, [leaf, above.cert.der().clone()]);
}
