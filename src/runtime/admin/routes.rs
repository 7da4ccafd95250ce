//! The routes of the metrics listener.

use super::{
    HOST_QUERY, LOG_LEVEL, MAX_BODY, METRICS, REVOKE,
    access::{is_from_page, may_control},
    status::{StatusContext, status},
};
use crate::{
    health::HealthRegistry,
    runtime::health_routes,
    server::{RequestOrigin, text},
    telemetry::{
        log::LogControl,
        metrics::{CONTENT_TYPE, MetricsError},
    },
};
use futures_util::{
    Stream, StreamExt,
    future::{BoxFuture, ready},
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{ALLOW, CONTENT_TYPE as CONTENT_TYPE_HEADER},
};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::time::timeout;
use warp::{
    Buf, Filter, Rejection,
    reply::{Reply, Response},
};

// How long a control request may take to send its body.
const BODY_TIME: Duration = Duration::from_secs(5);

/// The longest list of hosts in an answer.
const MAX_LISTED: usize = 20;

/// Closes a user's sessions and says how many there were.
pub type RevokeSessions = Arc<dyn Fn(&str) -> BoxFuture<'static, usize> + Send + Sync>;

/// What can be asked of the daemon. Cheap to clone.
#[derive(Clone)]
pub struct AdminApi {
    /// Renders the metrics page.
    pub page: Arc<dyn Fn() -> Result<String, MetricsError> + Send + Sync>,
    /// The log filter.
    pub log: LogControl,
    /// Who closes the sessions of a user: each host, under its name where it has one.
    pub hosts: Arc<[(Option<String>, RevokeSessions)]>,
    /// Whether the daemon can do its job.
    pub health: HealthRegistry,
}

/// `GET /metrics` and `/health/…` for anybody who reaches the listener; `/log-level` and `/revoke`
/// only for programs on this machine (see [`super`]), the first also for the status page, which is
/// shown on this machine; everybody else hears 403 whatever they ask there.
///
/// Bodies are plain text. The log filter is answered to GET, PUT and DELETE as it is then in
/// force; `POST /revoke` has the user's name as body and is answered the number of sessions closed.
pub fn admin(
    admin: AdminApi,
    shown: StatusContext,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let AdminApi { page, log, hosts, health } = admin;
    let metrics = warp::path(METRICS)
        .and(warp::path::end())
        .and(warp::method())
        .map(move |method: Method| metrics(&method, &*page));
    let log_level =
        control(LOG_LEVEL, AdminAccess::PageToo, &[Method::PUT], move |method, asked| {
            ready(log_level(&log, &method, &asked.body))
        });
    let revoke = control(REVOKE, AdminAccess::Programs, &[Method::POST], move |method, asked| {
        revoked(Arc::clone(&hosts), method, asked)
    });
    metrics
        .or(log_level)
        .unify()
        .or(revoke)
        .unify()
        .or(health_routes(health))
        .unify()
        .or(status(shown))
        .unify()
}

/// Causes may name hosts and what they said: they are for whoever may control.
fn health_routes(
    health: HealthRegistry,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let ready = warp::path(health_routes::READY)
        .and(warp::path::end())
        .and(warp::method())
        .and(warp::ext::optional::<RequestOrigin>())
        .and(warp::header::headers_cloned())
        .map(move |method: Method, origin: Option<RequestOrigin>, headers: HeaderMap| {
            let is_local = origin.is_some_and(|origin| may_control(&origin, &headers));
            health_routes::report(&health, &method, is_local)
        });
    warp::path(health_routes::HEALTH).and(health_routes::live().or(ready).unify())
}

fn metrics(method: &Method, page: &dyn Fn() -> Result<String, MetricsError>) -> Response {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return not_allowed("GET, HEAD");
    }
    match page() {
        Ok(page) => {
            let kind = HeaderValue::from_static(CONTENT_TYPE);
            warp::reply::with_header(page, CONTENT_TYPE_HEADER, kind).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics can't be rendered");
            text(StatusCode::INTERNAL_SERVER_ERROR, "Internal error\n")
        }
    }
}

fn log_level(log: &LogControl, method: &Method, filter: &str) -> Response {
    match *method {
        Method::GET | Method::HEAD => {}
        Method::DELETE => log.restore(),
        Method::PUT => {
            if let Err(bad) = log.set(filter) {
                return warp::reply::with_status(format!("{bad}\n"), StatusCode::BAD_REQUEST)
                    .into_response();
            }
        }
        _ => return not_allowed("GET, HEAD, PUT, DELETE"),
    }
    let current = log.current();
    if *method != Method::GET && *method != Method::HEAD {
        tracing::info!(filter = current, "log filter changed");
    }
    format!("{current}\n").into_response()
}

