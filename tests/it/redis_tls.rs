//! TLS towards Redis checks exactly what the settings ask for, and says what is wrong.

use crate::support::{
    Folder,
    certificates::Certificates,
    folder, free_port,
    redis::Redis,
    subscriber::{Subscriber, hurried, local, single},
};
use notify_push::client::redis::{RedisAddress, RedisClient, RedisSettings, RedisTls};
use std::path::PathBuf;

/// A Redis whose certificate is for these names and that asks for none from the client.
async fn lenient(names: &[&str]) -> (Redis, Certificates) {
    let certificates = Certificates::new();
    certificates.server_for("server", names);
    (Redis::start_tls(&certificates, &["--tls-auth-clients", "no"]).await, certificates)
}

/// Everything is checked, against this CA file or the system's.
fn strict(ca: Option<PathBuf>) -> RedisTls {
    RedisTls { ca, client: None, verify_peer: true, verify_name: true }
}

fn over(tls: RedisTls, port: u16) -> RedisSettings {
    RedisSettings { tls: Some(tls), ..single(local(port)) }
}

async fn hears(redis: &Redis, settings: RedisSettings) {
    let mut subscriber = Subscriber::start(settings);
    subscriber.connected().await;
    redis.publish("notify_custom", "sealed").await;
    subscriber.hears("notify_custom", "sealed").await;
}

async fn refused(settings: RedisSettings, cause: &str) {
    let why = Subscriber::start(settings).away().await;
    assert!(why.contains(cause), "{why}");
}

#[tokio::test]
async fn hears_and_reads_keys_with_a_ca_file_by_address_and_by_name() {
    let (redis, certificates) = lenient(&["localhost", "127.0.0.1"]).await;
    let settings = over(strict(Some(certificates.ca())), redis.tls_port());
    hears(&redis, settings.clone()).await;
    RedisClient::new(settings.clone(), hurried(), fastrand::Rng::new())
        .set("a", "1")
        .await
        .unwrap();
    assert_eq!(redis.get("a").await.as_deref(), Some("1"));
    let by_name = single(RedisAddress::Tcp("localhost".into(), redis.tls_port()));
    hears(&redis, RedisSettings { tls: settings.tls, ..by_name }).await;
}

#[tokio::test]
async fn a_large_message_arrives_whole_through_tls() {
    let (redis, certificates) = lenient(&["127.0.0.1"]).await;
    let mut subscriber = Subscriber::start(over(strict(Some(certificates.ca())), redis.tls_port()));
    subscriber.connected().await;
    let large = "x".repeat(1 << 20);
    redis.publish("notify_custom", &large).await;
    subscriber.hears("notify_custom", &large).await;
}

#[tokio::test]
async fn another_authority_is_refused_whatever_else_is_tolerated() {
    let (redis, _) = lenient(&["127.0.0.1"]).await;
    let other = Certificates::new();
    for verify_name in [true, false] {
        let tls = RedisTls { verify_name, ..strict(Some(other.ca())) };
        refused(over(tls, redis.tls_port()), "not signed by a trusted authority").await;
    }
    refused(over(strict(None), redis.tls_port()), "not signed by a trusted authority").await;
}

#[tokio::test]
async fn another_name_is_refused_unless_names_are_not_checked() {
    let (redis, certificates) = lenient(&["redis.example.com", "10.9.8.7"]).await;
    let tls = strict(Some(certificates.ca()));
    refused(over(tls.clone(), redis.tls_port()), "verify_peer_name=false").await;
    hears(&redis, over(RedisTls { verify_name: false, ..tls }, redis.tls_port())).await;
}

#[tokio::test]
async fn nothing_is_refused_when_the_peer_is_not_verified() {
    let (redis, _) = lenient(&["redis.example.com"]).await;
    let tls = RedisTls { verify_peer: false, ..strict(Some(Certificates::new().ca())) };
    hears(&redis, over(tls, redis.tls_port())).await;
    let tls = RedisTls { verify_peer: false, ..strict(None) };
    hears(&redis, over(tls, redis.tls_port())).await;
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_wanted() {
    let certificates = Certificates::new();
    let redis = Redis::start_tls(&certificates, &[]).await;
    let (pair, tls) = (certificates.client(), strict(Some(certificates.ca())));
    refused(over(tls.clone(), redis.tls_port()), "does not accept our client certificate").await;
    let client = Some((pair.cert, pair.key));
    hears(&redis, over(RedisTls { client, ..tls.clone() }, redis.tls_port())).await;
    let unknown = Certificates::new().client();
    let client = Some((unknown.cert, unknown.key));
    refused(over(RedisTls { client, ..tls }, redis.tls_port()), "TLS file").await;
}

/// A certificate that no authority signed, as many a Redis has; valid for 127.0.0.1.
fn self_signed() -> (Folder, PathBuf, PathBuf) {
    let folder = folder("self-signed");
    let mut leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    leaf.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert_file, leaf.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    (folder, cert_file, key_file)
}

#[tokio::test]
async fn a_self_signed_certificate_is_its_own_ca_as_it_is_for_nextcloud() {
    let (_folder, cert, key) = self_signed();
    let (cert_name, key_name) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let (port, own) = (free_port(), ["--tls-cert-file", cert_name, "--tls-key-file", key_name]);
    let port_name = port.to_string();
    let directives = [["--tls-port", &port_name, "--tls-auth-clients", "no"], own].concat();
    let redis = Redis::start_with(&directives).await;
    hears(&redis, over(strict(Some(cert)), port)).await;
    let (_other, another, _) = self_signed();
    refused(over(strict(Some(another)), port), "TLS").await;
}

#[tokio::test]
async fn a_missing_or_empty_file_is_named() {
    let (folder, cert, _) = self_signed();
    let missing = folder.path().join("missing.pem");
    refused(over(strict(Some(missing)), 1), "missing.pem can't be used").await;
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    refused(over(strict(Some(empty)), 1), "empty.pem can't be used").await;
    let client = Some((cert.clone(), cert));
    refused(over(RedisTls { client, ..strict(None) }, 1), "cert.pem can't be used").await;
}

#[tokio::test]
async fn tls_against_a_plain_server_and_the_reverse_are_reported() {
    let (redis, certificates) = lenient(&["127.0.0.1"]).await;
    refused(over(strict(Some(certificates.ca())), redis.port()), "doesn't speak TLS").await;
    refused(single(local(redis.tls_port())), "want TLS (tls://)").await;
}

#[tokio::test]
async fn a_renewed_certificate_is_used_at_the_next_connection() {
    let (mut redis, certificates) = lenient(&["127.0.0.1"]).await;
    let (ca, renewed) = (certificates.ca(), Certificates::new());
    let mut subscriber = Subscriber::start(over(strict(Some(ca.clone())), redis.tls_port()));
    subscriber.connected().await;
    for (from, to) in [
        (renewed.ca(), ca),
        (renewed.server().cert, certificates.server().cert),
        (renewed.server().key, certificates.server().key),
    ] {
        std::fs::copy(from, to).unwrap();
    }
    redis.restart().await;
    subscriber.has_a_gap().await;
}
