//! HTTP requests to a peer: bounded in time and size, over connections that are kept.

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

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a request may take in all.
const TOTAL: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next request: Node closes after 5 s.
const IDLE: Duration = Duration::from_secs(4);
/// The longest answer that is read, in bytes.
const MAX_BODY: usize = 4096;

/// What peers are dialled with. Cheap to clone.
pub type PeerHttpClient = reqwest::Client;

/// Why no peer can be dialled.
#[derive(Debug, thiserror::Error)]
pub enum PeerClientError {
    /// The file of authorities.
    #[error("CA file {}", .0.display())]
    Authorities(PathBuf, #[source] tls::CertificateFileError),
    /// TLS can't be set up.
    #[error("TLS towards peers can't be set up")]
    Tls(#[from] rustls::Error),
    /// HTTP can't be set up.
    #[error("HTTP towards peers can't be set up")]
    Http(#[from] Error),
}

/// A client for all peers. Reads the system's certificates, where there is a peer with TLS.
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

/// A client for our own listeners, whose certificates are for names that others use: any will do, as we
/// know whom we connect to.
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

/// Why a peer did not take a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PeerError {
    /// No connection, or it broke.
    #[error(
        "no connection ({0}): does it run, is its address right, is its admin port open to us?"
    )]
    Away(String),
    /// It takes too long.
    #[error("no answer in time: it is overloaded or hangs")]
    Late,
    /// It has no room.
    #[error("it is overloaded (status {0})")]
    Busy(u16),
    /// It wants none of it.
    #[error("it refuses (status {0}): is it an Aphlict admin server?")]
    Refused(u16),
}

impl PeerError {
    /// Whether the same message may get through later.
    pub(super) fn is_transient(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

/// What a peer answers.
#[derive(Deserialize)]
struct PeerResponse {
    fingerprint: String,
}

/// Talks to one peer.
pub(super) struct PeerClient {
    dial: PeerHttpClient,
    url: Url,
}

impl PeerClient {
    pub(super) fn new(dial: PeerHttpClient, url: Url) -> Self {
        Self { dial, url }
    }

    /// Where it is.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Passes a message on; returns what the peer calls itself.
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

    /// Asks how it is.
    pub(super) async fn check_status(&self) -> Result<(), PeerError> {
        let mut url = self.url.clone();
        url.set_path("/status/");
        send_request(|| self.dial.get(url.clone())).await.map(drop)
    }
}

async fn send_request(request: impl Fn() -> RequestBuilder) -> Result<Vec<u8>, PeerError> {
    let mut asked = request().send().await;
    // The peer closed a kept connection in the moment we used it: once more on a fresh one.
    if asked.as_ref().is_err_and(was_stale) {
        asked = request().send().await;
    }
    let mut response = asked.map_err(|error| trouble(&error))?;
    match response.status().as_u16() {
        200..=299 => {}
        status @ (429 | 502..=504) => return Err(PeerError::Busy(status)),
        status => return Err(PeerError::Refused(status)),
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| trouble(&error))? {
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

fn trouble(error: &Error) -> PeerError {
    if error.is_timeout() { PeerError::Late } else { PeerError::Away(cause(error)) }
}

/// The innermost cause, which names no URL.
pub fn cause(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.source().is_some() { cause.to_string() } else { "no details".to_owned() }
}