async fn revoked(
    hosts: Arc<[(Option<String>, RevokeSessions)]>,
    method: Method,
    AdminRequest { query, body: user }: AdminRequest,
) -> Response {
    match method {
        Method::POST if user.is_empty() => text(StatusCode::BAD_REQUEST, "Which user?\n"),
        Method::POST => {
            let revoke = match host(&hosts, query.strip_prefix(HOST_QUERY)) {
                Ok(revoke) => revoke,
                Err(words) => {
                    return warp::reply::with_status(words, StatusCode::BAD_REQUEST)
                        .into_response();
                }
            };
            let sessions = revoke(&user).await;
            tracing::info!(sessions, "closed the sessions of a user, as asked");
            tracing::debug!(user, "whose sessions");
            format!("{sessions}\n").into_response()
        }
        _ => not_allowed("POST"),
    }
}

/// The host that is meant; it may be left out where there is but one.
fn host<'h>(
    hosts: &'h [(Option<String>, RevokeSessions)],
    name: Option<&str>,
) -> Result<&'h RevokeSessions, String> {
    match (name, hosts) {
        (None, [(_, only)]) => return Ok(only),
        (Some(name), _) => {
            let found = hosts.iter().find(|(known, _)| known.as_deref() == Some(name));
            if let Some((_, revoke)) = found {
                return Ok(revoke);
            }
        }
        (None, _) => {}
    }
    let names = hosts.iter().filter_map(|(name, _)| name.as_deref()).take(MAX_LISTED);
    let names = names.collect::<Vec<_>>().join(", ");
    Err(format!("Which host? There are: {names} (notify_push revoke --host <name> <user>)\n"))
}

pub(super) fn not_allowed(allowed: &'static str) -> Response {
    let reply = text(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed\n");
    warp::reply::with_header(reply, ALLOW, HeaderValue::from_static(allowed)).into_response()
}

/// What was asked besides the path.
struct AdminRequest {
    query: String,
    body: String,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AdminAccess {
    /// Programs on this machine.
    Programs,
    /// And our own page in a browser on this machine.
    PageToo,
}

/// A route that answers only whoever may control; the bodies of requests `with_body` are read.
fn control<F, A>(
    path: &'static str,
    who: AdminAccess,
    with_body: &'static [Method],
    answer: F,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static
where
    F: Fn(Method, AdminRequest) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response> + Send,
{
    warp::path(path)
        .and(warp::path::end())
        .and(warp::method())
        .and(warp::ext::optional::<RequestOrigin>())
        .and(warp::header::headers_cloned())
        .and(warp::query::raw().or(warp::any().map(String::new)).unify())
        .and(warp::body::stream())
        .then(
            move |method: Method,
                  origin: Option<RequestOrigin>,
                  headers: HeaderMap,
                  query,
                  body| {
                let answer = answer.clone();
                async move {
                    let may = |origin: &RequestOrigin| {
                        may_control(origin, &headers)
                            || (who == AdminAccess::PageToo && is_from_page(origin, &headers))
                    };
                    if !origin.as_ref().is_some_and(may) {
                        return text(StatusCode::FORBIDDEN, "Forbidden\n");
                    }
                    if !with_body.contains(&method) {
                        return answer(method, AdminRequest { query, body: String::new() }).await;
                    }
                    match timeout(BODY_TIME, line(body)).await {
                        Ok(Ok(line)) => {
                            let body = line.trim().to_owned();
                            answer(method, AdminRequest { query, body }).await
                        }
                        Ok(Err(refusal)) => refusal,
                        Err(_) => text(StatusCode::REQUEST_TIMEOUT, "Too slow\n"),
                    }
                }
            },
        )
}

async fn line<B: Buf>(
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<String, Response> {
    let (mut body, mut bytes) = (pin!(body), Vec::new());
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| text(StatusCode::BAD_REQUEST, "Bad request\n"))?;
        if bytes.len() + piece.remaining() > MAX_BODY {
            return Err(text(StatusCode::PAYLOAD_TOO_LARGE, "Payload too large\n"));
        }
        let mut piece = piece;
        while piece.has_remaining() {
            let chunk = piece.chunk().len();
            bytes.extend_from_slice(piece.chunk());
            piece.advance(chunk);
        }
    }
    String::from_utf8(bytes).map_err(|_| text(StatusCode::BAD_REQUEST, "Not UTF-8\n"))
}
