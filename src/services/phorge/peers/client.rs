//! HTTP requests to a peer, bounded in time and size, over kept-alive connections.

use super::RelayedMessage;
use crate::client::{
    tls,
    tls::{CertificateCheck, TrustPolicy},
};
use reqwest::{Error, RequestBuilder, redirect};
use serde::Deserialize;
use std::{
    error::Error as _,
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// Time limit for opening a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Time limit for a whole request.
const TOTAL: Duration = Duration::from_secs(5);
/// How long an idle connection is kept; Node closes its own after 5 s.
const IDLE: Duration = Duration::from_secs(4);
/// The longest response that is read, in bytes.
const MAX_BODY: usize = 4096;

/// The HTTP client for all peers. Cheap to clone.
pub type PeerHttpClient = reqwest::Client;

/// Why the HTTP client for peers can't be built.
#[derive(Debug, thiserror::Error)]
pub enum PeerClientError {
    /// The CA file is unusable.
    #[error("CA file {}", .0.display())]
    Authorities(PathBuf, #[source] tls::CertificateFileError),
    /// The TLS library refused the configuration.
    #[error("cannot set up TLS to peers")]
    Tls(#[from] rustls::Error),
    /// The HTTP library refused the configuration.
    #[error("cannot set up HTTP to peers")]
    Http(#[from] Error),
}

/// Builds the client for all peers. Reads the system's certificates if a peer uses TLS.
///
/// # Errors
/// [`PeerClientError`].
pub fn http(peers: &[Url], authorities: Option<&Path>) -> Result<PeerHttpClient, PeerClientError> {
    let trust = if peers.iter().any(|peer| peer.scheme() == "https") {
        let given = authorities.map(|path| {
            let unusable = |cause| PeerClientError::Authorities(path.to_owned(), cause);
            tls::certificates(path).map_err(unusable)
        });
        TrustPolicy::new(CertificateCheck::IssuerAndName)
            .with_system_roots()
            .and(given.transpose()?.unwrap_or_default())
    } else {
        TrustPolicy::new(CertificateCheck::Nothing)
    };
    dial(trust)
}

/// Builds the client for this server's own listeners. It verifies no certificates: they are for the names
/// that others use, and the connection stays on this machine.
///
/// # Errors
/// [`PeerClientError`].
pub fn loopback_client() -> Result<PeerHttpClient, PeerClientError> {
    dial(TrustPolicy::new(CertificateCheck::Nothing))
}

fn dial(trust: TrustPolicy) -> Result<PeerHttpClient, PeerClientError> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(trust.client()?.with_no_client_auth())
        .user_agent(concat!("notify_push/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .http1_only()
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(1)
        .build()?)
}

/// Why a peer did not accept a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PeerError {
    /// The connection failed or broke.
    #[error(
        "no connection ({0}): does it run, is its address right, is its admin port open to us?"
    )]
    Unreachable(String),
    /// The request timed out.
    #[error("no answer in time: it is overloaded or hangs")]
    Timeout,
    /// The peer is overloaded (429 or 5xx).
    #[error("it is overloaded (status {0})")]
    Overloaded(u16),
    /// The peer rejected the message.
    #[error("it refuses (status {0}): is it an Aphlict admin server?")]
    Rejected(u16),
}

impl PeerError {
    /// Whether sending the same message again may succeed.
    pub(super) fn is_transient(&self) -> bool {
        !matches!(self, Self::Rejected(_))
    }
}

/// The answer of a peer to a message.
#[derive(Deserialize)]
struct PeerResponse {
    fingerprint: String,
}

/// Sends requests to one peer.
pub(super) struct PeerClient {
    dial: PeerHttpClient,
    url: Url,
}

impl PeerClient {
    pub(super) fn new(dial: PeerHttpClient, url: Url) -> Self {
        Self { dial, url }
    }

    /// The URL of its admin server.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Relays a message; returns the peer's fingerprint.
    pub(super) async fn relay(&self, relay: &RelayedMessage) -> Result<Option<String>, PeerError> {
        let mut url = self.url.clone();
        url.set_path("/");
        url.query_pairs_mut().clear().append_pair("instance", relay.instance.name());
        let request = || {
            let json = self.dial.post(url.clone()).header("content-type", "application/json");
            json.body(relay.frame.payload())
        };
        let body = send_request(request).await?;
        Ok(serde_json::from_slice(&body).ok().map(|PeerResponse { fingerprint }| fingerprint))
    }

    /// Requests its status page.
    pub(super) async fn check_status(&self) -> Result<(), PeerError> {
        let mut url = self.url.clone();
        url.set_path("/status/");
        send_request(|| self.dial.get(url.clone())).await.map(drop)
    }
}

async fn send_request(request: impl Fn() -> RequestBuilder) -> Result<Vec<u8>, PeerError> {
    let mut sent = request().send().await;
    // The peer closed the kept connection at the moment of use: try once more on a fresh one.
    if sent.as_ref().is_err_and(was_stale) {
        sent = request().send().await;
    }
    let mut response = sent.map_err(|error| peer_error(&error))?;
    match response.status().as_u16() {
        200..=299 => {}
        status @ (429 | 502..=504) => return Err(PeerError::Overloaded(status)),
        status => return Err(PeerError::Rejected(status)),
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| peer_error(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY {
            break;
        }
    }
    Ok(body)
}

fn was_stale(error: &Error) -> bool {
    error.is_request() && !error.is_timeout() && !error.is_connect()
}

fn peer_error(error: &Error) -> PeerError {
    if error.is_timeout() { PeerError::Timeout } else { PeerError::Unreachable(cause(error)) }
}

/// The innermost cause of an error, which contains no URL.
pub fn cause(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.source().is_some() { cause.to_string() } else { "no details".to_owned() }
}
