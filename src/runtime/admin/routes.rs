//! The routes of the metrics listener and of the admin listener.

use super::{
    LOG_LEVEL, MAX_BODY, METRICS, REVOKE, SERVICE, SESSIONS, USER,
    access::{is_from_page, may_control},
    status::{StatusContext, status},
};
use crate::{
    health::HealthRegistry,
    runtime::health_routes,
    server::{RequestOrigin, method_not_allowed, text},
    services::Sessions,
    telemetry::{
        log::LogControl,
        metrics::{CONTENT_TYPE, MetricsError},
    },
};
use futures_util::{Stream, StreamExt, future::ready};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, header::CONTENT_TYPE as CONTENT_TYPE_HEADER,
};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::time::timeout;
use warp::{
    Buf, Filter, Rejection,
    reply::{Reply, Response},
};

// How long a control request may take to send its body.
const BODY_TIME: Duration = Duration::from_secs(5);

/// The longest list of services in an answer.
const MAX_LISTED: usize = 20;

/// What the operator's requests act on. Cheap to clone.
#[derive(Clone)]
pub struct AdminApi {
    /// Renders the metrics page.
    pub page: Arc<dyn Fn() -> Result<String, MetricsError> + Send + Sync>,
    /// The log filter.
    pub log: LogControl,
    /// The sessions of each service that has some, under its name if it has one.
    pub sessions: Arc<[NamedSessions]>,
    /// The dependencies of all services.
    pub health: HealthRegistry,
}

/// A service's sessions under its name.
pub type NamedSessions = (Option<String>, Arc<dyn Sessions>);

/// The routes of the metrics listener: `GET /metrics` and `/health/…`, for anyone who reaches it. They
/// change nothing, so a proxy may pass requests on to them; only a program on this machine sees the
/// causes of an outage.
pub fn metrics(
    api: &AdminApi,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static + use<> {
    metrics_route(Arc::clone(&api.page)).or(health_report(api.health.clone())).unify()
}

/// The routes of the admin listener: those of the metrics listener, `/log-level`, `/revoke`, `/sessions`
/// and the status page. Only programs on this machine may use them; the status page may change the log
/// filter. Others get 403.
///
/// Bodies are plain text. GET, PUT and DELETE of the log filter return the current one;
/// `POST /revoke` takes a user's name and returns the number of sessions closed; `GET /sessions` returns
/// JSON, `?user=` limits it.
pub fn admin(
    api: AdminApi,
    status_context: StatusContext,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let AdminApi { page, log, sessions, health } = api;
    let log_level =
        control(LOG_LEVEL, AdminAccess::PageToo, &[Method::PUT], move |method, asked| {
            ready(log_level(&log, &method, &asked.body))
        });
    let revoking = Arc::clone(&sessions);
    let revoke = control(REVOKE, AdminAccess::Programs, &[Method::POST], move |method, asked| {
        revoke(Arc::clone(&revoking), method, asked)
    });
    let list = control(SESSIONS, AdminAccess::Programs, &[], move |method, asked| {
        list_sessions(Arc::clone(&sessions), method, asked)
    });
    metrics_route(page)
        .or(log_level)
        .unify()
        .or(revoke)
        .unify()
        .or(list)
        .unify()
        .or(health_report(health))
        .unify()
        .or(status(status_context))
        .unify()
}

fn metrics_route(
    page: Arc<dyn Fn() -> Result<String, MetricsError> + Send + Sync>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    warp::path(METRICS)
        .and(warp::path::end())
        .and(warp::method())
        .map(move |method: Method| render_metrics(&method, &*page))
}

/// `/health/…`; a program on this machine also gets causes, which may name servers and quote them.
fn health_report(
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

fn render_metrics(method: &Method, page: &dyn Fn() -> Result<String, MetricsError>) -> Response {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return method_not_allowed("GET, HEAD");
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
        _ => return method_not_allowed("GET, HEAD, PUT, DELETE"),
    }
    let current = log.current();
    if *method != Method::GET && *method != Method::HEAD {
        tracing::info!(filter = current, "log filter changed");
    }
    format!("{current}\n").into_response()
}

async fn revoke(
    services: Arc<[NamedSessions]>,
    method: Method,
    AdminRequest { query, body: user }: AdminRequest,
) -> Response {
    match method {
        Method::POST if user.is_empty() => text(StatusCode::BAD_REQUEST, "Which user?\n"),
        Method::POST => {
            let sessions = match select(&services, parameter(&query, SERVICE).as_deref()) {
                Ok(sessions) => sessions,
                Err(error) => return bad_request(error),
            };
            let closed = sessions.revoke(&user).await;
            tracing::info!(sessions = closed, "revoked the sessions of a user");
            tracing::debug!(user, "revoked user");
            format!("{closed}\n").into_response()
        }
        _ => method_not_allowed("POST"),
    }
}

async fn list_sessions(
    services: Arc<[NamedSessions]>,
    method: Method,
    AdminRequest { query, .. }: AdminRequest,
) -> Response {
    if method != Method::GET {
        return method_not_allowed("GET");
    }
    let (wanted, user) = (parameter(&query, SERVICE), parameter(&query, USER));
    if let Some(name) = wanted.as_deref()
        && let Err(error) = select(&services, Some(name))
    {
        return bad_request(error);
    }
    let mut listed = Vec::new();
    for (service, sessions) in services.iter() {
        if wanted.is_some() && *service != wanted {
            continue;
        }
        let found = sessions.list(user.as_deref()).await;
        let count = sessions.count();
        listed.push(serde_json::json!({"service": service, "count": count, "sessions": found}));
    }
    warp::reply::json(&listed).into_response()
}

fn bad_request(error: String) -> Response {
    warp::reply::with_status(error, StatusCode::BAD_REQUEST).into_response()
}

/// The value of a query parameter, percent-decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The service of this name. The name is optional if only one service has sessions.
fn select<'s>(
    services: &'s [NamedSessions],
    name: Option<&str>,
) -> Result<&'s Arc<dyn Sessions>, String> {
    match (name, services) {
        (None, [(_, only)]) => return Ok(only),
        (Some(name), _) => {
            let found = services.iter().find(|(known, _)| known.as_deref() == Some(name));
            if let Some((_, sessions)) = found {
                return Ok(sessions);
            }
        }
        (None, _) => {}
    }
    let names = services.iter().filter_map(|(name, _)| name.as_deref()).take(MAX_LISTED);
    let names = names.collect::<Vec<_>>().join(", ");
    Err(format!("Which service? There are: {names} (notify_push revoke --service <name> <user>)\n"))
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

/// A route for peers that may control the daemon; it reads the bodies of requests with a method in `with_body`.
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
