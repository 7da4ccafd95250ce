//! The status page: one self-contained document, updated by server-sent events.

mod events;
mod page;

use super::access::{is_from_page, may_control, may_view};
use crate::{
    runtime::status::{DemoControls, StatusSampler},
    server::{RequestOrigin, method_not_allowed, text},
    telemetry::log::LogControl,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use page::StatusPage;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use warp::{
    Filter, Rejection,
    reply::{Reply, Response},
};

/// The path of the page; its events are below it.
const STATUS: &str = "status";
const EVENTS: &str = "events";
const ACT: &str = "act";

/// Viewers at once at most; further pages retry later.
pub const MAX_WATCHERS: usize = 16;

const REMOTE_HINT: &str = "The status page is shown over loopback or a unix socket only.\n\
    From elsewhere: ssh -L 9867:127.0.0.1:<port> <this host>, then http://localhost:9867/status\n";

/// The data of the page. Cheap to clone.
#[derive(Clone)]
pub struct StatusContext {
    /// Takes the page's samples.
    pub sampler: Arc<StatusSampler>,
    /// The log, for its recent warnings.
    pub log: LogControl,
    /// The controls of a demo.
    pub play: Option<DemoControls>,
    /// Ends the viewers' streams when the process stops.
    pub stopping: CancellationToken,
}

/// `GET /status`, its events, and a demo's actions; `/` redirects there.
pub(super) fn status(
    status: StatusContext,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let handler = Arc::new(StatusHandler {
        page: StatusPage::new(),
        watcher_permits: Arc::new(Semaphore::new(MAX_WATCHERS)),
        status,
    });
    let request = warp::method()
        .and(warp::ext::optional::<RequestOrigin>())
        .and(warp::header::headers_cloned());
    let home = Arc::clone(&handler);
    let home = warp::path::end().and(request).map(
        move |method: Method, origin: Option<RequestOrigin>, headers: HeaderMap| {
            home.home(&method, origin.as_ref(), &headers)
        },
    );
    let shown = Arc::clone(&handler);
    let shown = warp::path(STATUS).and(warp::path::end()).and(request).map(
        move |method: Method, origin: Option<RequestOrigin>, headers: HeaderMap| {
            shown.show(&method, origin.as_ref(), &headers)
        },
    );
    let event_stream = Arc::clone(&handler);
    let event_stream =
        warp::path(STATUS).and(warp::path(EVENTS)).and(warp::path::end()).and(request).map(
            move |method: Method, origin: Option<RequestOrigin>, headers: HeaderMap| {
                event_stream.serve_events(&method, origin.as_ref(), &headers)
            },
        );
    let acts = warp::path(STATUS)
        .and(warp::path(ACT))
        .and(warp::path::param())
        .and(warp::path::end())
        .and(request)
        .then(
            move |what: String,
                  method: Method,
                  origin: Option<RequestOrigin>,
                  headers: HeaderMap| {
                let handler = Arc::clone(&handler);
                async move { handler.act(what, &method, origin.as_ref(), &headers).await }
            },
        );
    home.or(shown).unify().or(event_stream).unify().or(acts).unify()
}

struct StatusHandler {
    page: StatusPage,
    watcher_permits: Arc<Semaphore>,
    status: StatusContext,
}

impl StatusHandler {
    fn home(
        &self,
        method: &Method,
        origin: Option<&RequestOrigin>,
        headers: &HeaderMap,
    ) -> Response {
        if !is_get(method) || !origin.is_some_and(|origin| may_view(origin, headers)) {
            return text(StatusCode::NOT_FOUND, "Not found\n");
        }
        let there = HeaderValue::from_static("/status");
        let reply = text(StatusCode::SEE_OTHER, "");
        warp::reply::with_header(reply, header::LOCATION, there).into_response()
    }

    /// The document holds no figures, as any link may lead to it.
    fn show(
        &self,
        method: &Method,
        origin: Option<&RequestOrigin>,
        headers: &HeaderMap,
    ) -> Response {
        if !origin.is_some_and(|origin| may_view(origin, headers)) {
            return text(StatusCode::FORBIDDEN, REMOTE_HINT);
        }
        if !is_get(method) {
            return method_not_allowed("GET, HEAD");
        }
        let socket = self.status.play.as_ref().and_then(|play| play.socket.get());
        self.page.response(socket.map(String::as_str))
    }

    fn serve_events(
        &self,
        method: &Method,
        origin: Option<&RequestOrigin>,
        headers: &HeaderMap,
    ) -> Response {
        if !origin.is_some_and(|origin| is_same_origin_or_local(origin, headers)) {
            return text(StatusCode::FORBIDDEN, "Forbidden\n");
        }
        if *method != Method::GET {
            return method_not_allowed("GET");
        }
        match Arc::clone(&self.watcher_permits).try_acquire_owned() {
            Ok(permit) => {
                let known = headers.contains_key("last-event-id");
                events::reply(self.status.clone(), permit, known)
            }
            Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "Too many viewers\n"),
        }
    }

    async fn act(
        &self,
        what: String,
        method: &Method,
        origin: Option<&RequestOrigin>,
        headers: &HeaderMap,
    ) -> Response {
        let Some(play) = &self.status.play else {
            return text(StatusCode::NOT_FOUND, "Not found\n");
        };
        if !origin.is_some_and(|origin| is_same_origin_or_local(origin, headers)) {
            return text(StatusCode::FORBIDDEN, "Forbidden\n");
        }
        if *method != Method::POST {
            return method_not_allowed("POST");
        }
        match (play.act)(what).await {
            true => text(StatusCode::OK, "done\n"),
            false => text(StatusCode::NOT_FOUND, "Not found\n"),
        }
    }
}

/// Whether our own page or a program on this machine sent the request.
fn is_same_origin_or_local(origin: &RequestOrigin, headers: &HeaderMap) -> bool {
    may_control(origin, headers) || is_from_page(origin, headers)
}

fn is_get(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}
