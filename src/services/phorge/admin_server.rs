//! The admin server: what publishers and peers post, and how the server is (`specs/aphlict.md`
//! section 2). Nobody has to say who it is: whoever reaches it may.

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
    telemetry::metrics::Counter,
};
use bytes::Buf;
use futures_util::{Stream, TryStreamExt};
use http::{
    HeaderValue, Method, StatusCode,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER},
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

/// The longest message that is taken, in bytes; the longest of Phorge's own has a few hundred ids. Who
/// has handled it doesn't count, so that peers take what one of them has taken.
pub const MAX_MESSAGE: usize = 1024 * 1024;
/// The same with those who have handled it: three thousand servers.
const MAX_BODY: usize = MAX_MESSAGE + 64 * 1024;
/// Bodies that are read at once, in bytes; of more the publisher is told to come back.
const MAX_BODIES: usize = 32 * 1024 * 1024;

/// What the admin server needs of the rest.
pub struct AphlictAdminHandler {
    /// Where messages go.
    pub publish_queue: PublishQueue,
    /// What we are called.
    pub fingerprint: ServerFingerprint,
    /// What is held.
    pub history: SharedMessageHistory,
    /// Who is here.
    pub hub: Hub,
    /// Who has been here.
    pub arrivals: Arc<ClientTotals>,
    /// Counts messages that came.
    pub received: Counter,
    /// Counts messages that went.
    pub sent: Arc<HubMetrics>,
    /// How many of these nobody but the probe heard.
    pub probe_only_messages: Arc<AtomicU64>,
    /// When the server started.
    pub since: Instant,
}

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PublishRejection {
    Malformed,
    TooLong,
    Busy,
}

/// Answers everything there is.
pub fn routes(admin: AphlictAdminHandler) -> BoxedFilter<(Response,)> {
    let (admin, body_budget) = (Arc::new(admin), Arc::new(Semaphore::new(MAX_BODIES)));
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::body::stream())
        .then(move |method, path: FullPath, query: String, body| {
            let (admin, body_budget) = (Arc::clone(&admin), Arc::clone(&body_budget));
            async move {
                match (path.as_str(), method) {
                    ("/", Method::POST) => admin.publish(&query, body, &body_budget).await,
                    ("/", _) => only_post(),
                    ("/status/", _) => admin.status(&query).await,
                    _ => StatusCode::NOT_FOUND.into_response(),
                }
            }
        })
        .boxed()
}

impl AphlictAdminHandler {
    async fn publish(
        &self,
        query: &str,
        body: impl Stream<Item = Result<impl Buf, warp::Error>>,
        body_budget: &Arc<Semaphore>,
    ) -> Response {
        match self.take(query, body, body_budget).await {
            Ok(()) => json(&serde_json::json!({ "fingerprint": self.fingerprint.as_str() })),
            Err(refusal) => refusal.into_response(),
        }
    }

    async fn take(
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
            tracing::debug!(%instance, "what was posted is no message: {malformed}");
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
            // A hub that has ended has nobody in it.
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

/// Texts and numbers always serialize.
fn json(value: &impl serde::Serialize) -> Response {
    let mut response = Response::new(serde_json::to_string(value).unwrap_or_default().into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
