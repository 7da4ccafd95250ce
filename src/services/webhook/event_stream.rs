//! Server-sent events (HTML standard, section 9.2), for clients that plain HTTP only can reach.

use super::{
    admission::{AdmissionError, ClientAdmission},
    cors,
    dialect::MESSAGES_MISSING,
    envelope::MessageEnvelope,
    message_id::MessageId,
    registration_key::RegistrationKey,
};
use crate::{
    lifecycle::TaskGroup,
    push::{BridgeEvent, SessionBridge},
    server::{RequestOrigin, peer, peer::ConnectionPeer, text},
    websocket::frame::CloseCode,
};
use bytes::Bytes;
use futures_util::{Stream, stream::unfold};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use std::{
    convert::Infallible,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
    time::Duration,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;
use warp::{
    Filter,
    filters::BoxedFilter,
    reply::{Reply, Response},
};

/// Interval of comments: proxies cut silent connections.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Reconnection delay in milliseconds; a hash of the pair adds up to [`RETRY_SPREAD`].
const RETRY_MIN: u64 = 1_000;
const RETRY_SPREAD: u64 = 4_000;
/// Sent while the pair can't be checked: a browser never reconnects after another status than 200.
const RETRY_LATER: &str = "retry: 10000\n: try later\n\n";
/// Sent when a newer connection replaces this one. The longest delay that browsers understand keeps
/// them from reconnecting.
const REPLACED: &str = "retry: 2147483647\nevent: replaced\ndata: {}\n\n";
/// Sent before replayed messages of which some are missing.
const MISSING: &str = "event: missing\ndata: {}\n\n";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// `GET /events/{userId}?connectionId=…`. `names` are the headers with the forwarded chain; streams
/// end with `tasks`.
pub fn event_stream(
    admission: ClientAdmission,
    tasks: &TaskGroup,
    names: Arc<[HeaderName]>,
) -> BoxedFilter<(Response,)> {
    let stopping = tasks.stopping().clone();
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::path("events")
        .and(warp::path::param::<String>())
        .and(warp::path::end())
        .and(warp::get())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(peer(names))
        .and(warp::ext::optional::<RequestOrigin>())
        .then(
            move |user: String, query: String, headers: HeaderMap, peer: ConnectionPeer, origin| {
                let (admission, stopping) = (admission.clone(), stopping.clone());
                async move {
                    let answer = match EventStreamRequest::read(&user, &query, &headers) {
                        Some(request) => open(admission, request, &peer, origin, stopping).await,
                        None => Err(AdmissionError::Malformed),
                    };
                    cors::allow(answer.unwrap_or_else(refusal), &headers)
                }
            },
        )
        .boxed()
}

/// Parameters of a request.
#[derive(Debug, PartialEq, Eq)]
struct EventStreamRequest {
    claim: RegistrationKey,
    since: Option<MessageId>,
}

impl EventStreamRequest {
    /// Browsers send the header when they reconnect; the query parameter is for the first
    /// connection.
    fn read(user: &str, query: &str, headers: &HeaderMap) -> Option<Self> {
        let parameter = |wanted: &str| {
            let mut all = form_urlencoded::parse(query.as_bytes());
            all.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
        };
        let user = percent_encoding::percent_decode_str(user).decode_utf8().ok()?;
        let claim = RegistrationKey::new(user, parameter("connectionId")?)?;
        let header = headers.get(LAST_EVENT_ID).map(|id| id.to_str());
        let since = match header.transpose().ok()?.filter(|id| !id.is_empty()) {
            Some(id) => Some(id.to_owned()),
            None => parameter("since"),
        };
        let since = since.map(|id| id.parse()).transpose().ok()?;
        Some(Self { claim, since })
    }
}

async fn open(
    admission: ClientAdmission,
    request: EventStreamRequest,
    peer: &ConnectionPeer,
    origin: Option<RequestOrigin>,
    stopping: CancellationToken,
) -> Result<Response, AdmissionError> {
    let EventStreamRequest { claim, since } = request;
    let first = format!("retry: {}\n: registered\n\n", retry_delay(&claim));
    let connection = origin.as_ref().map(RequestOrigin::connection);
    let bridge = admission.enter(claim, peer, connection, since).await?;
    if let Some(origin) = origin {
        origin.mark_joined();
    }
    Ok(answer(events(bridge, first, stopping)))
}

/// Spreads reconnections after a restart.
fn retry_delay(claim: &RegistrationKey) -> u64 {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(claim);
    RETRY_MIN + hash % RETRY_SPREAD
}

fn answer(
    events: impl Stream<Item = Result<Bytes, Infallible>> + Send + Sync + 'static,
) -> Response {
    let mut answer = warp::reply::stream(events).into_response();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would buffer events.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    headers.insert(unbuffered, HeaderValue::from_static("no"));
    answer
}

fn refusal(refused: AdmissionError) -> Response {
    match refused {
        AdmissionError::Malformed => text(StatusCode::BAD_REQUEST, "malformed\n"),
        AdmissionError::Unknown => text(StatusCode::NOT_FOUND, "unknown\n"),
        AdmissionError::TryLater | AdmissionError::Full => {
            let once = futures_util::future::ready(Ok(Bytes::from_static(RETRY_LATER.as_bytes())));
            answer(futures_util::stream::once(once))
        }
    }
}

/// Next step of a stream.
enum EventStreamStep {
    First(String),
    More,
    Over,
}

fn events(
    bridge: SessionBridge,
    first: String,
    stopping: CancellationToken,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + Sync + 'static {
    unfold(
        (bridge, EventStreamStep::First(first), stopping),
        async |(mut bridge, next, stopping)| {
            let (event, next) = match next {
                EventStreamStep::First(first) => (Bytes::from(first), EventStreamStep::More),
                EventStreamStep::More => {
                    stopping.run_until_cancelled(next_event(&mut bridge)).await??
                }
                EventStreamStep::Over => return None,
            };
            Some((Ok(event), (bridge, next, stopping)))
        },
    )
}

/// The next event. None ends the stream, and the browser reconnects.
async fn next_event(bridge: &mut SessionBridge) -> Option<(Bytes, EventStreamStep)> {
    loop {
        let Ok(relayed) = timeout(HEARTBEAT, bridge.next()).await else {
            return Some((Bytes::from_static(b":\n\n"), EventStreamStep::More));
        };
        match relayed? {
            BridgeEvent::Message(text) => {
                if let Some(event) = event(&text) {
                    return Some((Bytes::from(event), EventStreamStep::More));
                }
            }
            BridgeEvent::Closed(CloseCode(4409), _) => {
                return Some((Bytes::from_static(REPLACED.as_bytes()), EventStreamStep::Over));
            }
            BridgeEvent::Closed(..) => return None,
        }
    }
}

/// A message as an event: each line of the value becomes a `data` line.
fn event(text: &[u8]) -> Option<String> {
    if text == MESSAGES_MISSING.as_bytes() {
        return Some(MISSING.to_owned());
    }
    let MessageEnvelope { id, message } = MessageEnvelope::read(text)?;
    let mut event = format!("id: {id}\n");
    for line in message.get().split(['\n', '\r']) {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::{EventStreamRequest, MessageId, RegistrationKey, event, events};
    use crate::{
        push::SessionBridge,
        websocket::frame::{CloseCode, Frame},
    };
    use futures_util::{FutureExt, StreamExt};
    use http::{HeaderMap, HeaderValue};
    use std::pin::pin;
    use tokio::io::AsyncWriteExt;
    use tokio_util::sync::CancellationToken;

    fn request(user: &str, query: &str, last: Option<&'static str>) -> Option<EventStreamRequest> {
        let mut headers = HeaderMap::new();
        if let Some(last) = last {
            headers.insert("last-event-id", HeaderValue::from_static(last));
        }
        EventStreamRequest::read(user, query, &headers)
    }

    #[test]
    fn a_request_has_a_pair_and_an_optional_last_id() {
        let claim = RegistrationKey::new("a/b é", "c&1").unwrap();
        let wanted = |since| Some(EventStreamRequest { claim: claim.clone(), since });
        let pair = "connectionId=c%261";
        assert_eq!(request("a%2Fb%20%C3%A9", pair, None), wanted(None));
        assert_eq!(request("a%2Fb%20%C3%A9", pair, Some("12")), wanted(Some(MessageId(12))));
        let since = "connectionId=c%261&since=7";
        assert_eq!(request("a%2Fb%20%C3%A9", since, None), wanted(Some(MessageId(7))));
        // The header wins over the parameter of the first connection.
        assert_eq!(request("a%2Fb%20%C3%A9", since, Some("12")), wanted(Some(MessageId(12))));
        for (user, query, last) in [("u", "", None), ("%ff", pair, None), ("u", pair, Some("x"))] {
            assert_eq!(request(user, query, last), None);
        }
    }

    #[test]
    fn a_value_of_several_lines_is_one_event() {
        let text = b"{\"id\":\"7\",\"message\":{\n  \"a\": \"\\n\"\r}}";
        assert_eq!(event(text).unwrap(), "id: 7\ndata: {\ndata:   \"a\": \"\\n\"\ndata: }\n\n");
        assert_eq!(event(b"{\"registered\":true}"), None);
        assert_eq!(event(b"{\"missing\":true}").as_deref(), Some("event: missing\ndata: {}\n\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_filled_and_a_newer_connection_ends_the_stream() {
        let (mut hub, bridge) = SessionBridge::pair().unwrap();
        let mut events = pin!(events(bridge, "first".into(), CancellationToken::new()));
        assert_eq!(events.next().await.unwrap().unwrap(), "first");
        assert_eq!(events.next().await.unwrap().unwrap(), ":\n\n");
        hub.write_all(Frame::close(CloseCode(4409), "").bytes()).await.unwrap();
        assert_eq!(events.next().await.unwrap().unwrap(), super::REPLACED);
        assert!(events.next().await.is_none());
    }

    #[tokio::test]
    async fn a_stream_ends_when_the_daemon_does() {
        let (_hub, bridge) = SessionBridge::pair().unwrap();
        let stopping = CancellationToken::new();
        let mut events = pin!(events(bridge, String::new(), stopping.clone()));
        assert!(events.next().await.is_some() && events.next().now_or_never().is_none());
        stopping.cancel();
        assert!(events.next().await.is_none());
    }
}
