//! The admin server: publishers and peers post messages here, Phorge reads the status (`specs/aphlict.md`
//! section 2). The protocol has no authentication, so that the network has to protect this port.

use super::{
    fingerprint::ServerFingerprint,
    history::SharedMessageHistory,
    instance::{InstanceNameTooLong, PhorgeInstance},
    message::AphlictMessage,
    publish_queue::PublishQueue,
    status::{AphlictStatus, ClientTotals},
};
use crate::{
    push::{HubMetrics, hub::Hub},
    server::RequestOrigin,
    telemetry::metrics::Counter,
};
use bytes::Buf;
use futures_util::{Stream, TryStreamExt};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{ALLOW, CONTENT_TYPE, ORIGIN, RETRY_AFTER},
};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use warp::{
    Filter,
    filters::{BoxedFilter, path::FullPath},
    reply::{Reply, Response},
};

/// The longest accepted message, in bytes; the longest of Phorge's own has a few hundred ids. The list of
/// servers that handled it doesn't count, so that peers accept what one of them has accepted.
pub const MAX_MESSAGE: usize = 1024 * 1024;
/// The longest accepted body, in bytes: a message and the fingerprints of three thousand servers.
const MAX_BODY: usize = MAX_MESSAGE + 64 * 1024;
/// The bytes of all bodies in memory; beyond them a publisher gets 503 with `Retry-After`.
const MAX_BODIES: usize = 32 * 1024 * 1024;

/// Handles requests to the admin server.
pub struct AphlictAdminHandler {
    /// Where accepted messages go.
    pub publish_queue: PublishQueue,
    /// This server's name among its peers.
    pub fingerprint: ServerFingerprint,
    /// The messages of the last minute.
    pub history: SharedMessageHistory,
    /// The browsers that are connected.
    pub hub: Hub,
    /// The browsers that ever connected.
    pub arrivals: Arc<ClientTotals>,
    /// Counts messages from publishers and peers.
    pub received: Counter,
    /// Counts messages sent to browsers.
    pub sent: Arc<HubMetrics>,
    /// How many of the sent messages were the self-probe's.
    pub probe_only_messages: Arc<AtomicU64>,
    /// When the server started.
    pub since: Instant,
}

/// Why a message is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PublishRejection {
    Malformed,
    TooLong,
    Busy,
}

/// The routes of the admin server; they answer every path and method.
pub fn routes(admin: AphlictAdminHandler) -> BoxedFilter<(Response,)> {
    let (admin, body_budget) = (Arc::new(admin), Arc::new(Semaphore::new(MAX_BODIES)));
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let from = warp::header::headers_cloned().and(warp::ext::optional::<RequestOrigin>());
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(from)
        .and(warp::body::stream())
        .then(move |method, path: FullPath, query: String, headers: HeaderMap, origin, body| {
            let (admin, body_budget) = (Arc::clone(&admin), Arc::clone(&body_budget));
            async move {
                match (path.as_str(), method) {
                    _ if is_from_web_page(&headers) => StatusCode::FORBIDDEN.into_response(),
                    ("/", Method::POST) => admin.publish(&query, body, &body_budget, origin).await,
                    ("/", _) => only_post(),
                    ("/status/", _) => admin.status(&query).await,
                    _ => StatusCode::NOT_FOUND.into_response(),
                }
            }
        })
        .boxed()
}

/// Whether a script or form of a web page sent the request: browsers mark those with `Origin` or
/// `Sec-Fetch-Site`. Any page could otherwise publish through the browser of a user who reaches this port,
/// as the protocol has no authentication and a plain POST needs no preflight. Phorge and peers send
/// neither header. A status page that a user opened by hand has the site `none`.
fn is_from_web_page(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.get("sec-fetch-site").is_some_and(|site| site != "none")
}

impl AphlictAdminHandler {
    async fn publish(
        &self,
        query: &str,
        body: impl Stream<Item = Result<impl Buf, warp::Error>>,
        body_budget: &Arc<Semaphore>,
        origin: Option<RequestOrigin>,
    ) -> Response {
        let received = self.receive(query, body, body_budget).await;
        if let (Ok(()), Some(origin)) = (received, origin) {
            // A publisher's connection is no unauthenticated one that may be closed for another.
            origin.mark_joined();
        }
        match received {
            Ok(()) => json(&serde_json::json!({ "fingerprint": self.fingerprint.as_str() })),
            Err(refusal) => refusal.into_response(),
        }
    }

    async fn receive(
        &self,
        query: &str,
        body: impl Stream<Item = Result<impl Buf, warp::Error>>,
        body_budget: &Arc<Semaphore>,
    ) -> Result<(), PublishRejection> {
        let instance = PhorgeInstance::of_query(query)?;
        let (mut whole, mut body) = (Vec::new(), pin!(body));
        let mut taken: Option<OwnedSemaphorePermit> = None;
        while let Some(mut part) = body.try_next().await.map_err(|_| PublishRejection::Malformed)? {
            if whole.len() + part.remaining() > MAX_BODY {
                return Err(PublishRejection::TooLong);
            }
            let bytes = u32::try_from(part.remaining()).map_err(|_| PublishRejection::TooLong)?;
            let more = Arc::clone(body_budget).try_acquire_many_owned(bytes);
            let more = more.map_err(|_| PublishRejection::Busy)?;
            match &mut taken {
                Some(taken) => taken.merge(more),
                None => taken = Some(more),
            }
            while part.has_remaining() {
                whole.extend_from_slice(part.chunk());
                part.advance(part.chunk().len());
            }
        }
        let message = AphlictMessage::parse(&whole).map_err(|malformed| {
            tracing::debug!(%instance, "the posted body is not a message: {malformed}");
            PublishRejection::Malformed
        })?;
        if message.length() > MAX_MESSAGE {
            return Err(PublishRejection::TooLong);
        }
        self.received.inc();
        self.publish_queue
            .publish(instance, message, taken)
            .await
            .map_err(|_| PublishRejection::Busy)
    }

    async fn status(&self, query: &str) -> Response {
        let Ok(instance) = PhorgeInstance::of_query(query) else {
            return PublishRejection::Malformed.into_response();
        };
        let clients_active = match instance.accepts_clients() {
            // A hub that has stopped has no sessions.
            true => self.hub.count(instance.home()).await.unwrap_or_default(),
            false => 0,
        };
        let now = Instant::now();
        let extent = self.history.lock().extent(now);
        json(&AphlictStatus {
            clients_active,
            clients_total: self.arrivals.of(&instance),
            messages_in: self.received.get(),
            messages_out: self
                .sent
                .custom
                .get()
                .saturating_sub(self.probe_only_messages.load(Relaxed)),
            ..AphlictStatus::new(instance.name(), now - self.since, extent)
        })
    }
}

impl From<InstanceNameTooLong> for PublishRejection {
    fn from(_: InstanceNameTooLong) -> Self {
        Self::Malformed
    }
}

impl Reply for PublishRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST.into_response(),
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            Self::Busy => {
                let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                response
            }
        }
    }
}

fn only_post() -> Response {
    let mut response = StatusCode::METHOD_NOT_ALLOWED.into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

/// A JSON response; strings and numbers always serialise.
fn json(value: &impl serde::Serialize) -> Response {
    let mut response = Response::new(serde_json::to_string(value).unwrap_or_default().into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
