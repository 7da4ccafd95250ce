//! TLS as Aphlict's file has it: certificate, key and chain in three files, read again when they are
//! replaced; peers over https.

use crate::support::{
    certificates::Certificates,
    client::Client,
    folder,
    phorge::{Aphlict, LeaderTab},
    until,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustix::process::Signal;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Writes a certificate for localhost that an intermediate authority signed, its key and the
/// intermediate's certificate; returns the root's.
fn issue(folder: &Path) -> CertificateDer<'static> {
    let authority = || {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        parameters.use_authority_key_identifier_extension = true;
        (parameters, KeyPair::generate().unwrap())
    };
    let (root, root_key) = authority();
    let root_certificate = root.self_signed(&root_key).unwrap();
    let (middle, middle_key) = authority();
    let signer = Issuer::new(root, root_key);
    let chain = middle.signed_by(&middle_key, &signer).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = leaf.signed_by(&key, &Issuer::new(middle, middle_key)).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("chain.pem"), chain.pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    root_certificate.der().clone()
}

/// Whether who trusts this root alone gets through to the client server.
async fn trusts(port: u16, root: &CertificateDer<'static>) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.is_ok()
}

#[tokio::test]
async fn a_certificate_with_its_chain_is_shown_and_another_after_it_was_replaced() {
    let files = folder("certificate");
    let old = issue(files.path());
    let server = Aphlict::with(|file| {
        for (key, name) in [("ssl.cert", "cert"), ("ssl.key", "key"), ("ssl.chain", "chain")] {
            file["servers"][0][key] = json!(files.path().join(format!("{name}.pem")));
        }
    })
    .await;
    assert!(trusts(server.ports.client, &old).await);
    let new = issue(files.path());
    server.daemon.signal(Signal::HUP);
    until("the new certificate is shown", async || {
        trusts(server.ports.client, &new).await.then_some(())
    })
    .await;
    assert!(!trusts(server.ports.client, &old).await);
    assert_eq!(server.status("").await["version"], 7, "the admin server is as it was");
}

#[tokio::test]
async fn peers_over_https_are_trusted_by_the_authority_that_is_set() {
    let certificates = Certificates::new();
    let (pair, ca) = (certificates.server(), certificates.ca().display().to_string());
    let hearing = Aphlict::with(|file| {
        for server in file["servers"].as_array_mut().unwrap() {
            server["ssl.cert"] = json!(pair.cert);
            server["ssl.key"] = json!(pair.key);
        }
    })
    .await;
    let url = format!("wss://localhost:{}/ws/", hearing.ports.client);
    let mut browser = LeaderTab(Client::connect_tls(&url, &certificates, &[]).await);
    browser.subscribe(&["a"]).await;
    let peer = json!({"host": "localhost", "port": hearing.ports.admin, "protocol": "https"});
    let cluster = |file: &mut Value| file["cluster"] = json!([peer]);
    let sender = Aphlict::with_environment(cluster, &[("PEERS_CA", &ca)]).await;
    sender.tell("", &["a"], "1").await;
    assert_eq!(browser.next().await["uniqueID"], "1");
}
